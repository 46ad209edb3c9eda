"""Limits as peers meet them on real sockets, at each of them and one beyond. Those of connections
in all and of descriptors are in connection_test, of messages in message_test."""

import socket
import struct
import time

import harness
from amqp_bytes import (HEADER, LIST0, NULL, RawPeer, frame, listed, open_frame, str8, str32,
                        vbin8)
from harness import RouterTest

SASL_HEADER = b"AMQP\x03\x01\x00\x00"


def uint(number):
    return b"\x70" + struct.pack(">I", number)


def begin_frame(channel=0):
    return frame(b"\x00\x53\x11" + listed(NULL, uint(0), uint(100), uint(100)), channel)


def attach_frame(handle, address, channel=0):
    """Of a sender."""
    terminus = b"\x00\x53\x29" + listed(str32(address), wide=True)
    source = b"\x00\x53\x28" + LIST0
    fields = (str8(f"link-{handle}"), uint(handle), b"\x42", b"\x50\x02", b"\x50\x00", source,
              terminus, NULL, NULL, uint(0))
    return frame(b"\x00\x53\x12" + listed(*fields, wide=True), channel)


def transfer_frame(tag, delivery=0, handle=0):
    return frame(b"\x00\x53\x14" + listed(uint(handle), uint(delivery), vbin8(tag), uint(0)),
                 payload=b"\x00\x53\x77\xa1\x01x")


class Names(RouterTest):
    """What a peer may be called, and what it may call things."""

    def test_a_container_id(self):
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + self.open_as("c" * 1024) + begin_frame())
            peer.read_until(b"\x00\x53\x11")
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + self.open_as("c" * 1025))
            data = peer.read_until_end()
        self.assertIn(b"amqp:invalid-field", data)
        self.assertIn(b"container-id: longer than 1024 bytes", data)

    @staticmethod
    def open_as(container):
        return frame(b"\x00\x53\x10" + listed(str32(container), wide=True))

    def test_an_address(self):
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + open_frame() + begin_frame() + attach_frame(0, "a" * 4096) +
                      attach_frame(1, "a" * 4097))
            data = peer.read_until(b"address: longer than 4096 bytes")
            self.assertIn(b"amqp:invalid-field", data)
            self.assertEqual(data.count(b"\x00\x53\x16"), 1)  # one detach

    def test_a_delivery_tag(self):
        receiver = self.connect().receiver(self.address)
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + open_frame() + begin_frame() + attach_frame(0, self.address))
            peer.read_until(b"\x00\x53\x13")  # a flow
            peer.send(transfer_frame(b"t" * 32))
            self.world.wait(lambda: receiver.received, "the message")
            peer.send(transfer_frame(b"t" * 33, 1))
            data = peer.read_until(b"delivery-tag: longer than 32 bytes")
        self.assertIn(b"amqp:invalid-field", data)
        self.assertEqual(len(receiver.received), 1)


class Numbers(RouterTest):
    """How many there may be of a kind."""

    LISTENERS = {"plain": {}, "few": {"max_links": 3, "max_sessions": 2}}

    def test_links_of_a_connection(self):
        client = self.connect("few")
        receiver = client.receiver(self.address)
        sender = client.sender(self.address)
        client.sender(self.address)
        refused = client.sender(self.address, wait=False)
        self.world.wait(lambda: refused.detached is not None, "the refusal")
        self.assertEqual(refused.detached[0], "amqp:resource-limit-exceeded")
        sender.send("x")
        self.world.wait(lambda: receiver.received, "the message")
        self.connect("few").receiver(self.address)

    def test_links_that_are_refused_and_stay(self):
        with RawPeer(self.router.port("few")) as peer:
            peer.send(HEADER + open_frame() + begin_frame())
            peer.send(b"".join(attach_frame(handle, "a") for handle in range(3 + 64 + 1)))
            data = peer.read_until_end()
        self.assertEqual(data.count(b"\x00\x53\x16"), 64)  # detaches
        self.assertEqual(data.count(b"\x00\x53\x18"), 1)  # and the end
        self.connect("few")

    def test_sessions_of_a_connection(self):
        with RawPeer(self.router.port("few")) as peer:
            peer.send(HEADER + open_frame() + begin_frame(0) + begin_frame(1))
            data = b""
            while data.count(b"\x00\x53\x11") < 2:  # both begins
                data += peer.read_until(b"\x00\x53\x11")
            peer.send(begin_frame(2))
            self.assertIn(b"amqp:connection:framing-error", peer.read_until_end())


class Unopened(RouterTest):
    """Connections that do not get as far as the open."""

    LISTENERS = {
        "plain": {},
        "hasty": {"initial_handshake_timeout": "1s"},
        "wary": {"max_unopened_per_address": 3},
        "silent": {"idle_timeout": "400ms"},
    }

    def test_bytes_that_trickle_in_give_no_more_time(self):
        for words in (SASL_HEADER + b"\x00\x00\x01\x00\x02\x01\x00\x00" + b"x" * 400,
                      b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"x" * 400, HEADER * 50):
            with RawPeer(self.router.port("hasty")) as peer:
                begun = time.monotonic()
                peer.socket.settimeout(0.05)
                self.assertTrue(self.is_cut(peer, words))
                self.assertLess(time.monotonic() - begun, 1 + harness.PATIENCE / 4)

    @staticmethod
    def is_cut(peer, words):
        """Says a byte whenever nothing comes for 50 ms."""
        for at in range(len(words)):
            try:
                peer.send(words[at:at + 1])
                while peer.socket.recv(4096):
                    pass
                return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    def test_one_address_leaves_places_for_others(self):
        silent = [RawPeer(self.router.port("wary")) for _ in range(3)]
        for peer in silent:
            self.addCleanup(peer.socket.close)
            peer.send(HEADER)
            peer.read_until(HEADER)
        with RawPeer(self.router.port("wary")) as fourth:
            self.assertEqual(fourth.read_until_end(), b"")
        self.router.wait_for_line(
            lambda line: "accept refused" in line and "are not open" in line, "why")
        with socket.create_connection(("127.0.0.1", self.router.port("wary")), timeout=60,
                                      source_address=("127.0.0.2", 0)) as other:
            other.sendall(HEADER)
            self.assertEqual(other.recv(8), HEADER)
        silent[0].send(open_frame())
        silent[0].read_until(b"\x00\x53\x10")
        self.world.wait(self.gets_in, "a place")

    def gets_in(self):
        with RawPeer(self.router.port("wary")) as peer:
            try:
                peer.send(HEADER)
                return peer.socket.recv(8) == HEADER
            except OSError:
                return False

    def test_an_open_connection_that_falls_silent(self):
        with RawPeer(self.router.port("silent")) as peer:
            peer.send(HEADER + open_frame())
            self.assertIn(b"amqp:resource-limit-exceeded", peer.read_until_end())
