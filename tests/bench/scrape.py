#!/usr/bin/python3
"""How long a scrape of /metrics takes with many links, and what it does to the router's turns.

    python3 tests/bench/scrape.py --trunkd PATH --crowd PATH --loadgen PATH [--links 10000]
        [--rate 5000] [--scrapes 500]

A crowd of clients attaches the links and stays, while messages are sent at a fixed rate. Then
/metrics is read again and again, in both formats, between two times as long without; told are the
median and the longest as the client sees them, what the router says itself, the latency of the
messages, and how many turns of the workers were long, with scrapes and without. Exit status 1 if
--limits is given and a target missed: a scrape took longer than 20 ms (the median), or a turn with
scrapes took longer than 5 ms and none did without.
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
LONG = {"1 ms": "0.001", "2.5 ms": "0.0025", "5 ms": "0.005"}  # bounds of the histogram of turns
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


def value(text, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    harness.add_options(parser, ["crowd", "loadgen"])
    parser.add_argument("--links", type=int, default=10000)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--scrapes", type=int, default=500)
    options = parser.parse_args()
    harness.place(options)
    port, metrics = harness.free_port(), harness.free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(f"""
router: {{id: bench, workers: {options.workers}}}
log: {{levels: {{default: warning}}}}
metrics: {{port: {metrics}}}
listeners: [{{name: plain, host: 127.0.0.1, port: {port}, max_unopened_per_address: 100000,
             idle_timeout: 0s}}]  # the crowd says nothing
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
    crowd = subprocess.Popen(
        harness.pinned(options.generator_cpus,
                       [options.crowd, "--port", str(port), "--pid", str(router.pid),
                        "--connections", str(options.links // 10), "--links", "10",
                        "--stay", "3600", "--brief"]), stdout=subprocess.DEVNULL)
    loads = []
    try:
        while value(scrape(connection, "")[1], 'trunkline_links{direction="out"}') < options.links:
            if crowd.poll() is not None:
                raise SystemExit("the crowd left")
        rows = {}
        for name, accept in (("without", None), ("text", "text/plain"),
                             ("OpenMetrics", OPEN_METRICS), ("without again", None)):
            loads.append(harness.send(options, port))
            before = turns(connection)
            times = [timed(connection, accept) for _ in range(options.scrapes)]
            rows[name] = turns(connection, before)
            tell(name, rows[name], harness.finish(loads.pop()), times)
        text = scrape(connection, "")[1]
        if value(text, 'trunkline_links{direction="out"}') < options.links:
            raise SystemExit("the crowd left")
        last = value(text, "trunkline_scrape_duration_seconds")
        print(f"the last one here: {last * 1e3:.2f} ms; {len(text.splitlines())} lines, "
              f"{len(text)} bytes")
        return 1 if options.limits and missed(rows) else 0
    finally:
        harness.kill(loads)
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


def timed(connection, accept):
    """Seconds of a scrape, one in ten milliseconds; 0 without `accept`, which is none."""
    seconds = scrape(connection, accept)[0] if accept else 0
    time.sleep(max(0.0, 0.01 - seconds))
    return seconds


def turns(connection, before=None):
    """How many there were since `before`, and how many were longer than each of LONG."""
    text = scrape(connection, "")[1]
    lag = "trunkline_worker_loop_lag_seconds_"
    now = {"turns": value(text, lag + "count")} | {
        name: value(text, lag + "count") - value(text, f'{lag}bucket{{le="{bound}"}}')
        for name, bound in LONG.items()}
    return {name: count - (before or {}).get(name, 0) for name, count in now.items()}


def tell(name, row, load, times):
    row["median"] = statistics.median(times)
    print(f"{name}: {load['per_second']:.0f} messages/s, p50 {load['p50_us']:.0f} us, "
          f"p99 {load['p99_us']:.0f} us; {row['turns']:.0f} turns, "
          + ", ".join(f"{row[name]:.0f} above {name}" for name in LONG))
    if any(times):
        print(f"  scrape: median {row['median'] * 1e3:.2f} ms, longest {max(times) * 1e3:.2f} ms, "
              f"of {len(times)}")


def missed(rows):
    scraped = [row for row in rows.values() if row["median"] > 0]
    quiet = [row for row in rows.values() if row["median"] == 0]
    return (any(row["median"] > TARGET_SECONDS for row in scraped)
            or any(row["5 ms"] > 0 for row in scraped) and not any(row["5 ms"] for row in quiet))


if __name__ == "__main__":
    main()
