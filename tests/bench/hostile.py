"""Measures what a hostile crowd does to a normal pair of clients at a fixed rate: connections that
say nothing, handshakes that trickle in byte by byte, logins by SCRAM that fail, and connects that
end at once, all together. Calm and hostile runs are interleaved, each against a trunkd of its own;
prints one table of medians, and whether memory, descriptors and threads of the router return to
what they were.

Before and after are taken without any client, before after a calm warm-up of the same pair. After
is as soon as all are back, at most --patience seconds later: the router gives memory back when it
is quiet.
"""

import argparse
import contextlib
import os
import pathlib
import time

import harness
from harness import GENERATOR_LIMIT

COLUMNS = [
    ("messages/s", 10, 0, "per_second"), ("p50 us", 8, 1, "p50_us"), ("p99 us", 8, 1, "p99_us"),
    ("p99.9 us", 9, 1, "p999_us"), ("p99 ratio", 9, 2, "p99_ratio"),
    ("churn/s", 7, 0, "churn_per_second"), ("logins/s", 8, 0, "logins_per_second"),
    ("SCRAM/s", 8, 0, "challenges_per_second"),
    ("standing", 8, 0, "standing"), ("cut/s", 6, 0, "cut_per_second"),
    ("cores", 6, 2, "router_cores"), ("gen cores", 9, 2, "generator_cores"),
]
RETURNS = [
    ("RSS before", 10, 1, "rss_before"), ("during", 7, 1, "rss_during"),
    ("after", 7, 1, "rss_after"), ("fds before", 10, 0, "fds_before"),
    ("during", 7, 0, "fds_during"), ("after", 7, 0, "fds_after"),
    ("threads before", 14, 0, "threads_before"), ("during", 7, 0, "threads_during"),
    ("after", 7, 0, "threads_after"), ("log lines", 9, 0, "log_lines"),
]
LIMITS = {"p99_ratio": ("<=", 3)}
# Resident memory, MiB: what may be left is what the allocator rounds up to.
RETURN_LIMITS = {"rss_left": ("<=", 4), "fds_left": ("<=", 0), "threads_left": ("<=", 0)}


def state(router):
    threads = len(os.listdir(f"/proc/{router.process.pid}/task"))
    return {"rss": router.rss_mib(), "fds": router.sockets(), "threads": threads}


def named(what, moment):
    return {f"{key}_{moment}": value for key, value in what.items()}


def pair(options, router, seconds, warmup):
    return harness.finish(harness.start(options.generator_cpus[:1], [
        options.loadgen, *router.arguments([]), "--senders", "1", "--receivers", "1",
        "--size", "64", "--rate", str(options.rate), "--seconds", str(seconds),
        "--warmup", str(warmup), "--pid", str(router.process.pid)]))


def attack(options, router):
    """The crowd, complete and at its rates."""
    process = harness.start(options.crowd_cpus, [
        options.hostile, *router.arguments([]), "--tls-port", str(router.tls_port),
        "--half-open", str(options.half_open), "--slow", str(options.slow),
        "--logins", str(options.logins), "--churn", str(options.churn),
        "--login-hosts", str(options.login_hosts)])
    if process.stdout.readline() != "attacking\n":
        harness.finish(process)
    return process


def settled(options, router, before):
    """What is left, as soon as it is no more than before, else at the end of all patience."""
    deadline = time.monotonic() + options.patience
    while True:
        now = state(router)
        back = all(now[key] <= before[key] for key in now)
        if back or time.monotonic() > deadline:
            return now
        time.sleep(0.05)


def measure(options, hostile):
    with contextlib.ExitStack() as stack:
        router = harness.Router(options.trunkd, options.workers, options.router_cpus,
                                users=["somebody"])
        stack.callback(router.stop)
        pair(options, router, 0.2, options.warmup)
        router.wait_quiet()
        if not hostile:
            return pair(options, router, options.seconds, options.warmup)
        before = state(router)
        crowd = attack(options, router)
        stack.callback(harness.kill, [crowd])
        row = pair(options, router, options.seconds, options.warmup)
        row |= named(before, "before") | named(state(router), "during")
        attacked = harness.finish(crowd)
        attacked["crowd_cores"] = attacked.pop("generator_cores")
        attacked["crowd_waited"] = attacked.pop("generator_waited")
        after = settled(options, router, before)
        lines = len(router.log().splitlines())
        left = {f"{key}_left": after[key] - before[key] for key in after}
        return row | attacked | named(after, "after") | left | {"log_lines": lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    harness.add_options(parser, ["loadgen", "hostile"])
    parser.add_argument("--crowd-cpus", type=harness.cpu_list,
                        help="default: the last of the generator's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--half-open", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--logins", type=int, default=500)
    parser.add_argument("--login-hosts", type=int, default=64,
                        help="addresses that they come from: failures are limited for each")
    parser.add_argument("--churn", type=int, default=2000)
    parser.add_argument("--patience", type=float, default=30)
    options = parser.parse_args()
    harness.place(options)
    options.crowd_cpus = options.crowd_cpus or options.generator_cpus[-1:]

    calm, hostile = [], []
    for _ in range(options.rounds):
        calm.append(measure(options, False))
        hostile.append(measure(options, True))
    quiet, row = harness.medians(calm), harness.medians(hostile)
    if quiet["p99_us"] > 0:
        row["p99_ratio"] = row["p99_us"] / quiet["p99_us"]
    table = harness.Table(COLUMNS)
    table.row(f"64 B at {options.rate:,}/s", quiet, harness.doubts(quiet))
    notes = harness.verdicts(row, LIMITS) if options.limits else []
    if row["crowd_cores"] > GENERATOR_LIMIT:
        notes.append("the crowd was slower than it should be")
    table.row(f"among {options.half_open:,} + {options.slow:,}, and {options.churn:,}/s", row,
              notes + harness.doubts(row))
    table = harness.Table(RETURNS)
    table.row("router", row, harness.verdicts(row, RETURN_LIMITS) if options.limits else [])
    print(f"workers {options.workers}; router on {options.router_cpus}, the pair on "
          f"{options.generator_cpus[:1]}, the crowd on {options.crowd_cpus}; medians of "
          f"{options.rounds} interleaved runs; RSS in MiB")


if __name__ == "__main__":
    main()
