#!/usr/bin/env bash
# Builds an optimised trunkd with the bench tools and prints one table:
#   bash tests/bench/run.sh [run] [--workers 2] [--limits] [--rounds 5] [--seconds 3] [--only "64 B"]
#   bash tests/bench/run.sh mixed|stalled|hostile|logins|scrape|changes|observe [options: see --help]
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/build.sh
table=run tools=(loadgen relay)
case ${1:-} in
  run) shift ;;
  mixed) table=mixed tools=(loadgen crowd); shift ;;
  stalled) table=stalled tools=(loadgen stalled); shift ;;
  hostile) table=hostile tools=(loadgen hostile); shift ;;
  logins) table=logins tools=(crowd); shift ;;
  scrape) table=scrape tools=(crowd loadgen); shift ;;
  changes) table=changes tools=(loadgen); shift ;;
  observe) table=observe tools=(crowd loadgen); shift ;;
esac
build_tree release trunkd "${tools[@]/#/bench_}"
arguments=(--trunkd "$BUILD/control/trunkd")
for tool in "${tools[@]}"; do arguments+=("--$tool" "$BUILD/tests/bench/bench_$tool"); done
exec /usr/bin/python3 "tests/bench/$table.py" "${arguments[@]}" "$@"
