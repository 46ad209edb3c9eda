"""The session with grpcurl in README.md, as it stands there: by the real one where it is installed,
and by a stand-in that takes the same words."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from harness import Certificates, Router, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = "/etc/trunkline/"


def session():
    """The commands, each as the shell gets it."""
    with open(os.path.join(HERE, "..", "..", "README.md"), encoding="utf-8") as file:
        text = file.read().split("### The API, live\n")[1].split("\n### ")[0]
    lines = re.findall(r"^    (.*\S)$", text, re.M)
    joined = re.sub(r"\n {4,}", " ", "\n".join(lines))
    return joined.splitlines()


class Session(unittest.TestCase):
    def setUp(self):
        self.certificates = Certificates()
        self.addCleanup(self.certificates.close)
        self.certificates.issue("tls", "/CN=localhost", "DNS:localhost")
        self.router = Router({"plain": {}})
        self.addCleanup(self.router.close)
        folder = tempfile.TemporaryDirectory(prefix="trunkline-readme-")
        self.addCleanup(folder.cleanup)
        self.tools = folder.name
        self.port = free_port()

    def as_here(self, command):
        """With what is this test's in place of what is everybody's."""
        return (command.replace("/run/trunkline/control.sock", self.router.socket())
                .replace(FOLDER, self.certificates.directory + "/")
                .replace('"port": 5673', f'"host": "127.0.0.1", "port": {self.port}'))

    def run_session(self):
        """What each command printed, by what is asked for; the watch runs until the end."""
        setting, printed, watch, told = "", {}, None, ""
        for command in map(self.as_here, session()):
            if command.startswith("call() "):
                setting = command + "\n"
                continue
            if "RotateCertificate" in command:
                self.certificates.issue("tls", "/CN=newer", "DNS:localhost")
            process = subprocess.Popen(
                ["bash", "-c", setting + command.rstrip(" &")], text=True, start_new_session=True,
                env={**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}"},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.addCleanup(self.end, process)
            if command.endswith("&"):
                watch, told = process, self.told_until(process, '"synced"')
                continue
            out, _ = process.communicate(timeout=harness.PATIENCE)
            self.assertEqual(process.returncode, 0, f"{command}\n{out}")
            printed[re.search(r"call (\S+)|\.sock (\w+)", command).group(0).split()[1]] = out
        return printed, told + self.told_until(watch, '"deleted"')

    @staticmethod
    def end(process):
        """With those that its shell has started."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()

    def told_until(self, process, word):
        lines = []
        for line in process.stdout:
            lines.append(line)
            if word in line:
                return "".join(lines)
        return self.fail(f"no {word} in:\n{''.join(lines)}")

    def holds(self):
        printed, told = self.run_session()
        self.assertIn("trunkline.control.v1.ListenerService", printed["list"])
        self.assertIn("trunkline.control.v1.ListenerSpec is a message", printed["describe"])
        self.assertIn("tls_profile", printed["describe"])
        made = json.loads(printed["ListenerService/CreateListener"])
        self.assertEqual(made["listener"]["name"], "listeners/live")
        self.assertEqual(made["listener"]["spec"]["port"], self.port)
        rotated = json.loads(printed["TlsService/RotateCertificate"])
        # By this call, or by the router that watches the files and was faster.
        active = rotated["tls_profile"]["status"]["active"]
        self.assertEqual((active["subject"], active["ordinal"]), ("CN=newer", 2))
        gone = json.loads(printed["ListenerService/DeleteListener"])
        self.assertEqual(gone["listener"]["uid"], made["listener"]["uid"])
        self.assertIn("listeners/live", told)

    @unittest.skipUnless(shutil.which("grpcurl"), "not run: needs grpcurl")
    def test_by_grpcurl(self):
        self.holds()

    def test_by_a_stand_in(self):
        os.symlink(os.path.join(HERE, "grpcurl_standin.py"), os.path.join(self.tools, "grpcurl"))
        self.holds()


if __name__ == "__main__":
    unittest.main()
