#!/usr/bin/env bash
# Builds an optimised trunkd with the bench tools and prints the table of run.py. Arguments go to run.py:
#   bash tests/bench/run.sh [--rounds 5] [--seconds 3] [--only "64 B"]
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/build.sh
build_tree release trunkd bench_loadgen bench_relay
exec python3 tests/bench/run.py --trunkd "$BUILD/control/trunkd" \
  --loadgen "$BUILD/tests/bench/bench_loadgen" --relay "$BUILD/tests/bench/bench_relay" "$@"
