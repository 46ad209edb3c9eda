"""Connections that the router opens."""

import unittest

from proton import Message

from clients import ACCEPTED, World, ssl_server
from harness import Certificates, Router, free_port

QUICK = {"failed": "50ms", "closed": "50ms", "failover": "50ms"}


class Connectors(unittest.TestCase):
    router = None

    def setUp(self):
        self.addCleanup(self.stop)  # the last of all: clients leave before the router
        self.world = World()
        self.addCleanup(self.world.close)

    def start(self, **config):
        self.router = Router(**config)

    def stop(self):
        self.assertEqual(self.router.close(), 0)

    def dial(self, port, **fields):
        """A router with one connector to that port of this machine."""
        connector = {"name": "out", "host": "127.0.0.1", "port": port, "backoff": QUICK, **fields}
        self.start(connectors=[connector])

    def wait_for_open(self, acceptor, count=1):
        self.world.wait(lambda: len(acceptor.clients) >= count, "a connection of the router")
        return acceptor.clients[count - 1]

    def exchange(self, broker, address="orders"):
        """Messages both ways between a client of the router and what the router has dialled."""
        client = self.world.connect(self.router.url())
        for one, other in ((broker, client), (client, broker)):
            receiver = one.receiver(address)
            sender = other.sender(address)
            self.world.wait(lambda: sender.credit > 0, "credit")
            sender.send_all([str(number) for number in range(100)])
            self.world.wait(lambda: len(sender.outcomes) == 100, "all outcomes")
            self.assertEqual(set(sender.states), {ACCEPTED})
            self.assertEqual(receiver.bodies, [str(number) for number in range(100)])
            receiver.link.close()
            sender.link.close()
            self.world.barrier(client, broker)

    def test_a_container_is_dialled_and_served(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.dial(port, role="route_container")
        broker = self.wait_for_open(acceptor)
        self.assertEqual(broker.connection.remote_container, "tested")
        self.exchange(broker)

    def test_a_normal_peer_is_dialled_and_served(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.dial(port)
        self.exchange(self.wait_for_open(acceptor))

    def test_dialling_goes_on_until_somebody_answers(self):
        port = free_port()
        self.dial(port)
        self.router.wait_for_line(
            lambda line: str(port) in line and "refused" in line.lower(), "that nobody answers")
        self.exchange(self.wait_for_open(self.world.listen(port)))

    def test_a_closed_connection_is_dialled_again(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.dial(port)
        first = self.wait_for_open(acceptor)
        first.close(wait=False)
        second = self.wait_for_open(acceptor, 2)
        second.kill()
        self.exchange(self.wait_for_open(acceptor, 3))

    def test_the_next_host_is_tried_when_one_fails(self):
        nobody, spare = free_port(), free_port()
        acceptor = self.world.listen(spare, "spare")
        self.dial(nobody, failover=[f"127.0.0.1:{spare}"])
        self.exchange(self.wait_for_open(acceptor))
        # And back, when the spare one goes.
        first = self.world.listen(nobody, "first")
        acceptor.close()
        acceptor.clients[0].kill()
        self.exchange(self.wait_for_open(first), "again")

    def test_unsettled_work_of_a_lost_container_comes_back(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.dial(port)
        broker = self.wait_for_open(acceptor)
        receiver = broker.receiver("work", outcome=None)
        sender = self.world.connect(self.router.url()).sender("work")
        self.world.wait(lambda: sender.credit > 0, "credit")
        tag = sender.send(Message("work"))
        self.world.wait(lambda: receiver.received, "the message")
        broker.kill()
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertTrue(sender.outcomes[tag].failed)

    def test_heartbeats_keep_an_idle_connection(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.dial(port, idle_timeout="1s")
        broker = self.wait_for_open(acceptor)
        before = broker.transport.frames_output
        self.world.wait(lambda: broker.transport.frames_output >= before + 5, "heartbeats")
        self.assertEqual(acceptor.accepted, 1)


class TlsConnectors(unittest.TestCase):
    router = None

    def setUp(self):
        self.certificates = Certificates()
        self.addCleanup(self.certificates.close)
        self.addCleanup(lambda: self.assertEqual(self.router.close(), 0))
        self.world = World()
        self.addCleanup(self.world.close)

    def dial(self, names, profile, **fields):
        """A router that dials a TLS listener with a certificate for these names."""
        certificate, key = self.certificates.issue("server", "/CN=server", names)
        port = free_port()
        client_ca = self.certificates.path("ca.crt") if profile.get("certificate_file") else None
        domain = ssl_server(certificate, key, client_ca)
        self.acceptor = self.world.listen(port, ssl_domain=domain)
        self.router = Router(
            tls_profiles=[{"name": "out", "ca_file": self.certificates.path("ca.crt"), **profile}],
            connectors=[{"name": "out", "host": "127.0.0.1", "port": port, "backoff": QUICK,
                         "tls_profile": "out", **fields}])

    def opens(self):
        self.world.wait(lambda: self.acceptor.clients, "a connection of the router")
        return self.acceptor.clients[0]

    def refuses(self):
        self.world.wait(lambda: self.acceptor.accepted >= 2, "two attempts")
        self.assertEqual(self.acceptor.clients, [])

    def test_the_certificate_is_for_the_host_dialled(self):
        self.dial("IP:127.0.0.1", {})
        self.opens()

    def test_other_names_are_refused(self):
        self.dial("DNS:elsewhere.example", {})
        self.refuses()

    def test_another_name_may_be_expected(self):
        self.dial("DNS:elsewhere.example", {}, server_name="elsewhere.example")
        self.opens()

    def test_the_name_may_be_ignored(self):
        self.dial("DNS:elsewhere.example", {}, verify_hostname=False)
        self.opens()

    def test_other_authorities_are_refused(self):
        self.dial("IP:127.0.0.1", {"ca_file": self.certificates.authority("other-ca")})
        self.refuses()

    def test_the_own_certificate_is_shown(self):
        certificate, key = self.certificates.issue("router", "/CN=router")
        self.dial("IP:127.0.0.1", {"certificate_file": certificate, "private_key_file": key})
        self.opens()
