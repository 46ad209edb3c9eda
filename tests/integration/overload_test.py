"""Crowds that want nothing good: the others notice nothing, and nothing of them stays."""

import os
import socket
import struct
import time

import harness
from amqp_bytes import HEADER, RawPeer, open_frame
from core_test import is_sanitized
from harness import RouterTest
from limit_test import SASL_HEADER, attach_frame, begin_frame, transfer_frame


def reset(peer):
    """Ends it without a good-bye: the other side gets a reset."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


class Crowded(RouterTest):
    """A router with a pair of clients that shall notice nothing."""

    LISTENERS = {"plain": {}, "other": {}, "hasty": {"initial_handshake_timeout": "500ms"}}
    CONFIG = {"router": {"core_dumps": True}}  # or only root sees its descriptors

    def setUp(self):
        super().setUp()
        self.receiver = self.connect("other").receiver(self.address)
        self.sender = self.connect("other").sender(self.address)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.router.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.router.process.pid}/task"))

    def others_notice_nothing(self):
        done = len(self.receiver.received)
        self.world.wait(lambda: self.sender.credit > 0, "credit")
        self.sender.send("still here")
        self.world.wait(lambda: len(self.receiver.received) > done, "a message")

    def lines(self, *words):
        return [line for line in self.router.lines if all(word in line for word in words)]


class Looks(Crowded):
    """Load balancers and probes, which connect and hang up."""

    def test_looks_at_the_port_are_no_failures(self):
        before = self.descriptors()
        for number in range(60):
            peer = RawPeer(self.router.port())
            if number % 2:
                reset(peer)
            else:
                peer.socket.close()
        self.others_notice_nothing()
        self.world.wait(lambda: self.descriptors() <= before, "its descriptors back")
        with RawPeer(self.router.port()) as peer:  # what is logged of this comes behind the rest
            peer.send(b"no AMQP at all")
            peer.read_until_end()
        self.router.wait_for_line(lambda line: "connection failed" in line, "who failed")
        self.assertEqual(len(self.lines("connection failed")), 1)
        self.assertEqual(self.lines("connection was only a look"), [])


class Overload(Crowded):
    """Who comes in crowds, and goes in any way."""

    def test_resets_at_every_stage(self):
        stages = [
            b"",
            HEADER[:3],
            HEADER,
            SASL_HEADER,
            SASL_HEADER + b"\x00\x00\x00\x20\x02\x01\x00\x00",
            HEADER + open_frame(),
            HEADER + open_frame() + begin_frame(),
            HEADER + open_frame() + begin_frame() + attach_frame(0, self.address),
            HEADER + open_frame() + begin_frame() + attach_frame(0, self.address) +
            transfer_frame(b"t")[:20],
            b"\x16\x03\x01\x02\x00\x01",
        ]
        before, threads = self.descriptors(), self.threads()
        for number in range(20 * len(stages)):
            peer = RawPeer(self.router.port())
            peer.send(stages[number % len(stages)])
            if number % 3 == 0:
                peer.socket.settimeout(0.002)
                try:
                    peer.socket.recv(4096)
                except OSError:
                    pass
            reset(peer)
        self.others_notice_nothing()
        self.world.wait(lambda: self.descriptors() <= before, "its descriptors back")
        self.assertEqual(self.threads(), threads)

    def test_a_crowd_that_comes_and_goes(self):
        words = (b"", HEADER, HEADER + open_frame(), HEADER + open_frame() + begin_frame())
        self.storm(words)  # what is allocated once is there then
        before, memory = self.descriptors(), self.router.resident_kib()
        for _ in range(4):
            self.storm(words)
        self.world.wait(lambda: self.descriptors() <= before, "its descriptors back")
        if not is_sanitized():  # sanitizers keep what was freed
            self.assertLess(self.router.resident_kib(), memory + 16 * 1024)

    def storm(self, words):
        peers = []
        for number in range(400):
            peer = RawPeer(self.router.port())
            peers.append(peer)
            peer.send(words[number % len(words)])
            if len(peers) > 50:
                peers.pop(0).socket.close()
        self.others_notice_nothing()
        for peer in peers:
            peer.socket.close()

    def test_a_crowd_that_says_nothing_is_cut(self):
        before = self.descriptors()
        crowd = [RawPeer(self.router.port("hasty")) for _ in range(300)]
        self.addCleanup(lambda: [peer.socket.close() for peer in crowd])
        self.others_notice_nothing()
        self.world.wait(lambda: self.descriptors() <= before, "its descriptors back")
        for peer in crowd:
            self.assertEqual(peer.read_until_end(), b"")

    def test_a_flood_writes_few_lines(self):
        begun = time.monotonic()
        written = len(self.lines("connection failed"))
        for _ in range(300):
            peer = RawPeer(self.router.port())
            peer.send(b"no AMQP at all")
            peer.socket.close()
        self.router.wait_for_line(lambda line: "more connections failed" in line, "how many more")
        seconds = time.monotonic() - begun
        self.assertLess(len(self.lines("connection failed")) - written, 10 * (seconds + 2))

    def test_one_listener_is_flooded_and_another_serves(self):
        flood = []
        self.addCleanup(lambda: [peer.close() for peer in flood])
        for _ in range(500):
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", self.router.port()))
            flood.append(peer)
        with RawPeer(self.router.port("other"), patience=harness.PATIENCE) as peer:
            peer.send(HEADER)
            self.assertEqual(peer.read_until(HEADER), HEADER)
        self.others_notice_nothing()
