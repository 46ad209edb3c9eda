"""Measures what a 100 MiB message and a crowd of TLS connects, at once, do to small messages at a
fixed rate. Undisturbed and disturbed runs are interleaved, each against a trunkd of its own; prints
one table of medians.

The small messages are measured from the moment the others start until the last of them is done;
undisturbed for as long. The longest turn of a worker is what trunkd logs when it stops, so it spans
start, warm-up and closing as well; "-" if it does not say.
"""

import argparse
import re
import time

import harness
from harness import GENERATOR_LIMIT

COLUMNS = [
    ("messages/s", 10, 0, "per_second"), ("p50 us", 8, 1, "p50_us"), ("p99 us", 8, 1, "p99_us"),
    ("p99.9 us", 9, 1, "p999_us"), ("p99 ratio", 9, 2, "p99_ratio"),
    ("turn ms", 8, 2, "longest_turn_ms"), ("cores", 6, 2, "router_cores"),
    ("gen cores", 9, 2, "generator_cores"), ("seconds", 8, 2, "seconds"),
    ("connects s", 10, 2, "connects_s"), ("stream s", 9, 2, "stream_s"),
]
LIMITS = {"p99_ratio": ("<=", 3), "longest_turn_ms": ("<=", 5)}


def small(options, router):
    """Small messages, warm and measured from now on."""
    process = harness.start(options.generator_cpus[:1], [
        options.loadgen, *router.arguments([]), "--size", "64", "--rate", str(options.rate),
        "--until-eof", "--warmup", str(options.warmup), "--pid", str(router.process.pid),
        "--shift", str(options.shift)])
    if process.stdout.readline() != "measuring\n":
        harness.finish(process)
    return process


def disturb(options, router):
    """Everything at once; returns when the last is done."""
    crowd = harness.start(options.disturber_cpus, [
        options.crowd, *router.arguments(["--tls"]), "--connections", str(options.connects),
        "--brief", "--pid", str(router.process.pid)])
    try:
        stream = harness.finish(harness.start(options.disturber_cpus, [
            options.loadgen, *router.arguments([]), "--senders", "1", "--receivers", "1", "--size",
            str(options.stream_mib << 20), "--messages", "1", "--warmup", "0", "--address",
            "stream"]))
        return {"connects_s": harness.finish(crowd)["seconds"], "stream_s": stream["seconds"]}
    finally:
        harness.kill([crowd])


def measure(options, seconds):
    """One run: disturbed if `seconds` is None, else for so long."""
    router = harness.Router(options.trunkd, options.workers, options.router_cpus,
                            levels=", net: info, router: info")
    left = []
    try:
        left.append(small(options, router))
        others = {}
        if seconds is None:
            others = disturb(options, router)
        else:
            time.sleep(seconds)
        row = harness.finish(left[0]) | others
    finally:
        harness.kill(left)
        log = router.stop()
    turns = [int(us) for us in re.findall(r"longest_turn_us\W+(\d+)", log)]
    return row | ({"longest_turn_ms": max(turns) / 1e3} if turns else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    harness.add_options(parser, ["loadgen", "crowd"])
    parser.add_argument("--disturber-cpus", type=harness.cpu_list,
                        help="default: the last of the generator's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rate", type=int, default=40000)
    parser.add_argument("--shift", type=int, default=0, help="1: pairs across two workers")
    parser.add_argument("--connects", type=int, default=2000)
    parser.add_argument("--stream-mib", type=int, default=100)
    options = parser.parse_args()
    harness.place(options)
    options.disturber_cpus = options.disturber_cpus or options.generator_cpus[-1:]

    table = harness.Table(COLUMNS)
    calm, mixed = [], []
    for _ in range(options.rounds):
        mixed.append(measure(options, None))
        calm.append(measure(options, mixed[-1]["seconds"]))
    quiet, row = harness.medians(calm), harness.medians(mixed)
    if quiet["p99_us"] > 0:
        row["p99_ratio"] = row["p99_us"] / quiet["p99_us"]
    notes = harness.verdicts(row, LIMITS) if options.limits else []
    notes += harness.doubts(row)
    table.row(f"64 B at {options.rate:,}/s", quiet, harness.doubts(quiet))
    table.row(f"with {options.stream_mib} MiB, {options.connects:,} TLS connects", row, notes)
    print(f"workers {options.workers}; router on {options.router_cpus}, small messages on "
          f"{options.generator_cpus[:1]}, the others on {options.disturber_cpus}; medians of "
          f"{options.rounds} interleaved runs; valid if the generator needs at most "
          f"{GENERATOR_LIMIT} cores")


if __name__ == "__main__":
    main()
