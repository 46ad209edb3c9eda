#!/usr/bin/python3
"""What listing all links over the API takes while messages are carried, and does to them.

    /usr/bin/python3 tests/bench/observe.py --trunkd PATH --crowd PATH --loadgen PATH
        [--links 10000] [--rate 5000] [--lists 20]

A crowd of clients attaches the links and stays; small messages go at a fixed rate. Then all links
are listed again and again, page by page, over the unix socket. Told are the times as the client
sees them, how many turns of the workers were long meanwhile, and the latency of the messages with
and without. Exit status 1 if --limits is given and a turn with lists took longer than 5 ms.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from api_client import Api  # noqa: E402  (it is the tests')

LONG = {"1 ms": 1_000_000, "2.5 ms": 2_500_000, "5 ms": 5_000_000}  # bounds of the histogram


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    harness.add_options(parser, ["crowd", "loadgen"])
    parser.add_argument("--links", type=int, default=10000)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--lists", type=int, default=20)
    options = parser.parse_args()
    harness.place(options)
    with tempfile.TemporaryDirectory() as folder:
        port, socket = harness.free_port(), os.path.join(folder, "control.sock")
        config = os.path.join(folder, "trunkline.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"""
router: {{id: bench, workers: {options.workers}}}
log: {{levels: {{default: warning}}}}
control: {{socket: {socket}}}
listeners: [{{name: plain, host: 127.0.0.1, port: {port}, max_unopened_per_address: 100000}}]
""")
        router = subprocess.Popen(
            harness.pinned(options.router_cpus, [options.trunkd, "--config", config]))
        try:
            sys.exit(measure(options, router, port, connect(socket)))
        finally:
            router.terminate()
            router.wait()


def connect(socket):
    """To the API of a router that begins."""
    until = time.monotonic() + 30
    while not os.path.exists(socket):
        if time.monotonic() > until:
            raise SystemExit("no API")
        time.sleep(0.05)
    return Api(f"unix:{socket}", patience=60)


def stats(api):
    return api.call("StatsService/GetStats").router


def measure(options, router, port, api):
    crowd = subprocess.Popen(
        harness.pinned(options.generator_cpus,
                       [options.crowd, "--port", str(port), "--pid", str(router.pid),
                        "--connections", str(options.links // 10), "--links", "10",
                        "--stay", "3600", "--brief"]), stdout=subprocess.DEVNULL)
    load = None
    try:
        while stats(api).links_out < options.links:
            if crowd.poll() is not None:
                raise SystemExit("the crowd left")
            time.sleep(0.1)
        rows = {}
        for name, lists in (("undisturbed", 0), ("with lists", options.lists)):
            load = harness.send(options, port)
            before = stats(api)
            times = [time_of_all(api, options.links) for _ in range(lists)]
            if not times:
                time.sleep(5)
            rows[name] = harness.finish(load) | turns(before, stats(api))
            load = None
            tell(name, rows[name], times)
        return 1 if options.limits and rows["with lists"]["5 ms"] > 0 else 0
    finally:
        harness.kill([load] if load else [])
        crowd.terminate()
        crowd.wait()


def time_of_all(api, expected):
    """Seconds until the first page and until the last."""
    start, first, seen, token = time.monotonic(), None, 0, ""
    while True:
        reply = api.call("ConnectionService/ListLinks", parent="connections/-", pageSize=1000,
                         pageToken=token)
        first = first or time.monotonic() - start
        seen, token = seen + len(reply.links), reply.next_page_token
        if not token:
            break
    if seen < expected:
        raise SystemExit(f"{seen} links instead of {expected}")
    return first, time.monotonic() - start


def turns(before, now):
    """How many there were, and how many were longer than each of LONG."""
    spread = now.turn_duration
    counts = [b - a for a, b in zip(before.turn_duration.counts, spread.counts)]
    return {"turns": sum(counts)} | {
        name: sum(counts[list(spread.bounds).index(bound) + 1:]) for name, bound in LONG.items()}


def tell(name, row, times):
    print(f"{name}: {row['per_second']:.0f} messages/s, p50 {row['p50_us']:.0f} us, "
          f"p99 {row['p99_us']:.0f} us; {row['turns']} turns, "
          + ", ".join(f"{row[name]} above {name}" for name in LONG))
    if times:
        firsts, alls = zip(*times)
        print(f"  first page of 1000: median {statistics.median(firsts) * 1e3:.0f} ms; "
              f"all: median {statistics.median(alls) * 1e3:.0f} ms, "
              f"longest {max(alls) * 1e3:.0f} ms, of {len(times)}")


if __name__ == "__main__":
    main()
