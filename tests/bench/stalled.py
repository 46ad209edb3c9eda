"""Measures what consumers that stall cost: 1, 100 and 1,000 links with unread 1 MiB messages, their
senders at full speed. Each row has a trunkd of its own and prints its resident memory beside the
formula that bounds it, and what the others notice: a pair at 1,000 messages/s (alone, while the
senders fill what there is, and then), the delay of flows that blocked senders ask for, and the
longest silence towards them (they declare an idle time-out of 1,000 ms). A last row has senders
without consumers: no link may have credit, and nothing may grow.

Formula, above the memory before (everything is attached then):
  links x (4 session windows, the most that a first window lets in, + output of the consumer's
  connection up to its high-water mark + one quantum + two blocks that are partly used),
  at most the budget of the process, + the free blocks that each worker keeps.
"""

import argparse
import math
import re

import harness

KIB = 1 / 1024
WINDOW_MIB, OUTPUT_MIB, QUANTUM_MIB, BLOCK_MIB, FREE_MIB = 1, 256 * KIB, 64 * KIB, 64 * KIB, 4
IDLE_TIMEOUT_MS = 1000

COLUMNS = [
    ("formula MiB", 11, 0, "formula_mib"), ("RSS MiB", 8, 1, "rss_peak_mib"),
    ("before", 7, 1, "rss_before_mib"), ("MiB/link", 8, 2, "per_link_mib"),
    ("fill s", 6, 2, "fill_seconds"), ("p99 alone", 9, 0, "alone_us"),
    ("filling", 9, 0, "filling_us"), ("stalled us", 10, 0, "stalled_us"),
    ("flow p50 ms", 11, 2, "flow_p50_ms"), ("max", 7, 2, "flow_max_ms"),
    ("silence ms", 10, 0, "silence_max_ms"), ("credit", 6, 0, "credit_links"),
    ("gen cores", 9, 2, "generator_cores"),
]


def budget_mib(log):
    """The budget of the process, as trunkd tells when it starts."""
    told = re.search(r"memory_budget_bytes\W+(\d+)", log)
    return int(told.group(1)) / 2**20 if told else math.inf


def formula_mib(row, links, workers):
    each = 4 * WINDOW_MIB + OUTPUT_MIB + QUANTUM_MIB + 2 * BLOCK_MIB
    return row["rss_before_mib"] + min(links * each, row["budget_mib"]) + workers * FREE_MIB


def pair(options, router):
    """A sender and a receiver at a fixed rate, measured until it is finished."""
    process = harness.start(options.generator_cpus[-1:], [
        options.loadgen, *router.arguments([]), "--senders", "1", "--receivers", "1", "--rate",
        str(options.rate), "--warmup", "0.2", "--until-eof"])
    if process.stdout.readline() != "measuring\n":
        harness.finish(process)
    return process


def alone(options, router):
    process = harness.start(options.generator_cpus[-1:], [
        options.loadgen, *router.arguments([]), "--senders", "1", "--receivers", "1", "--rate",
        str(options.rate), "--warmup", "0.2", "--seconds", str(options.seconds)])
    return harness.finish(process)["p99_us"]


def measure(options, links, extra):
    router = harness.Router(options.trunkd, options.workers, options.router_cpus,
                            levels=", router: info")
    started = []
    try:
        row = {"alone_us": alone(options, router)}
        router.wait_quiet()
        started.append(pair(options, router))
        stalled = harness.start(options.generator_cpus[:1], [
            options.stalled, *router.arguments([]), "--pid", str(router.process.pid), "--links",
            str(links), "--seconds", str(options.seconds), *extra])
        started.append(stalled)
        if stalled.stdout.readline() != "filled\n":
            harness.finish(stalled)
        row["filling_us"] = harness.finish(started[0])["p99_us"]
        started.append(pair(options, router))
        row |= harness.finish(stalled)
        row["stalled_us"] = harness.finish(started[2])["p99_us"]
    finally:
        harness.kill(started)
        log = router.stop()
    row["budget_mib"] = budget_mib(log)
    row["per_link_mib"] = (row["rss_peak_mib"] - row["rss_before_mib"]) / links
    return row


def notes_of(options, row, limits):
    notes = harness.verdicts(row, limits) if options.limits else []
    notes += harness.doubts(row)
    if not row["still"]:
        notes.append("never came to rest")
    if row["unanswered"]:
        notes.append(f"{row['unanswered']:.0f} flows were not answered")
    return notes


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    harness.add_options(parser, ["loadgen", "stalled"])
    parser.add_argument("--links", type=lambda text: [int(n) for n in text.split(",")],
                        default=[1, 100, 1000])
    parser.add_argument("--rate", type=int, default=1000, help="of the pair")
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    harness.place(options)

    table = harness.Table(COLUMNS, name_width=24)
    for links in options.links:
        row = measure(options, links, [])
        row["formula_mib"] = formula_mib(row, links, options.workers)
        table.row(f"{links:,} stalled", row, notes_of(options, row, {
            "rss_peak_mib": ("<=", row["formula_mib"]), "unanswered": ("<=", 0),
            "silence_max_ms": ("<=", IDLE_TIMEOUT_MS)}))
    links = min(100, max(options.links))
    row = measure(options, links, ["--no-consumer"])
    row["formula_mib"] = row["rss_before_mib"] + 1  # of the noise of a process
    table.row(f"{links:,} without consumer", row, notes_of(options, row, {
        "rss_peak_mib": ("<=", row["formula_mib"]), "credit_links": ("<=", 0),
        "sent_mib": ("<=", 0), "silence_max_ms": ("<=", IDLE_TIMEOUT_MS)}))
    print(f"workers {options.workers}; router on {options.router_cpus}, stalled clients on "
          f"{options.generator_cpus[:1]}, pair of {options.rate:,}/s on "
          f"{options.generator_cpus[-1:]}; formula per link: 4 x {WINDOW_MIB} + {OUTPUT_MIB:g} + "
          f"{QUANTUM_MIB:g} + 2 x {BLOCK_MIB:g} MiB, at most {row['budget_mib']:.0f} MiB, "
          f"+ {FREE_MIB} MiB per worker")


if __name__ == "__main__":
    main()
