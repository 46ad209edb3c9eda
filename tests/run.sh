#!/usr/bin/env bash
# Runs the tests. On a fresh Debian 12 there is nothing to set up: packages are installed first.
#
#   bash tests/run.sh                 the fast tier: Debian packages only
#   bash tests/run.sh --sanitize      unit and integration tests under ASan+UBSan and under TSan
#   bash tests/run.sh --interop       clients that others wrote; those whose toolchain is here
#   bash tests/run.sh --fuzz          a million executions of each fuzz target (the fast tier: 100,000)
#   bash tests/run.sh --fast --sanitize   several tiers in one go, in this order
#   bash tests/run.sh --within 2400 --fast --fuzz   none that may not be over after so many seconds
#
# Builds go below ~/.cache/trunkline (TRUNKLINE_CACHE). The last line is "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.."
source tests/tools/build.sh

# Seconds of a tier on two cores with nothing built, with something to spare.
declare -A takes=([fast]=0 [address]=1100 [thread]=1900 [interop]=500 [fuzz]=4500)  # fast: whatever it is
tiers=() within=
while [ $# -gt 0 ]; do
  case $1 in
    --fast | --interop | --fuzz) tiers+=("${1#--}") ;;
    --sanitize) tiers+=(address thread) ;;
    --within) within=${2:?--within needs seconds}; shift ;;
    --help | -h) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
  shift
done
[ ${#tiers[@]} -gt 0 ] || tiers=(fast)

passed=0 failed=0 skipped=0
failures=() not_run=()
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

note() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }

# check NAME COMMAND…: one test.
check() {
  local name=$1
  shift
  if "$@" > "$work/out" 2>&1; then
    passed=$((passed + 1))
    echo "passed: $name"
  else
    failed=$((failed + 1))
    failures+=("$name")
    echo "FAILED: $name"
    tail -n 80 "$work/out"
  fi
}

# count FILE…: adds up a line "N passed, N failed[, N skipped]" of a runner's output.
count() {
  local line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$1" | tail -n 1)
  if [ -z "$line" ]; then
    failed=$((failed + 1))
    failures+=("$2: ended without a count")
    tail -n 80 "$1"
    return
  fi
  read -r p _ f _ s _ <<< "${line//,/} 0 -"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -gt 0 ]; then
    failures+=("$2: $f")
    # What was said of each until the next test.
    awk '/^(passed|skipped)/ { told = 0 } /^( *FAILED|FAIL:|ERROR:)/ { told = 1 } told' "$1" | head -n 200
  fi
  echo "$2: $line"
}

# unit MODE: builds everything in that mode and runs ctest.
unit() {
  local mode=$1
  note "build ($mode)"
  if ! build_tree "$mode" all; then
    failed=$((failed + 1))
    failures+=("build ($mode)")
    return 1
  fi
  note "unit tests ($mode) in $BUILD"
  rm -rf "$BUILD/tests/results"
  ctest --test-dir "$BUILD" -j "$JOBS" --output-on-failure --output-junit "$work/unit.xml" \
    > "$work/ctest" 2>&1
  python3 tests/tools/count_junit.py "$work/unit.xml" "$BUILD/tests/results" > "$work/count" 2>&1 || true
  if ! grep -q ' 0 failed' "$work/count"; then
    # Of a program's tests those that did not end well.
    awk '/^\[ RUN/ { begun = $0; next } /^\[       OK/ { begun = ""; next }
         { if (begun != "") { print begun; begun = "" } print }' "$work/ctest" |
      grep -B 2 -A 60 -E '\*\*\*(Failed|Timeout|Exception|Not Run)' | head -n 200
  fi
  count "$work/count" "unit ($mode)"
}

# integration MODE WORKERS: real clients against the trunkd that unit built. Most of the time they wait,
# so twice as many go at a time; under TSan they compute.
integration() {
  local name="integration ($1, workers: $2)" at_a_time=$((2 * JOBS))
  [ "$1" != thread ] || at_a_time=$JOBS
  note "$name"
  /usr/bin/python3 tests/integration/run.py --trunkd "$BUILD/control/trunkd" --workers "$2" \
    --jobs "$at_a_time" --clients "$BUILD/tests/integration" > "$work/integration" 2>&1
  while read -r skip; do not_run+=("$name: $skip"); done \
    < <(sed -n 's/^skipped (\(not run: \)\?\(.*\)): \([^ ]*\) .*/\3: \2/p' "$work/integration")
  count "$work/integration" "$name"
}

