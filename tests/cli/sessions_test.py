"""The screens of golden/, each a session with a router of its own."""

import os
import unittest

from harness import Certificates, Router
from terminal import Terminal

ADDRESSES = [{"name": "news", "prefix": "news", "distribution": "multicast"},
             {"name": "jobs", "pattern": "jobs/#"}]


class Sessions(unittest.TestCase):
    def session(self, name, listeners=None, **config):
        config.setdefault("router", {})["id"] = "east"
        router = Router({"amqp": {}} if listeners is None else listeners, **config)
        self.addCleanup(router.close)
        terminal = Terminal(router.directory, TRUNKLINE_ENDPOINT=router.socket())
        terminal.check(self, name)
        return router

    def test_resources_are_seen(self):
        self.session("get.txt", addresses=ADDRESSES)

    def test_resources_are_made_changed_and_taken_away(self):
        self.session("change.txt", addresses=ADDRESSES)

    def test_mistakes_are_explained(self):
        self.session("mistakes.txt")

    def test_the_router_is_seen_and_stopped(self):
        router = self.session("router.txt")
        self.assertEqual(router.wait_for_exit(), 0)

    def test_certificates_are_seen(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        cert, key = certificates.issue("service", "/CN=localhost", "DNS:localhost")
        folder = os.path.dirname(cert)
        self.assertEqual(folder, certificates.directory)
        self.session("tls.txt", {"amqps": {"tls_profile": "service"}},
                     tls_profiles=[{"name": "service", "certificate_file": cert,
                                    "private_key_file": key}])


if __name__ == "__main__":
    unittest.main()
