"""Prints "N passed, N failed, N skipped" for a JUnit file of ctest."""

import sys
import xml.etree.ElementTree as ElementTree

suite = ElementTree.parse(sys.argv[1]).getroot()
tests, failed = int(suite.get("tests")), int(suite.get("failures"))
skipped = int(suite.get("skipped")) + int(suite.get("disabled"))
print(f"{tests - failed - skipped} passed, {failed} failed, {skipped} skipped")
