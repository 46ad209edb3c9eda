#!/usr/bin/python3
"""trunkctl as people see it: the real program, in a terminal, against the real trunkd.

    /usr/bin/python3 tests/cli/run.py --trunkctl PATH --trunkd PATH [-k WORD] [--update]

-k runs the tests whose name has WORD in it. --update writes the screens of tests/cli/golden anew:
look at each of them before it is committed.
"""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

import harness  # noqa: E402
import terminal  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trunkctl", required=True)
    parser.add_argument("--trunkd", required=True)
    parser.add_argument("-k", dest="words", action="append", default=[])
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    harness.TRUNKD = os.path.abspath(options.trunkd)
    harness.WORKERS = 1
    terminal.TRUNKCTL = os.path.abspath(options.trunkctl)
    terminal.UPDATE = options.update
    loader = unittest.TestLoader()
    if options.words:
        loader.testNamePatterns = [f"*{word}*" for word in options.words]
    suite = loader.discover(HERE, pattern="*_test.py", top_level_dir=HERE)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


if __name__ == "__main__":
    main()
