"""What `cmake --install` lays out: packaging_test.py CMAKE BUILD TRUNKD"""

import gzip
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

CMAKE = BUILD = TRUNKD = None


class PackagingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.install()

    def install(self):
        subprocess.run(["env", f"DESTDIR={self.root}", CMAKE, "--install", BUILD, "--prefix",
                        "/usr"], check=True,
                       capture_output=True)

    def test_the_unit_names_files_that_are_installed(self):
        unit = (self.root / "lib/systemd/system/trunkline.service").read_text()
        commands = re.findall(r"^Exec\w+=(/usr/bin/trunkd) .*?(/etc/\S+)$", unit, re.MULTILINE)
        self.assertEqual(len(commands), 2)
        for named in commands:
            for file in named:
                self.assertTrue((self.root / file[1:]).is_file(), file)

    def test_the_configuration_of_the_service_is_good(self):
        file = self.root / "etc/trunkline/trunkline.yaml"
        result = subprocess.run([TRUNKD, "--check-config", file], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_second_install_keeps_the_configuration(self):
        file = self.root / "etc/trunkline/trunkline.yaml"
        file.write_text("the operator's")
        self.install()
        self.assertEqual(file.read_text(), "the operator's")

    def test_the_manual_page_has_every_option(self):
        usage = subprocess.run([TRUNKD, "--help"], capture_output=True, text=True).stdout
        options = re.findall(r"^ +(?:-\w, +)?(--[\w-]+)", usage, re.MULTILINE)
        self.assertGreaterEqual(len(options), 6)
        page = gzip.open(self.root / "usr/share/man/man8/trunkd.8.gz", "rt").read()
        for option in options:
            self.assertIn(option.replace("-", "\\-"), page)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    CMAKE, BUILD, TRUNKD = sys.argv[1:4]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
