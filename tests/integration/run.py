#!/usr/bin/python3
"""Integration tests: real clients against the real trunkd.

    /usr/bin/python3 tests/integration/run.py --trunkd PATH [--clients DIR] [-k WORD]
        [--workers N] [--jobs N] [--patience SECONDS] [-v]

--clients is where the Proton C++ programs are; without it their tests are skipped. -k runs the
tests whose name has WORD in it; --workers is how many threads of a router carry messages (default:
TRUNKLINE_WORKERS of the environment, or as many as there are processors); --jobs is how many
classes of tests are run at a time, each in a process of its own; --patience is the longest wait for
anything; -v shows the router's log also where all is well. The last line is "N passed,
N failed, N skipped".
"""

import argparse
import concurrent.futures
import contextlib
import io
import multiprocessing
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import harness  # noqa: E402


class LineResult(unittest.TestResult):
    """One line per test; a failure with its trace and the router's log."""

    def __init__(self, verbose):
        super().__init__()
        self.verbose = verbose
        self.passed = self.failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def _line(self, word, test):
        seconds = time.monotonic() - getattr(self, "started", time.monotonic())
        print(f"{word}: {test.id() if hasattr(test, 'id') else test} ({seconds:.1f} s)", flush=True)

    def _fail(self, test, error):
        self.failed += 1
        self._line("FAILED", test)
        print(self._exc_info_to_string(error, test))
        router = getattr(test, "router", None)
        if router is not None:
            print(f"--- log of trunkd\n{router.log(60)}\n---", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("passed", test)
        if self.verbose and getattr(test, "router", None) is not None:
            print(test.router.log(60))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(f"skipped ({reason})", test)


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def run_class(tests, verbose):
    """In a process of its own. What it printed, and the tests that passed, failed, were skipped."""
    result = LineResult(verbose)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        unittest.TestSuite(tests).run(result)
    return printed.getvalue(), (result.passed, result.failed, len(result.skipped))


def run_all(tests, jobs, verbose):
    """The numbers of tests that passed, failed, were skipped."""
    if jobs == 1:
        result = LineResult(verbose)
        unittest.TestSuite(tests).run(result)
        return result.passed, result.failed, len(result.skipped)
    classes = {}
    for test in tests:
        classes.setdefault(type(test), []).append(test)
    counts = [0, 0, 0]
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=fork) as pool:
        running = {pool.submit(run_class, some, verbose): kind for kind, some in classes.items()}
        for ended in concurrent.futures.as_completed(running):
            try:
                printed, more = ended.result()
            except concurrent.futures.process.BrokenProcessPool as error:
                kind = running[ended]
                printed, more = f"FAILED: {kind.__module__}.{kind.__name__}: {error}\n", (0, 1, 0)
            print(printed, end="", flush=True)
            counts = [sum(pair) for pair in zip(counts, more)]
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trunkd", required=True)
    parser.add_argument("--clients", default="")
    parser.add_argument("-k", dest="word", action="append", default=[])
    parser.add_argument("--workers", default=harness.WORKERS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--patience", type=float, default=harness.PATIENCE)
    parser.add_argument("-v", dest="verbose", action="store_true")
    options = parser.parse_args()
    harness.PATIENCE = options.patience
    harness.WORKERS = int(options.workers) if options.workers.isdigit() else options.workers
    harness.TRUNKD = os.path.abspath(options.trunkd)
    harness.CLIENTS = os.path.abspath(options.clients) if options.clients else ""

    suite = unittest.defaultTestLoader.discover(HERE, pattern="*_test.py", top_level_dir=HERE)
    chosen = [test for test in tests_of(suite)
              if not options.word or any(word in test.id() for word in options.word)]
    passed, failed, skipped = run_all(chosen, options.jobs, options.verbose)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
