"""Whatever the corpus of the connection fuzzer says, said to the real trunkd: it is answered by
AMQP and the end of the connection, in time, and a bystander notices nothing.

That each such end is counted, once, is held by the fuzz target itself for every input."""

import os
import select
import socket
import ssl
import time

from amqp_bytes import HEADER, LIST0, NULL, frame, listed, open_frame, str8
from harness import Certificates, RouterTest

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus",
                      "driver_fuzz")
# Options of an input: see driver_fuzz.cc.
DIALLED, SMALL, GREETED, TLS = 2, 4, 8, 64
AT_ONCE = 16
CLOSE = b"\x00\x53\x18"

UINT = b"\x52\x64"
BEGIN = frame(b"\x00\x53\x11" + listed(NULL, b"\x43", UINT, UINT))


def attach(name, handle, role, source, target):
    return frame(b"\x00\x53\x12" + listed(
        str8(name), b"\x52" + bytes([handle]), role, NULL, NULL,
        b"\x00\x53\x28" + source, b"\x00\x53\x29" + target, NULL, NULL, b"\x43"))


# What the target says before the bytes of an input that has GREETED.
GREETING = (HEADER + open_frame("client") + BEGIN
            + attach("link0", 0, b"\x41", listed(str8("orders")), LIST0)
            + attach("link1", 1, b"\x42", LIST0, listed(str8("orders")))
            + attach("link2", 2, b"\x42", LIST0, LIST0))


def inputs(tls):
    """(name, listener, bytes) of all inputs that come to a listener, with or without TLS."""
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), "rb") as file:
            data = file.read()
        if len(data) < 3 or data[0] & DIALLED or bool(data[0] & TLS) != tls:
            continue
        listener = "secure" if tls else "small" if data[0] & SMALL else "plain"
        yield name, listener, (GREETING if data[0] & GREETED else b"") + data[2:]


def frames_of(written):
    """Bodies of the AMQP frames that the router wrote; fails where there is no frame."""
    bodies = []
    while written:
        if written[:4] == b"AMQP":
            written = written[8:]
            continue
        assert len(written) >= 8, f"no frame: {written!r}"
        size = int.from_bytes(written[:4], "big")
        assert 8 <= size <= len(written), f"no whole frame: {written!r}"
        if written[5] == 0 and size > 8:
            bodies.append(written[8:size])
        written = written[size:]
    return bodies


def wrong_with(said, written):
    """Why what the router answered is not right; empty if it is."""
    try:
        bodies = frames_of(written)
    except AssertionError as error:
        return str(error)
    if not bodies:
        return ""  # it never came to frames
    if not bodies[-1].startswith(CLOSE):
        return f"hung up without a close after {bodies[-1]!r}"
    if CLOSE not in said and b"amqp:" not in bodies[-1]:
        return "closed without a condition"
    return ""


class Guest:
    """A connection that says one input and then only listens."""

    def __init__(self, name, port, said):
        self.name, self.said, self.written, self.left = name, said, b"", said
        self.began = time.monotonic()
        self.ended = False
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)

    def work(self):
        try:
            while self.left:
                self.left = self.left[self.socket.send(self.left):]
        except BlockingIOError:
            pass
        except OSError:
            self.left = b""
        try:
            while piece := self.socket.recv(65536):
                self.written += piece
            self.end()
        except BlockingIOError:
            if CLOSE in self.written:
                self.left = b""
                self.shutdown()
        except OSError:
            self.end()

    def shutdown(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone

    def end(self):
        self.ended = True
        self.socket.close()


class Malformed(RouterTest):
    # Longer than any answer takes: the time-outs below, and that of a close.
    LONGEST = 30.0

    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cert, key = cls.certificates.issue("server", "/CN=localhost", "IP:127.0.0.1")
        cls.CONFIG = {"tls_profiles": [
            {"name": "server", "certificate_file": cert, "private_key_file": key}]}
        times = {"initial_handshake_timeout": "2s", "idle_timeout": "2s"}
        cls.LISTENERS = {
            "plain": times,
            "small": {**times, "max_frame_size": 512, "max_message_size": 2048},
            "secure": {**times, "tls_profile": "server"},
            "bystander": {},
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    def setUp(self):
        super().setUp()
        self.bystander = self.connect("bystander")
        self.receiver = self.bystander.receiver(self.address)
        self.sender = self.bystander.sender(self.address)
        self.sent = 0

    def go_on(self):
        """The bystander's next message, as soon as the last one has come."""
        if self.sender.credit > 0 and len(self.receiver.received) == self.sent:
            self.sender.send(f"message {self.sent}")
            self.receiver.flow(1)
            self.sent += 1
        self.world.container.process()

    def check_bystander(self):
        self.world.wait(lambda: len(self.sender.outcomes) == self.sent, "the bystander's outcomes")
        self.assertFalse(self.bystander.gone)
        self.assertGreater(self.sent, 0)
        self.assertEqual(self.receiver.bodies, [f"message {n}" for n in range(self.sent)])
        self.assertEqual(set(self.sender.states), {self.receiver.outcome})

    def test_every_input_of_the_corpus(self):
        waiting = list(inputs(tls=False))
        self.assertGreater(len(waiting), 100)
        guests, problems = [], []
        while waiting or guests:
            while waiting and len(guests) < AT_ONCE:
                name, listener, said = waiting.pop()
                guests.append(Guest(name, self.router.port(listener), said))
            self.go_on()
            select.select([guest.socket for guest in guests], [], [], 0.01)
            for guest in guests:
                guest.work()
                if not guest.ended and time.monotonic() - guest.began > self.LONGEST:
                    problems.append(f"{guest.name}: still there")
                    guest.end()
                elif guest.ended and (wrong := wrong_with(guest.said, guest.written)):
                    problems.append(f"{guest.name}: {wrong}")
            guests = [guest for guest in guests if not guest.ended]
        self.check_bystander()
        self.assertEqual(problems, [])

    def test_inside_tls(self):
        context = ssl.create_default_context(cafile=self.certificates.path("ca.crt"))
        context.check_hostname = False
        some = list(inputs(tls=True))
        self.assertGreater(len(some), 2)
        for name, listener, said in some:
            port = self.router.port(listener)
            with socket.create_connection(("127.0.0.1", port), timeout=self.LONGEST) as raw:
                with context.wrap_socket(raw) as peer:
                    peer.sendall(said)
                    written = self.read_to_end(peer)
            self.assertEqual(wrong_with(said, written), "", name)
            self.go_on()
        self.check_bystander()

    @staticmethod
    def read_to_end(peer):
        written = b""
        try:
            while piece := peer.recv(65536):
                written += piece
        except (ConnectionError, ssl.SSLError):
            pass  # an end as well
        return written

