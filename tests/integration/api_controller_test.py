"""The controller of control/README.md, as it stands there: its stubs, and what it does."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

import harness
from api_client import Api, ApiError
from harness import Router

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LINES_MAX = 60
NAME = "connectors/broker"


def section():
    """Of the manual: the commands, and the program."""
    with open(os.path.join(ROOT, "control", "README.md"), encoding="utf-8") as file:
        text = file.read().split("### A controller in Python\n")[1].split("\n## ")[0]
    commands = "\n".join(re.findall(r"^    (.*\S)$", text.split("```")[0], re.M))
    return commands, re.search(r"```python\n(.*?)```", text, re.S).group(1)


class Controller:
    """It runs until it is closed."""

    def __init__(self, folder, endpoint, file):
        commands, program = section()
        with open(os.path.join(folder, "controller.py"), "w", encoding="utf-8") as written:
            written.write(program)
        stubs, start = commands.rsplit("\n/usr/bin/python3 ", 1)
        os.symlink(os.path.join(ROOT, "proto"), os.path.join(folder, "proto"))
        subprocess.run(stubs, shell=True, cwd=folder, check=True)
        script, _, _ = start.split()
        self.lines = []
        self.process = subprocess.Popen([sys.executable, script, endpoint, file], cwd=folder,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


class ControllerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trunkline-controller-")
        self.addCleanup(folder.cleanup)
        self.brokers = [self.started(router={"id": name}) for name in ("first", "second")]
        self.router = self.started()
        self.file = os.path.join(folder.name, "address")
        self.point_at(0)
        self.endpoint = f"unix://{self.router.socket()}"
        self.controller = Controller(folder.name, self.endpoint, self.file)
        self.addCleanup(self.controller.close)
        self.api = self.connected()

    def started(self, **config):
        router = Router({"plain": {}}, **config)
        self.addCleanup(router.close)
        return router

    def connected(self):
        api = Api(self.endpoint)
        self.addCleanup(api.close)
        return api

    def point_at(self, broker):
        self.write(f"127.0.0.1:{self.brokers[broker].port()}\n")

    def write(self, text):
        with open(self.file + ".next", "w", encoding="ascii") as file:
            file.write(text)
        os.replace(self.file + ".next", self.file)

    def wait_for(self, container):
        """Until the connector goes there, and is open."""
        port = self.brokers[("first", "second").index(container)].port()
        there = None

        def is_there():
            nonlocal there
            try:
                there = self.api.call("ConnectorService/GetConnector", name=NAME)
            except ApiError as error:
                there = error
                return False
            status = there.status
            return (there.spec.port, status.state, status.remote_container) == (port, 2, container)

        harness.until(is_there, lambda: f"a connection to {container}: {there}\n"
                                        f"{''.join(self.controller.lines)}")

    def change(self, **spec):
        self.api.call("ConnectorService/UpdateConnector", connector={"name": NAME, "spec": spec})

    def test_is_short(self):
        self.assertLessEqual(len(section()[1].splitlines()), LINES_MAX)

    def test_follows_the_file(self):
        self.wait_for("first")
        self.point_at(1)
        self.wait_for("second")
        # A file that is gone, empty or wrong changes nothing.
        for text in ("", "127.0.0.1:x", "127.0.0.1:0", None):
            if text is None:
                os.remove(self.file)
            else:
                self.write(text)
            seen = len(self.controller.lines)
            harness.until(lambda seen=seen: len(self.controller.lines) > seen,
                          lambda text=text: f"a complaint about {text!r}")
        self.wait_for("second")
        self.point_at(0)
        self.wait_for("first")

    def test_changes_what_it_is_for_and_nothing_else(self):
        self.wait_for("first")
        self.change(host="127.0.0.1", port=self.brokers[1].port(), linkCapacity=77)
        self.wait_for("first")
        connector = self.api.call("ConnectorService/GetConnector", name=NAME)
        self.assertEqual(connector.spec.link_capacity, 77)
        self.api.call("ConnectorService/DeleteConnector", name=NAME)
        self.wait_for("first")

    def test_goes_on_when_the_router_comes_back(self):
        self.wait_for("first")
        self.router.process.kill()
        self.router.process.wait()
        self.point_at(1)
        self.router.forget_log()
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])
        self.assertEqual(f"unix://{self.router.socket()}", self.endpoint)
        self.wait_for("second")


if __name__ == "__main__":
    unittest.main()
