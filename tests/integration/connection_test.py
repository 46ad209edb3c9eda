"""The connection itself: handshakes, time-outs, limits, addresses to listen on."""

import os
import resource
import selectors
import socket
import subprocess
import time
import unittest

from proton import Message

import harness
from amqp_bytes import HEADER, RawPeer, open_frame
from api_client import Api
from harness import Certificates, Router, RouterTest, free_port


def ipv6_works():
    try:
        free_port("::1")
        return True
    except OSError:
        return False


class Handshake(RouterTest):
    """From the first byte to the AMQP open."""

    LISTENERS = {
        "plain": {},
        "hasty": {"initial_handshake_timeout": "300ms"},
        "few": {"max_connections": 2},
    }

    def test_with_and_without_sasl(self):
        for options in ({}, {"sasl_enabled": False}, {"allowed_mechs": "ANONYMOUS"}):
            client = self.connect(**options)
            self.assertEqual(client.connection.remote_container, "tested")

    def test_other_mechanisms_are_refused(self):
        client = self.world.connect(self.router.url(), wait=False, user="a", password="b",
                                    allowed_mechs="PLAIN", allow_insecure_mechs=True)
        self.world.wait(lambda: client.gone, "the refusal")
        self.assertFalse(client.opened)

    def test_a_silent_client_is_dropped(self):
        with RawPeer(self.router.port("hasty")) as peer:
            self.assertNotIn(b"amqp:", peer.read_until_end())

    def test_a_client_that_never_opens_is_told_why(self):
        with RawPeer(self.router.port("hasty")) as peer:
            peer.send(HEADER)
            data = peer.read_until_end()
        self.assertTrue(data.startswith(HEADER))
        self.assertIn(b"amqp:not-allowed", data)
        self.assertIn(b"Timeout waiting for initial handshake", data)

    def test_headers_are_answered_at_once(self):
        # Some clients wait for the router's header before they say more.
        for header in (HEADER, b"AMQP\x03\x01\x00\x00"):
            with RawPeer(self.router.port()) as peer:
                peer.send(header)
                self.assertEqual(peer.read_until(header)[:8], header)

    def test_other_protocols_are_answered_with_the_right_header(self):
        for start in (b"AMQP\x00\x00\x09\x01", b"AMQP\x01\x01\x00\x0a", b"GET / HTTP/1.1\r\n\r\n"):
            with RawPeer(self.router.port()) as peer:
                peer.send(start)
                data = peer.read_until_end()
            self.assertIn(data[:4], (b"AMQP", b""))
        self.connect()

    def test_garbage_closes_with_a_condition(self):
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + b"\x00\x00\x00\x0c\x02\x00\x00\x00\xff\xff\xff\xff")
            data = peer.read_until_end()
        self.assertIn(b"amqp:", data)
        self.connect()

    def test_frames_above_the_limit_close_with_a_condition(self):
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + open_frame() + b"\x00\x01\x00\x00\x02\x00\x00\x00")
            data = peer.read_until_end()
        self.assertIn(b"amqp:connection:framing-error", data)

    def test_one_connection_too_many_is_closed(self):
        first, second = self.connect("few"), self.connect("few")
        third = self.world.connect(self.router.url("few"), wait=False)
        self.world.wait(lambda: third.gone, "the refusal")
        self.assertFalse(third.opened)
        first.close()
        self.world.wait(lambda: self.opens("few"), "a place")
        second.close()

    def opens(self, listener):
        client = self.world.connect(self.router.url(listener), wait=False)
        self.world.wait(lambda: client.opened or client.gone, "an answer")
        return client.opened

    def test_hundreds_of_connections(self):
        clients = [self.world.connect(self.router.url(), wait=False) for _ in range(300)]
        self.world.wait(lambda: all(client.opened for client in clients), "all opens")
        receivers = [client.receiver(f"{self.address}/{number}", wait=False)
                     for number, client in enumerate(clients)]
        sender = clients[0].sender(None)
        self.world.wait(lambda: all(r.answered for r in receivers), "all attaches")
        for number in range(0, 300, 2):
            sender.send(Message("x", address=f"{self.address}/{number}"))
        self.world.wait(lambda: len(sender.outcomes) == 150, "all outcomes")
        for number, receiver in enumerate(receivers):
            self.assertEqual(len(receiver.received), 1 - number % 2)


