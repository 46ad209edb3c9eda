"""Prints "N passed, N failed, N skipped" for a JUnit file of ctest. A case that left a file of
GoogleTest's in the folder of results counts as the tests in it:

    count_junit.py CTEST.xml RESULTS
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def tests_of(case, results):
    """Passed, failed and skipped tests of a case of ctest."""
    failed = case.find("failure") is not None
    skipped = case.find("skipped") is not None or case.get("status") in ("disabled", "notrun")
    path = os.path.join(results, case.get("name").replace("/", "_") + ".xml")
    if not os.path.exists(path):
        return (int(not failed and not skipped), int(failed), int(skipped and not failed))
    tests = ElementTree.parse(path).getroot().findall("testsuite/testcase")
    failures = sum(test.find("failure") is not None for test in tests)
    left_out = sum(test.get("result") in ("skipped", "suppressed") for test in tests)
    # One that ended badly after its tests, as by a leak, has failed as well.
    return (len(tests) - failures - left_out, max(failures, int(failed)), left_out)


cases = ElementTree.parse(sys.argv[1]).getroot().findall("testcase")
passed, failed, skipped = (sum(each) for each in zip(*(tests_of(c, sys.argv[2]) for c in cases)))
print(f"{passed} passed, {failed} failed, {skipped} skipped")
