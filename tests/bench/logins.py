"""Measures what it takes until a crowd of clients is back that lost its router: all connect, log
in, open and attach a receiver. Anonymously, by SCRAM-SHA-256 for the first time, and once more,
each round against a trunkd of its own; prints one table of medians. What a login by SCRAM costs is
the difference to the anonymous row.
"""

import argparse
import contextlib

import harness
from harness import GENERATOR_LIMIT

COLUMNS = [
    ("clients/s", 9, 0, "per_second"), ("seconds", 8, 2, "seconds"),
    ("CPU us each", 11, 1, "cpu_us"), ("login us", 8, 1, "login_us"), ("refused", 7, 0, "refused"),
    ("gen cores", 9, 2, "generator_cores"),
]
# CPU of the router for each login by SCRAM whose keys are made, in microseconds.
LIMITS = {"login_us": ("<=", 300)}


def crowd(options, router, users):
    """Of all connections, of which so many at a time are not attached yet."""
    row = harness.finish(harness.start(options.generator_cpus[:1], [
        options.crowd, *router.arguments([]), "--pid", str(router.process.pid), "--brief",
        "--connections", str(options.connections), "--at-once", str(options.at_once),
        "--users", str(users), "--hosts", "16"]))
    router.wait_quiet()
    return row


def measure(options):
    with contextlib.ExitStack() as stack:
        router = harness.Router(options.trunkd, options.workers, options.router_cpus,
                                users=[f"user{i}" for i in range(options.users)])
        stack.callback(router.stop)
        crowd(options, router, 0)  # memory is there for the others
        rows = [crowd(options, router, users) for users in (0, options.users, options.users)]
        for row in rows[1:]:
            row["login_us"] = row["cpu_us"] - rows[0]["cpu_us"]
        return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    harness.add_options(parser, ["crowd"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--at-once", type=int, default=10000)
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    harness.place(options)

    rounds = [measure(options) for _ in range(options.rounds)]
    table = harness.Table(COLUMNS)
    names = ("anonymous", "SCRAM-SHA-256, first", "SCRAM-SHA-256, again")
    for number, name in enumerate(names):
        row = harness.medians([rows[number] for rows in rounds])
        notes = []
        if row["generator_cores"] > GENERATOR_LIMIT:
            notes.append("the generator was the limit")
        if options.limits and number == 2:
            notes += harness.verdicts(row, LIMITS)
        table.row(name, row, notes)
    print(f"workers {options.workers}; router on {options.router_cpus}, the crowd on "
          f"{options.generator_cpus[:1]}; {options.connections:,} clients, {options.at_once:,} at "
          f"once, {options.users:,} users; medians of {options.rounds} rounds")


if __name__ == "__main__":
    main()
