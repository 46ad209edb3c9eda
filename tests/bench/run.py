"""Measures trunkd against a plain TCP relay, interleaved, and prints one table of medians.

Figures per message: CPU of the whole router process (user + system, all threads, from schedstat).
The relay is the floor: the same bytes, no thought, one thread. A round is valid when the relay's
64 B figure and the generator's own CPU are within the limits printed below the table.

With --workers 2 or more, pairs of a sender and a receiver are on one worker ("aligned") or on two
("across"), and a last row compares the throughput of eight pairs with that of one worker.
"""

import argparse
import dataclasses

import harness
from harness import GENERATOR_LIMIT

RELAY_LIMIT_US = 0.08
LOSS_TOLD = 0.01  # share of what was sent from which on it is told


@dataclasses.dataclass
class Case:
    name: str
    arguments: list
    relay: bool = True      # measured against the relay too
    gain: bool = False      # measured against a router with one worker
    limits: dict = dataclasses.field(default_factory=dict)


def at_most(**targets):
    return {key: ("<=", target) for key, target in targets.items()}


SMALL, PAIR = ["--size", "64"], ["--senders", "1", "--receivers", "1"]
FIXED = SMALL + ["--rate", "40000"]
ACROSS = ["--shift", "1"]

ONE_WORKER = [
    Case("64 B unsettled 4->4", SMALL, limits=at_most(cpu_us=0.65)),
    Case("64 B pre-settled 4->4", SMALL + ["--settled"], limits=at_most(cpu_us=0.45)),
    Case("64 B unsettled 1->1", SMALL + PAIR),
    Case("64 B unsettled 4->4, one address", SMALL + ["--one-address"], relay=False),
    Case("1 KiB unsettled 4->4", ["--size", "1024"], limits=at_most(ratio=3.5)),
    Case("64 KiB unsettled 4->4", ["--size", "65536", "--threads", "2"], limits=at_most(ratio=1.2)),
    Case("64 B at 40,000/s", FIXED, limits=at_most(p99_ratio=1.5, ratio=1.3)),
    Case("1 KiB TLS 1.3 4->4", ["--size", "1024", "--tls"], relay=False),
]

MANY_WORKERS = [
    Case("64 B unsettled 4->4, aligned", SMALL, limits=at_most(cpu_us=0.9)),
    Case("64 B unsettled 4->4, across", SMALL + ACROSS, limits=at_most(cpu_us=0.9)),
    Case("64 B pre-settled 4->4, across", SMALL + ACROSS + ["--settled"]),
    Case("64 B unsettled 4->4, one address", SMALL + ["--one-address"], relay=False),
    Case("1 KiB unsettled 4->4, aligned", ["--size", "1024"], limits=at_most(ratio=4.5)),
    Case("1 KiB unsettled 4->4, across", ["--size", "1024"] + ACROSS, limits=at_most(ratio=4.5)),
    Case("64 KiB unsettled 4->4, across", ["--size", "65536", "--threads", "2"] + ACROSS),
    Case("64 B at 40,000/s, aligned", FIXED, limits=at_most(p99_ratio=3, ratio=1.6)),
    Case("64 B at 40,000/s, across", FIXED + ACROSS, limits=at_most(p99_ratio=3, ratio=1.6)),
    Case("64 B unsettled 8->8, aligned", SMALL + ["--senders", "8", "--receivers", "8",
                                                  "--threads", "2"],
         relay=False, gain=True, limits={"gain": (">=", 1.6)}),
]

COLUMNS = [
    ("messages/s", 11, 0, "per_second"), ("CPU us", 7, 3, "cpu_us"),
    ("relay us", 8, 3, "relay cpu_us"), ("ratio", 6, 2, "ratio"), ("p50 us", 8, 1, "p50_us"),
    ("p99 us", 8, 1, "p99_us"), ("p99.9 us", 9, 1, "p999_us"),
    ("relay p99", 9, 1, "relay p99_us"), ("cores", 6, 2, "router_cores"),
    ("gen cores", 9, 2, "generator_cores"), ("RSS MiB", 8, 1, "rss_mib"),
    ("gain", 5, 2, "gain"),
]


def measure(options, peer, case):
    peer.wait_quiet()
    cpus = options.generator_cpus if "--threads" in case.arguments else options.generator_cpus[:1]
    return harness.finish(harness.start(cpus, [
        options.loadgen, *peer.arguments(case.arguments), "--pid", str(peer.process.pid),
        "--seconds", str(options.seconds), "--warmup", str(min(1, options.seconds))]))


def row_of(mine, floor, single):
    row = harness.medians(mine)
    row |= {f"relay {key}": value for key, value in harness.medians(floor).items()}
    if floor and row["relay cpu_us"] > 0:
        row["ratio"] = row["cpu_us"] / row["relay cpu_us"]
    if floor and row["relay p99_us"] > 0:
        row["p99_ratio"] = row["p99_us"] / row["relay p99_us"]
    if single:
        row["gain"] = row["per_second"] / harness.median(single, "per_second")
    return row


def notes_of(options, case, row, single):
    notes = harness.verdicts(row, case.limits) if options.limits else []
    if single:
        notes.append(f"one worker {harness.median(single, 'per_second'):.0f}/s "
                     f"at {harness.median(single, 'router_cores'):.2f} cores")
    if row["messages"] < row["sent"] * (1 - LOSS_TOLD):
        notes.append(f"{1 - row['messages'] / row['sent']:.1%} dropped or still under way")
    return notes + harness.doubts(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    harness.add_options(parser, ["loadgen", "relay"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    options = parser.parse_args()
    harness.place(options)
    cases = [c for c in (ONE_WORKER if options.workers == 1 else MANY_WORKERS)
             if options.only in c.name]

    peers = [harness.Router(options.trunkd, options.workers, options.router_cpus)]
    try:
        peers.append(harness.Relay(options.relay, options.router_cpus))
        if any(case.gain for case in cases):
            peers.append(harness.Router(options.trunkd, 1, options.router_cpus))
        table = harness.Table(COLUMNS)
        for case in cases:
            rounds = [[], [], []]
            for _ in range(options.rounds):
                for peer, wanted, results in zip(peers, (True, case.relay, case.gain), rounds):
                    if wanted:
                        results.append(measure(options, peer, case))
            row = row_of(*rounds)
            table.row(case.name, row, notes_of(options, case, row, rounds[2]))
        print(f"workers {options.workers}; router on {options.router_cpus}, generator on "
              f"{options.generator_cpus}; valid if the relay needs at most {RELAY_LIMIT_US} us at "
              f"64 B and the generator at most {GENERATOR_LIMIT} cores, and nothing is "
              "NOISY; latencies mean something at a fixed rate only")
    finally:
        harness.stop_all(peers)


if __name__ == "__main__":
    main()
