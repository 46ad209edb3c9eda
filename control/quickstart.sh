#!/usr/bin/env bash
# From a clean clone on a fresh Debian 12 to a router with a message through it:
#   bash control/quickstart.sh [--keep]
# Installs what is missing, builds trunkd, starts it on a free loopback port, sends ten messages to it and
# receives them, then says what to try next. --keep leaves the router running.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools/build.sh

keep=no
case ${1:-} in
  --keep) keep=yes ;;
  "") ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }

step "1. Packages"
install_packages "${RUN_PACKAGES[@]}"
echo "all there"

step "2. Build (a few minutes the first time)"
build_tree quickstart trunkd
echo "$BUILD/control/trunkd"
"$BUILD/control/trunkd" --version

step "3. A router"
work=$(mktemp -d)
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
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
YAML
cat "$work/trunkline.yaml"
"$BUILD/control/trunkd" --check-config "$work/trunkline.yaml"
"$BUILD/control/trunkd" --config "$work/trunkline.yaml" 2> "$work/trunkd.log" &
router=$!
stop() {
  if [ $keep = no ]; then
    kill -TERM $router 2> /dev/null && wait $router || true
    rm -rf "$work"
  fi
}
trap stop EXIT
until grep -q '"ready"' "$work/trunkd.log"; do
  kill -0 $router 2> /dev/null || { cat "$work/trunkd.log"; exit 1; }
  sleep 0.1
done
head -n 5 "$work/trunkd.log"

step "4. Ten messages through it, each settled end to end"
/usr/bin/python3 control/quickstart/messages.py "127.0.0.1:$port" orders 10

step "What to try next"
if [ $keep = yes ]; then
  trap - EXIT
  echo "The router runs as process $router on 127.0.0.1:$port; its log is $work/trunkd.log."
fi
cat <<TEXT
  $BUILD/control/trunkd                        a router on 127.0.0.1:5672, nothing to configure
  $BUILD/control/trunkd --help                 options
  control/config/samples/                      configurations to start from (TLS, addresses, connectors)
  /usr/bin/python3 control/quickstart/messages.py 127.0.0.1:5672 news 10
  bash tests/run.sh                            every test
TEXT
