"""What `cmake --install` lays out: packaging_test.py CMAKE BUILD TRUNKD TRUNKCTL"""

import gzip
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

CMAKE = BUILD = TRUNKD = TRUNKCTL = None
SOURCE = pathlib.Path(__file__).resolve().parents[3]


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

    def test_the_unit_permits_what_threads_call(self):
        unit = (self.root / "lib/systemd/system/trunkline.service").read_text()
        permitted = re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE)[-1].split()
        source = (SOURCE / "router/base/thread.cc").read_text()
        called = re.findall(r"SYS_(\w+)|\b(setpriority)\(", source)
        self.assertEqual(len(called), 2)
        for names in called:
            self.assertIn(max(names), permitted)

    def test_the_configuration_of_the_service_is_good(self):
        file = self.root / "etc/trunkline/trunkline.yaml"
        result = subprocess.run([TRUNKD, "--check-config", file], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_purge_leaves_no_keys_and_no_log(self):
        kept = self.root / "etc/trunkline/service.key"
        gone = [self.root / "var/lib/trunkline/state.json", self.root / "var/log/trunkline/log"]
        for file in (kept, *gone):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("a key")
        commands = self.root / "commands"
        commands.mkdir()
        for name in ("deb-systemd-helper", "systemctl"):
            (commands / name).symlink_to("/bin/true")
        environment = {"PATH": f"{commands}:/usr/bin:/bin", "DPKG_ROOT": str(self.root)}
        script = SOURCE / "control/packaging/postrm"
        subprocess.run(["sh", script, "remove"], check=True, env=environment)
        self.assertTrue(all(file.exists() for file in gone))
        subprocess.run(["sh", script, "purge"], check=True, env=environment)
        self.assertFalse(any(file.parent.exists() for file in gone))
        self.assertTrue(kept.exists())

    def test_a_second_install_keeps_the_configuration(self):
        file = self.root / "etc/trunkline/trunkline.yaml"
        file.write_text("the operator's")
        self.install()
        self.assertEqual(file.read_text(), "the operator's")

    def test_documents_that_are_linked_to_are_installed(self):
        documents = self.root / "usr/share/doc/trunkline"
        links = 0
        for document in documents.rglob("*.md"):
            for link in re.findall(r"\]\(([^):#]+\.md)[^)]*\)", document.read_text()):
                self.assertTrue((document.parent / link).is_file(), f"{document}: {link}")
                links += 1
        self.assertGreaterEqual(links, 10)

    def test_the_manual_page_has_every_option(self):
        usage = subprocess.run([TRUNKD, "--help"], capture_output=True, text=True).stdout
        options = re.findall(r"^ +(?:-\w, +)?(--[\w-]+)", usage, re.MULTILINE)
        self.assertGreaterEqual(len(options), 6)
        page = gzip.open(self.root / "usr/share/man/man8/trunkd.8.gz", "rt").read()
        for option in options:
            self.assertIn(option.replace("-", "\\-"), page)

    def test_the_manual_page_of_trunkctl_has_every_command_and_is_good_troff(self):
        usage = subprocess.run([TRUNKCTL, "--help"], capture_output=True, text=True).stdout
        usage = usage.split("Options of every command")[0]
        commands = re.findall(r"^  (\S.*?)(?:  |$)", usage, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 30)
        page = gzip.open(self.root / "usr/share/man/man1/trunkctl.1.gz", "rt").read()
        plain = re.sub(r"\\f[BIR]|^\.B ", "", page.replace("\\-", "-"), flags=re.MULTILINE)
        for command in commands:
            self.assertIn(f"\n{command}\n", plain)
        if shutil.which("groff"):
            formatted = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, text=True,
                                       capture_output=True)
            self.assertEqual(formatted.stderr, "")

    def test_shells_complete_trunkctl(self):
        bash = self.root / "usr/share/bash-completion/completions/trunkctl"
        ask = ("source \"$0\"; COMP_WORDS=(trunkctl log-level s); COMP_CWORD=2; _trunkctl;"
               "echo \"${COMPREPLY[*]}\"")
        completed = subprocess.run(["bash", "-c", ask, bash], capture_output=True, text=True)
        self.assertEqual((completed.stdout, completed.stderr), ("set\n", ""))
        zsh = self.root / "usr/share/zsh/vendor-completions/_trunkctl"
        self.assertTrue(zsh.read_text().startswith("#compdef trunkctl\n"))
        if shutil.which("zsh"):
            subprocess.run(["zsh", "-n", zsh], check=True)

    def test_no_shell_runs_what_others_chose_as_a_name(self):
        names = ["routes/$(touch${IFS}made)", "routes/`touch${IFS}made`", "a b", "routes/--prune",
                 "routes/*", "routes/a;b", "routes/news", "routes/jo@EXAMPLE.ORG"]
        stub = self.root / "trunkctl"
        stub.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(names) + "\nEND\n")
        stub.chmod(0o755)
        bash = self.root / "usr/share/bash-completion/completions/trunkctl"
        for line in ("get routes", "context use", "status --context"):
            ask = (f"source \"$0\"; PATH=.:$PATH; COMP_WORDS=(trunkctl {line} ''); COMP_CWORD=3;"
                   "_trunkctl; echo \"${COMPREPLY[*]}\"")
            completed = subprocess.run(["bash", "-c", ask, bash], capture_output=True, text=True,
                                       cwd=self.root)
            self.assertEqual((completed.stdout, completed.stderr), ("news jo@EXAMPLE.ORG\n", ""))
            self.assertFalse((self.root / "made").exists())
        zsh = self.root / "usr/share/zsh/vendor-completions/_trunkctl"
        words = re.search(r"^_trunkctl_words\(\) .*", zsh.read_text(), re.MULTILINE).group()
        self.assertIn(words.removesuffix(" }"), bash.read_text())


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    CMAKE, BUILD, TRUNKD, TRUNKCTL = sys.argv[1:5]
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
