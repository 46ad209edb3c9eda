#!/usr/bin/python3
"""The interop matrix: clients that others wrote against the real trunkd.

    /usr/bin/python3 tests/interop/run.py --trunkd PATH [--cache DIR] [--jobs N] [-c CLIENT]
        [-k ROW] [--patience SECONDS] [--write] [--trace]

Builds the programs of the clients below --cache (TRUNKLINE_CACHE, ~/.cache/trunkline), runs each
row of rows.py with each column of columns.py, prints the matrix and compares it with the one that
tests/interop/README.md keeps; --write puts it there. -c and -k choose columns and rows (then the
kept matrix is left alone); --patience is the longest wait for a cell; --trace shows what the
clients say, with their frames where they can. A client whose toolchain is missing is not run: all
its cells are counted as skipped. The last line is "N passed, N failed, N skipped".
"""

import argparse
import collections
import concurrent.futures
import fcntl
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import cell  # noqa: E402
import columns  # noqa: E402
import harness  # noqa: E402
import matrix  # noqa: E402
from rows import ROWS  # noqa: E402
from stage import Stage  # noqa: E402

TRACE = {"PN_TRACE_FRM": "1", "DEBUG": "rhea:frames", "DEBUG_LEVEL": "3"}


class Run:
    """Builds, runs and counts."""

    def __init__(self, options):
        self.options = options
        self.environment = {**os.environ, **(TRACE if options.trace else {})}
        self.rows = chosen(ROWS, options.row)
        self.columns = chosen(columns.COLUMNS, options.client)
        self.matrix = matrix.Matrix(self.rows, self.columns)
        self.counts = collections.Counter()
        self.lock = threading.Lock()

    def build(self):
        cache = columns.Cache(self.options.cache, self.options.jobs)
        for column in self.columns:
            started = time.monotonic()
            try:
                column.command = column.build(cache)
                print(f"built: {column.title} ({time.monotonic() - started:.1f} s)", flush=True)
            except columns.Missing as missing:
                column.absent = f"not run (needs {missing})"
                print(f"skipped: {column.title}: {column.absent}", flush=True)
            except columns.BuildFailed as error:
                self.count("failed")
                print(f"FAILED: build of {column.title}\n{error}", flush=True)

    def run(self):
        stage = Stage()
        self.environment.update(stage.environment)
        try:
            # Two cells at a time, the columns in turns: most of a cell is waiting.
            with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
                for row in self.rows:
                    for column in self.columns:
                        pool.submit(self.cell, stage, row, column)
        finally:
            status = stage.close()
        if status != 0:
            self.count("failed")
            print(f"FAILED: trunkd ended with status {status}\n{stage.router.log(60)}")

    def cell(self, stage, row, column):
        try:
            self.judge(stage, row, column)
        except Exception as error:  # a mistake of the runner must not pass for a cell not run
            self.fail(row, column, f"{type(error).__name__}: {error}", 0.0)

    def judge(self, stage, row, column):
        if row.name in column.lacks:
            self.count("lacking")
            self.matrix.put(row, column, matrix.LACKS)
            return
        absent = column.absent if column.command is None else stage.absent(row)
        if absent:
            self.count("skipped")
            self.matrix.put(row, column, matrix.NOT_RUN, absent)
            return
        started = time.monotonic()
        try:
            cell.run(column, row, stage, self.environment, self.options.trace)
        except cell.Failed as error:
            self.fail(row, column, str(error), time.monotonic() - started)
            return
        self.count("passed")
        self.matrix.put(row, column, matrix.PASSED)
        print(f"passed: {column.name} {row.name} ({time.monotonic() - started:.1f} s)", flush=True)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def fail(self, row, column, reason, seconds):
        self.count("failed")
        self.matrix.put(row, column, matrix.FAILED, reason)
        print(f"FAILED: {column.name} {row.name} ({seconds:.1f} s): {reason}", flush=True)

    def report(self):
        table = self.matrix.table()
        print(f"\n{table}")
        if self.options.write:
            matrix.keep(table)
        elif not (self.options.row or self.options.client):
            self.compare()
        counts = self.counts
        print(f"{counts['lacking']} cells that a client has no means for (–, with footnotes)")
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")

    def compare(self):
        """The kept matrix must say what this run has shown, for the clients that were run."""
        here = [column for column in self.columns if column.command is not None]
        differing = matrix.differences(matrix.kept(), self.matrix, here)
        if differing:
            self.count("failed")
            print("FAILED: README.md keeps another matrix (--write keeps this one):")
            print("\n".join(differing))
        else:
            self.count("passed")
            print("passed: README.md keeps this matrix")


def chosen(things, words):
    found = [thing for thing in things if not words or thing.name in words]
    unknown = set(words) - {thing.name for thing in things}
    if unknown:
        sys.exit(f"run.py: no {', '.join(sorted(unknown))}; there are: "
                 + ", ".join(thing.name for thing in things))
    return found


def main():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = os.environ.get("TRUNKLINE_CACHE") or os.path.join(home, "trunkline")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trunkd", required=True)
    parser.add_argument("--cache", default=cache)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-c", dest="client", action="append", default=[])
    parser.add_argument("-k", dest="row", action="append", default=[])
    parser.add_argument("--patience", type=float, default=cell.PATIENCE)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    harness.TRUNKD = os.path.abspath(options.trunkd)
    cell.PATIENCE = options.patience
    run = Run(options)
    lock = open(columns.lock_file(options.cache), "w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)  # until the end: nobody else rebuilds what is running here
    run.build()
    run.run()
    run.report()
    sys.exit(0 if not run.counts["failed"] and run.counts["passed"] else 1)


if __name__ == "__main__":
    main()
