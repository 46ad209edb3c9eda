#!/usr/bin/env bash
# Which lines of the router the corpora of the connection targets reach, by folder:
#
#   bash tests/fuzz/coverage.sh [TARGET…]       (default: driver exchange)
#
# Builds these with clang's source coverage below TRUNKLINE_CACHE, replays their corpora, and prints
# for each target and for all of them together the lines covered of router/conn and router/amqp, then
# the files that have the most lines left. Needs llvm-14.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/build.sh
install_packages "${PACKAGES[@]}" llvm-14
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(driver exchange)
BUILD=${COVERAGE_BUILD:-$TRUNKLINE_CACHE/$(pwd -P | cksum | cut -d' ' -f1)/build-coverage}
mkdir -p "$BUILD"
(
  flock 9
  export CCACHE_DIR=${CCACHE_DIR:-$TRUNKLINE_CACHE/ccache}
  cmake -S . -B "$BUILD" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DTRUNKLINE_SANITIZE=address -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_C_COMPILER=clang-14 \
    "-DCMAKE_CXX_FLAGS=-fprofile-instr-generate -fcoverage-mapping" > "$BUILD/configure.log"
  ninja -C "$BUILD" -j "$JOBS" "${targets[@]/%/_fuzz}" > "$BUILD/build.log" ||
    { tail -n 60 "$BUILD/build.log"; exit 1; }
) 9> "$TRUNKLINE_CACHE/lock"

# table NAME PROFILE…: of all these runs together.
table() {
  local name=$1
  shift
  llvm-profdata-14 merge -o "$BUILD/$name.profdata" "$@"
  llvm-cov-14 export -summary-only -instr-profile="$BUILD/$name.profdata" \
    "${programs[@]}" > "$BUILD/$name.json"
  python3 - "$name" "$BUILD/$name.json" << 'PYTHON'
import collections, json, sys

lines = collections.Counter()
covered = collections.Counter()
left = []
for file in json.load(open(sys.argv[2]))["data"][0]["files"]:
    name = file["filename"]
    for folder in ("router/conn/", "router/amqp/"):
        if folder in name and "/tests/" not in name:
            of_file = file["summary"]["lines"]
            lines[folder] += of_file["count"]
            covered[folder] += of_file["covered"]
            left.append((of_file["count"] - of_file["covered"], folder + name.split(folder)[1]))
for folder in sorted(lines) + ["both"]:
    n = sum(lines.values()) if folder == "both" else lines[folder]
    c = sum(covered.values()) if folder == "both" else covered[folder]
    print(f"{sys.argv[1]:10} {folder:14} {c:6} of {n:6} lines  {100 * c / n:5.1f} %")
if sys.argv[1] == "all":
    print("not reached:", ", ".join(f"{name} {n}" for n, name in sorted(left)[-12:] if n))
PYTHON
}

first=1 programs=() profiles=()
for target in "${targets[@]}"; do
  program=$BUILD/tests/fuzz/${target}_fuzz
  if [ "$first" = 1 ]; then programs=("$program"); else programs+=(-object "$program"); fi
  first=0
  LLVM_PROFILE_FILE=$BUILD/$target.profraw "$program" -runs=0 "tests/fuzz/corpus/${target}_fuzz" \
    > "$BUILD/$target.log" 2>&1 || { tail -n 30 "$BUILD/$target.log"; exit 1; }
  profiles+=("$BUILD/$target.profraw")
done
for target in "${targets[@]}"; do table "$target" "$BUILD/$target.profraw"; done
table all "${profiles[@]}"