class FewDescriptors(unittest.TestCase):
    """More clients than the process may have descriptors."""

    def start(self, descriptors=None, **config):
        wrapper = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []

        class Limited(Router):
            def start(self, command):
                super().start(wrapper + command)

        # One address has all places: it is not that limit which is looked at.
        # Without dumps only root would see its descriptors.
        self.router = Limited({"plain": {"max_unopened_per_address": 1000}},
                              router={"core_dumps": True}, **config)
        self.addCleanup(lambda: self.assertEqual(self.router.close(), 0))
        self.router.socket()  # the last of what it opens for itself

    def use_up(self, but):
        """From here on the process can open so many more."""
        # What control opens for a moment when it begins to turn is closed once it answers.
        self.api().call("RouterService/GetVersion")
        in_use = len(os.listdir(f"/proc/{self.router.process.pid}/fd"))
        hard = resource.prlimit(self.router.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.router.process.pid, resource.RLIMIT_NOFILE, (in_use + but, hard))

    def api(self):
        api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(api.close)
        return api

    def knock(self):
        """A connection with both protocol headers exchanged; None if it was refused."""
        peer = RawPeer(self.router.port())
        self.addCleanup(peer.__exit__)
        try:
            peer.send(HEADER)
            if peer.socket.recv(8):
                return peer
        except (ConnectionResetError, BrokenPipeError):
            pass
        return None

    def knock_until_refused(self, at_most=200):
        peers = []
        for _ in range(at_most):
            peer = self.knock()
            if peer is None:
                return peers
            peers.append(peer)
        self.fail(f"{at_most} connections and none was refused")

    def refusal(self, why):
        return self.router.wait_for_line(
            lambda line: line if "accept refused" in line and why in line else None, "a refusal")

    def serves_again(self, peers):
        """Once some have left. The router hears of that when it does, so this may take tries."""
        for peer in peers:
            peer.socket.close()
        deadline = time.monotonic() + harness.PATIENCE
        while self.knock() is None:
            self.assertLess(time.monotonic(), deadline)

    def test_the_last_ones_are_not_for_connections(self):
        self.start(descriptors=100)
        peers = self.knock_until_refused()
        self.assertEqual(len(peers), 95 - 32)  # 95 %, less those of the process itself
        self.refusal("file descriptors are running out")
        self.assertIsNone(self.knock())
        self.assertIsNotNone(peers[0].socket)
        self.serves_again(peers[:3])

    def test_even_without_any_left_nobody_waits_for_an_answer(self):
        self.start()
        self.knock()  # what is opened for the first connection only, is open
        self.use_up(but=5)
        peers = self.knock_until_refused()
        self.assertEqual(len(peers), 5)
        self.refusal("the process is out of file descriptors")
        self.assertIsNone(self.knock())
        self.serves_again(peers[:3])

    def test_even_without_any_left_the_api_answers(self):
        self.start()
        before = self.api()
        before.call("RouterService/GetVersion")
        self.knock()
        self.use_up(but=2)
        peers = self.knock_until_refused()
        before.call("RouterService/GetVersion")
        # Also who asks only now, one after the other, and some at a time.
        for _ in range(20):
            api = self.api()
            api.call("RouterService/GetVersion")
            api.close()
        for _ in range(4):
            self.api().call("RouterService/GetVersion")
        self.serves_again(peers)

    def test_who_begins_handshakes_with_the_api_leaves_some(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        certificate, key = certificates.issue("api", "/CN=api")
        self.start(descriptors=256, tls_profiles=[
            {"name": "control", "certificate_file": certificate, "private_key_file": key,
             "ca_file": certificates.path("ca.crt")}],
            control={"tcp": {"host": "127.0.0.1", "port": 0, "tls_profile": "control"}})
        peers = selectors.DefaultSelector()
        self.addCleanup(peers.close)
        for _ in range(300):
            peer = socket.create_connection(("127.0.0.1", self.router.api_port()))
            self.addCleanup(peer.close)
            peer.sendall(b"\x16")
            peers.register(peer, selectors.EVENT_READ)
        self.assertTrue(peers.select(5), "none was closed")  # gRPC would close one after 10 s
        self.assertIsNotNone(self.knock())
        self.api().call("RouterService/GetVersion")

    def test_the_api_is_there_again_once_some_have_left(self):
        self.start()
        self.knock()
        self.use_up(but=2)
        peers = self.knock_until_refused()
        # More than there are places for: some wait, and none is sent away.
        waiting = [self.api() for _ in range(30)]
        calls = [api.begin("RouterService/GetVersion") for api in waiting]
        self.assertEqual(calls[0].result().router_id, "tested")
        for peer in peers:
            peer.socket.close()
        for api, call in zip(waiting, calls):
            self.assertEqual(call.result().router_id, "tested")
            api.close()
        self.api().call("RouterService/GetVersion")


class Idle(RouterTest):
    LISTENERS = {"plain": {"idle_timeout": "1s"}, "patient": {"idle_timeout": "0s"}}

    def test_half_of_the_timeout_is_told(self):
        client = self.connect()
        self.assertAlmostEqual(client.transport.remote_idle_timeout, 0.5)
        self.assertEqual(self.connect("patient").transport.remote_idle_timeout, 0)

    def test_heartbeats_keep_an_idle_client(self):
        client = self.connect(heartbeat=0.6)
        before = client.transport.frames_input
        self.world.wait(lambda: client.transport.frames_input >= before + 5, "heartbeats")
        self.assertFalse(client.gone)
        self.assertIsNone(client.closed)

    def test_a_client_that_falls_silent_is_closed(self):
        with RawPeer(self.router.port()) as peer:
            peer.send(HEADER + open_frame())
            data = peer.read_until_end()
        self.assertIn(b"amqp:resource-limit-exceeded", data)

    def test_heartbeats_for_a_client_that_wants_them(self):
        with RawPeer(self.router.port("patient")) as peer:
            peer.send(HEADER + open_frame(idle_ms=200))
            peer.read_until(b"\x00\x00\x00\x08\x02\x00\x00\x00" * 2)


class Listening(RouterTest):
    LISTENERS = {"plain": {}}

    def test_an_empty_host_is_every_address_of_both_versions(self):
        port = free_port()
        router = Router({"everywhere": {"host": "", "port": port}})
        self.addCleanup(router.close)
        hosts = ["127.0.0.1"] + (["[::1]"] if ipv6_works() else [])
        for host in hosts:
            self.assertTrue(self.world.connect(f"amqp://{host}:{port}").opened)

    def test_families_can_be_chosen(self):
        if not ipv6_works():
            self.skipTest("no IPv6 here")
        port = free_port()
        router = Router({
            "four": {"host": "", "port": port, "socket_family": "ipv4"},
            "six": {"host": "::1", "socket_family": "ipv6"},
        })
        self.addCleanup(router.close)
        self.world.connect(f"amqp://127.0.0.1:{port}")
        with self.assertRaises(OSError):
            socket.create_connection(("::1", port), timeout=5)
        self.world.connect(f"amqp://[::1]:{router.port('six')}")

    def test_a_port_that_is_taken_is_an_error(self):
        outcome = subprocess.run(
            [harness.TRUNKD, "--config", self.config_with_port(self.router.port())],
            capture_output=True, timeout=harness.PATIENCE, check=False)
        self.assertNotEqual(outcome.returncode, 0)

    def config_with_port(self, port):
        path = f"{self.router.directory}/taken.yaml"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"listeners:\n  - name: taken\n    host: 127.0.0.1\n    port: {port}\n")
        return path
