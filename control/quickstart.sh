#!/usr/bin/env bash
# From a clean clone on a fresh Debian 12 to a router with messages through it:
#   bash control/quickstart.sh [--keep]
# Installs what is missing, builds trunkd and trunkctl, starts a router on free loopback ports, sends ten
# messages through it, gives it a second listener while it runs, replaces the certificate of a third one
# under a client, reads its metrics, then says what to try next. --keep leaves the router running.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools/build.sh

keep=no
case ${1:-} in
  --keep) keep=yes ;;
  "") ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
# Says what it does, then does it.
run() {
  printf '\033[2m$ %s\033[0m\n' "$1"
  eval "$1"
}
free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

step "1. Packages"
install_packages "${RUN_PACKAGES[@]}"
echo "all there"

step "2. Build (a few minutes the first time)"
build_tree quickstart trunkd trunkctl
PATH=$BUILD/control:$PATH
run "trunkd --version"

step "3. A router"
work=$(mktemp -d)
port=$(free_port) metrics=$(free_port) second=$(free_port) tls=$(free_port)
export TRUNKLINE_ENDPOINT=unix://$work/control.sock
cat > "$work/trunkline.yaml" <<YAML
router:
  id: quickstart
listeners:
  - name: amqp
    host: 127.0.0.1
    port: $port
addresses:
  - prefix: news          # every receiver gets a copy
    distribution: multicast
metrics:
  host: 127.0.0.1
  port: $metrics
control:
  socket: $work/control.sock
YAML
cat "$work/trunkline.yaml"
run "trunkd --check-config $work/trunkline.yaml"
trunkd --config "$work/trunkline.yaml" 2> "$work/trunkd.log" &
router=$!
stop() {
  if [ $keep = no ]; then
    kill -TERM $router 2> /dev/null && wait $router || true
    rm -rf "$work"
  fi
}
trap stop EXIT
until grep -q '"API"' "$work/trunkd.log"; do
  kill -0 $router 2> /dev/null || { cat "$work/trunkd.log"; exit 1; }
  sleep 0.1
done
head -n 5 "$work/trunkd.log"

step "4. Ten messages through it, each settled end to end"
run "/usr/bin/python3 control/quickstart/messages.py 127.0.0.1:$port orders 10"

step "5. A second listener, over gRPC, while it runs"
run "trunkctl get listeners"
run "trunkctl create listener second host=127.0.0.1 port=$second link_capacity=1000"
run "trunkctl get listeners"
run "/usr/bin/python3 control/quickstart/messages.py 127.0.0.1:$second orders 3"
run "trunkctl status"

step "6. Another certificate, while messages flow"
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
    -addext subjectAltName=DNS:localhost -keyout "$work/tls.key" -out "$work/tls.crt" 2> "$work/openssl.log"
}
shown() { openssl s_client -connect "127.0.0.1:$tls" < /dev/null 2> /dev/null | grep -m 1 '^subject='; }
certificate first
run "trunkctl create tls-profile service certificate_file=$work/tls.crt private_key_file=$work/tls.key"
run "trunkctl create listener amqps host=127.0.0.1 port=$tls tls_profile=service"
echo "clients are shown $(shown)"
/usr/bin/python3 control/quickstart/messages.py "127.0.0.1:$port" flow 5000 > "$work/flow.log" &
flow=$!
certificate second
run "trunkctl certs rotate service"
echo "clients are shown $(shown)"
wait $flow || { cat "$work/flow.log"; exit 1; }
echo "messages meanwhile: $(tail -n 1 "$work/flow.log")"

step "7. What Prometheus sees"
run "curl -s http://127.0.0.1:$metrics/metrics | grep -E '^trunkline_(ready|connections_opened|deliveries_(settled_)?total.*(gress|accepted))'"

step "What to try next"
if [ $keep = yes ]; then
  trap - EXIT
  echo "The router runs as process $router on 127.0.0.1:$port; its log is $work/trunkd.log."
  echo "  export TRUNKLINE_ENDPOINT=$TRUNKLINE_ENDPOINT"
fi
cat <<TEXT
  export PATH=$BUILD/control:\$PATH
  trunkd                        a router on 127.0.0.1:5672, nothing to configure
  trunkd --help                 options
  trunkctl --help               what a running router can be asked and told
  /usr/bin/python3 control/quickstart/messages.py 127.0.0.1:5672 news 10
  control/config/samples/       configurations to start from (TLS, addresses, connectors)
  README.md, "The API, live"    the same by grpcurl; control/README.md: by a program of yours
  bash tests/run.sh             every test
TEXT
