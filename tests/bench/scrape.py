#!/usr/bin/python3
"""How long a scrape of /metrics takes with many links, and what it does to the router's turns.

    python3 tests/bench/scrape.py --trunkd PATH --crowd PATH [--links 10000] [--scrapes 200]

A crowd of clients attaches the links and stays. Then /metrics is read again and again, in both
formats; told are the median and the longest, as the client sees them, what the router says itself,
and the longest turn of a worker meanwhile. Exit status 1 if --limits is given and a target missed.
"""

import argparse
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import time

import harness

TARGET_SECONDS = 0.020
TARGET_TURN = 0.005
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


def value(text, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    harness.add_options(parser, ["crowd"])
    parser.add_argument("--links", type=int, default=10000)
    parser.add_argument("--scrapes", type=int, default=200)
    options = parser.parse_args()
    harness.place(options)
    port, metrics = harness.free_port(), harness.free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"""
router: {{id: bench, workers: {options.workers}}}
log: {{levels: {{default: warning}}}}
metrics: {{port: {metrics}}}
listeners: [{{name: plain, host: 127.0.0.1, port: {port}, max_unopened_per_address: 100000}}]
""")
        config.flush()
        router = subprocess.Popen(
            harness.pinned(options.router_cpus, [options.trunkd, "--config", config.name]))
        try:
            sys.exit(measure(options, router, port, metrics))
        finally:
            router.terminate()
            router.wait()


def measure(options, router, port, metrics):
    connection = connect(metrics)
    connections = options.links // 10
    crowd = subprocess.Popen(
        harness.pinned(options.generator_cpus,
                       [options.crowd, "--port", str(port), "--pid", str(router.pid),
                        "--connections", str(connections), "--links", "10", "--stay", "3600",
                        "--brief"]), stdout=subprocess.DEVNULL)
    try:
        while value(scrape(connection, "")[1], 'trunkline_links{direction="out"}') < options.links:
            if crowd.poll() is not None:
                raise SystemExit("the crowd left")
        before = value(scrape(connection, "")[1], "trunkline_worker_turn_max_seconds")
        missed = False
        for name, accept in (("text", "text/plain"), ("OpenMetrics", OPEN_METRICS)):
            times = sorted(scrape(connection, accept)[0] for _ in range(options.scrapes))
            print(f"{name}: median {statistics.median(times) * 1e3:.2f} ms, "
                  f"longest {times[-1] * 1e3:.2f} ms")
            missed |= statistics.median(times) > TARGET_SECONDS
        text = scrape(connection, "")[1]
        turn = value(text, "trunkline_worker_turn_max_seconds")
        print(f"of it here: {value(text, 'trunkline_scrape_duration_seconds') * 1e3:.2f} ms; "
              f"{len(text.splitlines())} lines, {len(text)} bytes")
        print(f"longest turn: {before * 1e3:.2f} ms before, {turn * 1e3:.2f} ms with scrapes")
        missed |= turn > max(before, TARGET_TURN)
        return 1 if options.limits and missed else 0
    finally:
        crowd.terminate()
        crowd.wait()


def connect(port):
    """To the metrics of a router that begins."""
    until = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.connect()
            return connection
        except OSError:
            if time.monotonic() > until:
                raise


def scrape(connection, accept):
    """Seconds and text of one."""
    start = time.monotonic()
    connection.request("GET", "/metrics", headers={"Accept": accept})
    body = connection.getresponse().read()
    return time.monotonic() - start, body.decode()


if __name__ == "__main__":
    main()
