#!/usr/bin/env bash
# User instructions of trunkd per message, by callgrind: the difference between two runs of different
# length, so that start-up and attach do not count. One sender, one receiver, 64 B. At the end once
# more, with metrics served, and what they cost.
#   bash tests/bench/instructions.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/build.sh
build_tree release trunkd bench_loadgen
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# instructions MESSAGES GENERATOR-ARGUMENTS...: instructions of one whole run of the router
instructions() {
  local messages=$1 port pid
  shift
  port=$(free_port)
  cat > "$work/trunkline.yaml" <<YAML
router: {id: bench, workers: 1}
log: {levels: {default: warning}}
control: {socket: none}
listeners: [{name: plain, host: 127.0.0.1, port: $port}]
$metrics
YAML
  valgrind --tool=callgrind --callgrind-out-file="$work/out" "$BUILD/control/trunkd" \
    --config "$work/trunkline.yaml" 2> "$work/log" &
  pid=$!
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do kill -0 $pid; done
  "$BUILD/tests/bench/bench_loadgen" --port "$port" --senders 1 --receivers 1 --size 64 \
    --warmup 0 --messages "$messages" "$@" > /dev/null
  kill -TERM $pid
  wait $pid
  awk '/^summary:|^totals:/ {print $2; exit}' "$work/out"
}

short=20000
long=220000
# per_message GENERATOR-ARGUMENTS...
per_message() {
  local a b
  a=$(instructions $short "$@")
  b=$(instructions $long "$@")
  echo $(((b - a) / (long - short)))
}

metrics=""
unsettled=$(per_message)
echo "64 B 1->1 unsettled: $unsettled user instructions per message"
echo "64 B 1->1 settled: $(per_message --settled) user instructions per message"
metrics="metrics: {host: 127.0.0.1, port: $(free_port)}"
served=$(per_message)
echo "64 B 1->1 unsettled, with metrics: $served user instructions per message, $((served - unsettled)) of them for metrics"
