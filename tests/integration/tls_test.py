"""TLS and certificates, on listeners."""

import ssl

import harness
from clients import ssl_client
from amqp_bytes import HEADER, RawPeer
from harness import Certificates, Router, RouterTest


class Tls(RouterTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        cert, key = certificates.issue("server", "/CN=localhost",
                                       "DNS:localhost,IP:127.0.0.1,IP:::1")
        certificates.issue("client", "/O=Works/CN=client")
        cls.other_ca = certificates.authority("other-ca")
        certificates.issue("stranger", "/CN=stranger", authority="other-ca")
        password = certificates.path("password")
        with open(password, "w", encoding="ascii") as file:
            file.write("sesame\n")
        base = {"certificate_file": cert, "private_key_file": key,
                "ca_file": certificates.path("ca.crt"), "uid_format": "on"}
        locked = {**base, "private_key_file": certificates.encrypt_key("server", "sesame"),
                  "password_file": password}
        cls.CONFIG = {"tls_profiles": [
            {"name": "server", **base},
            {"name": "old", **base, "protocols_max": "tls12"},
            {"name": "new", **base, "protocols_min": "tls13"},
            {"name": "locked", **locked},
        ]}
        cls.LISTENERS = {
            "secure": {"tls_profile": "server"},
            "mutual": {"tls_profile": "server", "tls_client_auth": "require",
                       "require_sasl": True, "sasl_mechanisms": ["EXTERNAL"]},
            "asking": {"tls_profile": "server", "tls_client_auth": "request"},
            "older": {"tls_profile": "old"},
            "newer": {"tls_profile": "new"},
            "locked": {"tls_profile": "locked"},
            "hasty": {"tls_profile": "server", "initial_handshake_timeout": "300ms"},
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    def domain(self, who=None, **options):
        path = self.certificates.path
        options.setdefault("ca", path("ca.crt"))
        if who is not None:
            options.update(certificate=path(f"{who}.crt"), key=path(f"{who}.key"))
        return ssl_client(**options)

    def dial(self, listener, domain, host="localhost", wait=True, **options):
        url = f"amqps://{host}:{self.router.port(listener)}"
        return self.world.connect(url, wait=wait, ssl_domain=domain, **options)

    def refused(self, listener, domain, **options):
        client = self.dial(listener, domain, wait=False, **options)
        self.world.wait(lambda: client.gone or client.opened, "the refusal")
        self.assertFalse(client.opened)
        return client

    def exchange(self, client):
        """Messages from the client to itself, some of them large."""
        receiver = client.receiver(self.address, credit=1000)
        sender = client.sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        bodies = ["small", "x" * 300_000, ""] * 20
        sender.send_all(bodies)
        self.world.wait(lambda: len(sender.outcomes) == 60, "all outcomes")
        self.assertEqual(receiver.bodies, bodies)

    def protocol(self, client):
        return client.transport.ssl().protocol_name()

    def test_the_newest_version_is_used(self):
        client = self.dial("secure", self.domain())
        self.assertEqual(self.protocol(client), "TLSv1.3")
        self.exchange(client)

    def test_version_1_2_works(self):
        client = self.dial("older", self.domain())
        self.assertEqual(self.protocol(client), "TLSv1.2")
        self.exchange(client)
        client = self.dial("secure", self.domain(protocols="TLSv1.2"))
        self.assertEqual(self.protocol(client), "TLSv1.2")

    def test_versions_outside_the_profile_are_refused(self):
        self.refused("newer", self.domain(protocols="TLSv1.2"))
        self.refused("older", self.domain(protocols="TLSv1.3"))
        self.exchange(self.dial("newer", self.domain()))

    def test_clients_check_the_name_and_the_authority(self):
        self.refused("secure", self.domain(), sni="elsewhere.example",
                     virtual_host="elsewhere.example")
        self.refused("secure", self.domain(ca=self.other_ca))

    def test_an_encrypted_key_is_opened_by_its_password(self):
        self.exchange(self.dial("locked", self.domain()))

    def test_a_certificate_logs_in_as_external(self):
        client = self.dial("mutual", self.domain("client"), allowed_mechs="EXTERNAL")
        self.assertEqual(client.transport.sasl().mech, "EXTERNAL")
        self.exchange(client)

    def test_without_a_certificate_nobody_gets_in_where_it_is_required(self):
        self.refused("mutual", self.domain())
        self.refused("mutual", self.domain(), allowed_mechs="ANONYMOUS")
        self.refused("mutual", self.domain("client"), sasl_enabled=False)

    def test_certificates_of_others_are_refused(self):
        self.refused("mutual", self.domain("stranger"), allowed_mechs="EXTERNAL")
        self.refused("asking", self.domain("stranger"))

    def test_a_requested_certificate_may_be_absent(self):
        self.exchange(self.dial("asking", self.domain()))
        client = self.dial("asking", self.domain("client"))
        self.assertEqual(client.transport.sasl().mech, "EXTERNAL")

    def test_plaintext_is_refused(self):
        client = self.world.connect(self.router.url("secure"), wait=False)
        self.world.wait(lambda: client.gone, "the refusal")
        self.assertFalse(client.opened)
        with RawPeer(self.router.port("secure")) as peer:
            peer.send(HEADER)
            self.assertNotIn(b"AMQP", peer.read_until_end())

    def test_a_handshake_that_stalls_is_dropped(self):
        with RawPeer(self.router.port("hasty")) as peer:
            peer.send(b"\x16\x03\x01")
            peer.read_until_end()

    def test_sessions_are_not_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.certificates.path("ca.crt"))
            context.minimum_version = context.maximum_version = version
            session = None
            for _ in range(2):
                with RawPeer(self.router.port("secure")) as peer:
                    tls = context.wrap_socket(peer.socket, server_hostname="localhost",
                                              session=session)
                    tls.sendall(HEADER)
                    self.assertEqual(tls.recv(8), HEADER)
                    self.assertFalse(tls.session_reused)
                    session = tls.session
                    self.assertFalse(session is not None and session.has_ticket)
                    tls.close()

    def test_a_wrong_key_is_an_error_of_the_configuration(self):
        profile = {"name": "wrong", "certificate_file": self.certificates.path("server.crt"),
                   "private_key_file": self.certificates.path("client.key")}
        with self.assertRaisesRegex(AssertionError, "does not belong"):
            Router({"plain": {}}, tls_profiles=[profile])


class TlsOfManyClients(RouterTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cert, key = cls.certificates.issue("server", "/CN=localhost", "DNS:localhost")
        cls.CONFIG = {"tls_profiles": [
            {"name": "server", "certificate_file": cert, "private_key_file": key}]}
        cls.LISTENERS = {"secure": {"tls_profile": "server"}}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    def test_a_hundred_at_a_time(self):
        domain = ssl_client(ca=self.certificates.path("ca.crt"))
        url = f"amqps://localhost:{self.router.port('secure')}"
        clients = [self.world.connect(url, wait=False, ssl_domain=domain) for _ in range(100)]
        self.world.wait(lambda: all(c.opened or c.gone for c in clients), "all opens",
                        2 * harness.PATIENCE)
        self.assertTrue(all(client.opened for client in clients))