fast_tier() {
  note "form"
  check "format" bash tests/tools/format.sh --check
  check "layers" python3 tests/tools/check_layers.py
  check "sizes" python3 tests/tools/check_sizes.py
  check "mutations" python3 tests/sim/mutants.py --check
  unit release || return
  integration release 1
  integration release 2
  note "bench smoke"
  local bench=(--trunkd "$BUILD/control/trunkd" --loadgen "$BUILD/tests/bench/bench_loadgen")
  check "bench smoke" python3 tests/bench/run.py "${bench[@]}" \
    --relay "$BUILD/tests/bench/bench_relay" --rounds 1 --seconds 0.2
  check "bench smoke: mixed" python3 tests/bench/mixed.py "${bench[@]}" \
    --crowd "$BUILD/tests/bench/bench_crowd" --rounds 1 --warmup 0.1 --rate 1000 --connects 50 \
    --stream-mib 4 --workers 2 --shift 1
  check "bench smoke: stalled" python3 tests/bench/stalled.py "${bench[@]}" \
    --stalled "$BUILD/tests/bench/bench_stalled" --links 3 --seconds 0.1 --workers 2
  check "bench smoke: hostile" python3 tests/bench/hostile.py "${bench[@]}" \
    --hostile "$BUILD/tests/bench/bench_hostile" --rounds 1 --seconds 0.5 --warmup 0.1 --rate 1000 \
    --half-open 50 --slow 50 --logins 20 --churn 100 --workers 2 --patience 1
  check "bench smoke: changes" /usr/bin/python3 tests/bench/changes.py "${bench[@]}" \
    --rounds 1 --warmup 0.1 --rate 1000 --calls 52 --rotations 4
  fuzz 100000
}

# What smoke.sh left of a target.
fuzz_ended() {
  cat "$1.out"
  return "$(cat "$1.status")"
}

# fuzz RUNS: every target over its corpus and so many mutations of it, two at a time, the largest
# first.
fuzz() {
  note "build (fuzzers)"
  if ! build_tree address fuzzers; then
    failed=$((failed + 1))
    failures+=("build (fuzzers)")
    return
  fi
  local program
  note "fuzz ($1 executions of each target)"
  ls -S "$BUILD"/tests/fuzz/*_fuzz |
    xargs -P 2 -I{} bash tests/fuzz/smoke.sh {} "$1" "$work"
  for program in "$BUILD"/tests/fuzz/*_fuzz; do
    program=$work/$(basename "$program")
    check "$(cat "$program.line")" fuzz_ended "$program"
  done
}

address_tier() {
  export LSAN_OPTIONS="print_suppressions=0:suppressions=$PWD/tests/tools/lsan.supp"
  unit address && integration address 1
}

thread_tier() {
  export TSAN_OPTIONS="suppressions=$PWD/tests/tools/tsan.supp${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
  unit thread && integration thread 2
}

# The matrix of tests/interop. Toolchains of other languages are not installed: what is missing is
# counted as skipped, by name.
interop_tier() {
  note "build (release, trunkd)"
  if ! build_tree release trunkd; then
    failed=$((failed + 1))
    failures+=("build (release, trunkd)")
    return
  fi
  note "interop"
  /usr/bin/python3 tests/interop/run.py --trunkd "$BUILD/control/trunkd" --cache "$TRUNKLINE_CACHE" \
    --jobs "$JOBS" > "$work/interop" 2>&1
  grep -E '^\||^[0-9]+\. |^built: ' "$work/interop"
  while read -r reason; do not_run+=("interop: $reason"); done \
    < <(sed -n 's/^skipped: //p' "$work/interop")
  count "$work/interop" "interop"
}

fuzz_tier() { fuzz 1000000; }

install_packages "${PACKAGES[@]}" || { echo "cannot install packages"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
for tier in "${tiers[@]}"; do
  if [ -n "$within" ] && [ $((SECONDS + takes[$tier])) -gt "$within" ]; then
    skipped=$((skipped + 1))
    not_run+=("tier $tier: it may not be over within $within seconds")
    continue
  fi
  "${tier}_tier"
done

note "done"
for failure in ${failures[@]+"${failures[@]}"}; do echo "FAILED: $failure"; done
for reason in ${not_run[@]+"${not_run[@]}"}; do echo "not run: $reason"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
