# Sourced by the runners. Packages, build trees and the lock that keeps builds one at a time.
#   install_packages          Debian packages that building and testing need, if any is missing
#   build_tree MODE TARGET…   configures and builds below $TRUNKLINE_CACHE; sets BUILD. Each clone has
#                             its own build trees.
# MODE: release, quickstart (no tests), address (by clang, with fuzz targets), thread.

TRUNKLINE_CACHE=${TRUNKLINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trunkline}
JOBS=${JOBS:-2}

# To build and run trunkd; then what the tests need on top.
RUN_PACKAGES=(build-essential cmake ninja-build ccache libabsl-dev libssl-dev libprotobuf-dev
  protobuf-compiler protobuf-compiler-grpc libboost1.81-dev libyaml-cpp-dev prometheus-cpp-dev
  zlib1g-dev libgrpc++-dev grpc-proto libsasl2-dev libsasl2-modules libsasl2-modules-db file curl openssl
  libqpid-proton-cpp12-dev libqpid-proton11-dev python3 python3-qpid-proton)
PACKAGES=("${RUN_PACKAGES[@]}" libgtest-dev libgmock-dev
  libbenchmark-dev python3-prometheus-client python3-grpcio python3-protobuf sasl2-bin
  libsasl2-modules-gssapi-mit krb5-kdc krb5-admin-server python3-gssapi clang-14 clang-format-14
  libclang-rt-14-dev git)

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    sudo=(sudo)
    command -v sudo > /dev/null || {
      echo "packages are missing, and there is no sudo; as root: apt-get install ${missing[*]}" >&2
      return 1
    }
  fi
  echo "installing: ${missing[*]}"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" > /dev/null
}

build_tree() {
  local mode=$1 flags=()
  shift
  BUILD=$TRUNKLINE_CACHE/$(pwd -P | cksum | cut -d' ' -f1)/build-$mode
  mkdir -p "$BUILD"
  case $mode in
    release) flags=(-DCMAKE_BUILD_TYPE=RelWithDebInfo) ;;
    quickstart) flags=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DTRUNKLINE_TESTS=OFF) ;;
    address) flags=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DTRUNKLINE_SANITIZE=address
      -DCMAKE_CXX_COMPILER=clang++-14 -DCMAKE_C_COMPILER=clang-14) ;;
    thread) flags=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DTRUNKLINE_SANITIZE=thread) ;;
  esac
  (
    flock 9
    # The sloppiness is what ccache asks for with precompiled headers.
    export CCACHE_DIR=${CCACHE_DIR:-$TRUNKLINE_CACHE/ccache} CCACHE_SLOPPINESS=pch_defines,time_macros
    cmake -S . -B "$BUILD" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
      -DCMAKE_C_COMPILER_LAUNCHER=ccache "${flags[@]}" > "$BUILD/configure.log" 2>&1 ||
      { cat "$BUILD/configure.log"; exit 1; }
    ninja -C "$BUILD" -j "$JOBS" "$@" > "$BUILD/build.log" 2>&1 || { tail -n 60 "$BUILD/build.log"; exit 1; }
  ) 9> "$TRUNKLINE_CACHE/lock"
}
