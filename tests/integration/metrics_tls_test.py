"""Metrics and probes over HTTPS: who is let in, and how it ends. That a rotated certificate counts
at once is in rotation_test.py."""

import socket
import ssl
import unittest

import harness
from harness import Certificates, Router
from metrics_test import Metered, Scraper


class TlsMetricsTest(Metered):
    """A router that serves metrics with profile "service"."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.issued = cls.certificates.issue("service", "/CN=localhost", "DNS:localhost")
        cls.known = cls.certificates.issue("known", "/CN=prometheus")
        cls.certificates.authority("other-ca")
        cls.stranger = cls.certificates.issue("stranger", "/CN=x", authority="other-ca")

    @classmethod
    def tearDownClass(cls):
        cls.certificates.close()

    def start(self, **metrics):
        self.router = Router(
            metrics={"port": 0, "tls_profile": "service", **metrics},
            tls_profiles=[{"name": "service", "certificate_file": self.issued[0],
                           "private_key_file": self.issued[1],
                           "ca_file": self.certificates.path("ca.crt")}])
        self.addCleanup(self.router.close)
        self.port = self.router.metrics_port()

    def context(self, shown=None):
        context = ssl.create_default_context(cafile=self.certificates.path("ca.crt"))
        if shown:
            context.load_cert_chain(*shown)
        return context

    def scraper_of(self, shown=None):
        scraper = Scraper(self.port, self.context(shown))
        self.addCleanup(scraper.close)
        return scraper

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), harness.PATIENCE)

    def refused(self, shown=None):
        """A handshake, and an answer after it, that do not come about. In TLS 1.3 a client hears of
        it behind its own handshake."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with self.context(shown).wrap_socket(self.dial(), server_hostname="localhost") as tls:
                tls.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if not tls.recv(1):
                    raise ConnectionResetError

    def test_answers_in_tls_and_nothing_else(self):
        self.start()
        scraper = self.scraper_of()
        for path in ("/livez", "/readyz", "/metrics", "/metrics"):
            self.assertEqual(scraper.get(path)[0], 200)
        handshakes = "trunkline_http_tls_handshakes_total"
        self.assertEqual(scraper.value(handshakes, result="ok"), 1)
        self.assertEqual(scraper.value(handshakes, result="failed"), 0)
        with self.dial() as plain:
            plain.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            self.assertNotIn(b"trunkline", plain.makefile("rb").read())
        self.dial().close()
        harness.until(lambda: scraper.value(handshakes, result="failed") == 2,
                      lambda: "that both are counted")

    def test_ends_in_order(self):
        self.start()
        with self.context().wrap_socket(self.dial(), server_hostname="localhost",
                                        suppress_ragged_eofs=False) as tls:
            self.assertIn(tls.version(), ("TLSv1.2", "TLSv1.3"))
            tls.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := tls.recv(1 << 16):  # raises if the end is cut off
                answer += piece
        head, body = answer.split(b"\r\n\r\n", 1)
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)

    def test_takes_a_hello_in_pieces(self):
        self.start()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.dial() as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    for byte in outgoing.read():
                        plain.sendall(bytes([byte]))
                    incoming.write(plain.recv(1 << 16))
            self.assertIsNotNone(tls.cipher())

    def test_old_versions_are_refused(self):
        self.start()
        context = self.context()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(self.dial(), server_hostname="localhost")
        failed = "trunkline_http_tls_handshakes_total"
        self.assertEqual(self.scraper_of().value(failed, result="failed"), 1)  # it was asked

    def test_certificates_of_clients_are_asked_for_as_it_is_told(self):
        self.start(tls_client_auth="require")
        self.refused()
        self.refused(self.stranger)
        scraper = self.scraper_of(self.known)
        self.assertEqual(scraper.get("/livez")[0], 200)
        self.assertEqual(scraper.value("trunkline_http_tls_handshakes_total", result="failed"), 2)

    def test_who_shows_none_may_come_where_it_is_only_asked_for(self):
        self.start(tls_client_auth="request")
        self.refused(self.stranger)
        for shown in (None, self.known):
            self.assertEqual(self.scraper_of(shown).get("/livez")[0], 200)

    def test_a_reload_changes_how_it_is_served(self):
        self.start(port=harness.free_port())
        scraper = self.scraper_of()
        self.assertEqual(scraper.get("/healthz")[0], 200)
        self.change(lambda config: config.update(
            metrics={"port": self.port, "serve_probes": False}))
        self.router.wait_for_line(lambda line: "scheme=http " in line, "that it is plain")
        plain = Scraper(self.port)
        self.addCleanup(plain.close)
        self.assertEqual(plain.get("/healthz")[0], 404)
        self.assertEqual(plain.get("/metrics")[0], 200)


if __name__ == "__main__":
    unittest.main()
