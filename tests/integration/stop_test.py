"""How trunkd ends, and what it says when it does not even start."""

import os
import socket
import struct
import subprocess
import tempfile
import unittest

import harness
from clients import ACCEPTED, World
from harness import Router

CALLS = 3000


class Stop(unittest.TestCase):
    def start(self, drain_timeout="60s"):
        self.router = Router(router={"drain_timeout": drain_timeout})
        self.addCleanup(self.router.close)
        self.world = World()
        self.addCleanup(self.world.close)

    def connect(self):
        return self.world.connect(self.router.url())

    def deliver_one(self):
        """A message that its receiver holds unsettled."""
        receiver = self.connect().receiver("work", outcome=None)
        sender = self.connect().sender("work")
        self.world.wait(lambda: sender.credit > 0, "credit")
        tag = sender.send("work")
        self.world.wait(lambda: receiver.received, "the message")
        return sender, receiver, tag

    def refuses_connections(self):
        try:
            socket.create_connection(("127.0.0.1", self.router.port()), timeout=5).close()
            return False
        except OSError:
            return True

    def ended(self):
        return self.router.process.poll() is not None

    def test_clients_are_told_to_reconnect(self):
        self.start()
        clients = [self.connect() for _ in range(10)]
        self.router.terminate()
        self.world.wait(lambda: all(client.closed for client in clients), "the closes")
        self.assertEqual({client.closed[0] for client in clients}, {"amqp:connection:forced"})
        self.world.wait(self.ended, "the end")
        self.assertEqual(self.router.process.returncode, 0)

    def test_what_is_unsettled_is_finished_first(self):
        self.start()
        sender, receiver, tag = self.deliver_one()
        self.router.terminate()
        self.world.wait(self.refuses_connections, "the end of listening")
        self.assertIsNone(sender.client.closed)
        self.assertIsNone(receiver.client.closed)
        receiver.received[0].settle(ACCEPTED)
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[tag].state, ACCEPTED)
        for client in (sender.client, receiver.client):
            self.world.wait(lambda: client.closed is not None, "the close")
            self.assertEqual(client.closed[0], "amqp:connection:forced")
        self.world.wait(self.ended, "the end")
        self.assertEqual(self.router.process.returncode, 0)

    def test_waiting_has_an_end(self):
        self.start(drain_timeout="500ms")
        sender, receiver, _ = self.deliver_one()
        self.router.terminate()
        self.world.wait(self.ended, "the end")
        self.world.wait(lambda: sender.client.closed is not None, "the close")
        self.assertEqual(sender.client.closed[0], "amqp:connection:forced")
        self.assertEqual(self.router.process.returncode, 0)

    def test_a_second_signal_stops_at_once(self):
        self.start(drain_timeout="3600s")
        sender, _, _ = self.deliver_one()
        self.router.terminate()
        self.world.wait(self.refuses_connections, "the end of listening")
        self.assertFalse(self.ended())
        self.router.terminate()
        self.world.wait(self.ended, "the end")
        self.world.wait(lambda: sender.client.gone, "the end of the connection")

    def test_a_stop_without_clients_is_immediate(self):
        self.start()
        self.router.terminate()
        self.assertEqual(self.router.wait_for_exit(), 0)

    def test_a_client_that_never_answers_does_not_hold_it(self):
        self.start(drain_timeout="500ms")
        raw = socket.create_connection(("127.0.0.1", self.router.port()))
        self.addCleanup(raw.close)
        self.router.terminate()
        self.assertEqual(self.router.wait_for_exit(), 0)


def http2_frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class StopOfTheApi(unittest.TestCase):
    def test_a_caller_who_does_not_read_does_not_hold_it(self):
        router = Router()
        self.addCleanup(router.close)
        caller = socket.socket(socket.AF_UNIX)
        self.addCleanup(caller.close)
        caller.settimeout(harness.PATIENCE)
        caller.connect(router.socket())
        # Calls of no method: more answers than a socket holds.
        headers = (b"\x83\x86" b"\x04\x04/a/b" b"\x01\x01x" b"\0\x02te\x08trailers"
                   b"\x0f\x10\x10application/grpc")
        try:
            caller.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0))
            for stream in range(1, 2 * CALLS, 2):
                caller.sendall(http2_frame(1, 5, stream, headers))  # HEADERS, and no more
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has had enough of them: as good
        router.terminate()
        self.assertEqual(router.wait_for_exit(), 0)


class CommandLine(unittest.TestCase):
    def run_trunkd(self, *arguments):
        return subprocess.run([harness.TRUNKD, *arguments], capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)

    def check(self, text):
        path = os.path.join(self.directory(), "trunkline.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = self.run_trunkd("--check-config", path)
        return done.returncode, done.stdout + done.stderr

    def directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def test_version_and_help(self):
        version = self.run_trunkd("--version")
        self.assertEqual(version.returncode, 0)
        self.assertRegex(version.stdout, r"\d+\.\d+\.\d+")
        usage = self.run_trunkd("--help")
        self.assertEqual(usage.returncode, 0)
        self.assertIn("--config", usage.stdout)
        self.assertNotEqual(self.run_trunkd("--no-such-option").returncode, 0)

    def test_a_good_configuration_is_accepted(self):
        status, output = self.check("listeners:\n  - name: a\n    port: 0\n")
        self.assertEqual(status, 0, output)

    def test_mistakes_are_told_with_file_line_and_field(self):
        for text, line, word in (
            ("listeners:\n  - name: a\n    prot: 5672\n", 3, "prot"),
            ("listeners:\n  - name: a\n    port: 70000\n", 3, "port"),
            ("listeners:\n  - name: a\n    tls_profile: none-such\n", 3, "tls_profile"),
            ("addresses:\n  - prefix: a\n    pattern: b\n", 3, "pattern"),
            ("nonsense: 1\n", 1, "nonsense"),
        ):
            status, output = self.check(text)
            self.assertNotEqual(status, 0, text)
            self.assertRegex(output, rf"trunkline\.yaml:{line}\b.*{word}")


class Defaults(unittest.TestCase):
    def test_without_a_configuration_it_listens_on_the_loopback(self):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", 5672))
            except OSError:
                self.skipTest("port 5672 is in use")
        router = Router.without_configuration()
        self.addCleanup(router.close)
        router.wait_for_line(lambda line: "127.0.0.1:5672" in line, "where it listens")
        world = World()
        self.addCleanup(world.close)
        client = world.connect("amqp://127.0.0.1:5672")
        receiver = client.receiver("hello")
        sender = client.sender("hello")
        world.wait(lambda: sender.credit > 0, "credit")
        sender.send("world")
        world.wait(lambda: receiver.bodies == ["world"], "the message")
        world.close()
        self.assertEqual(router.close(), 0)
