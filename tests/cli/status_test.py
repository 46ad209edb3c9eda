"""The exit statuses of trunkctl, a test for each, over the socket and over TCP with TLS."""

import socket
import unittest

from harness import Certificates, Router
from terminal import Terminal

POLICY = "viewer: ['cn:viewer']\nadmin: ['cn:admin']\n"


class ExitStatus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        cls.addClassCleanup(certificates.close)
        cert, key = certificates.issue("server", "/CN=localhost", "DNS:localhost")
        for name in ("viewer", "admin", "nobody"):
            certificates.issue(name, f"/CN={name}")
        certificates.issue("late", "/CN=viewer", days=-1)
        certificates.authority("other-ca")
        certificates.issue("stranger", "/CN=admin", authority="other-ca")
        policy = certificates.path("policy.yaml")
        with open(policy, "w", encoding="ascii") as file:
            file.write(POLICY)
        cls.router = Router(
            tls_profiles=[{"name": "control", "certificate_file": cert, "private_key_file": key,
                           "ca_file": certificates.path("ca.crt")}],
            control={"tcp": {"host": "127.0.0.1", "port": 0, "tls_profile": "control",
                             "policy_file": policy}})
        cls.addClassCleanup(cls.router.close)

    def setUp(self):
        self.terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket())

    def ends(self, status, command, says=""):
        """Without a terminal: output of good commands on the one stream, errors on the other."""
        ended, output, errors = self.terminal.pipe(f"trunkctl {command}")
        self.assertEqual(ended, status, output + errors)
        self.assertIn(says, output if status == 0 else errors)
        self.assertEqual(errors if status == 0 else output, "")
        # The library's own log is none of it.
        self.assertTrue(all(line.startswith(("trunkctl", "  ")) for line in errors.splitlines()),
                        errors)
        return errors

    def tcp(self, who, ca="ca.crt"):
        path = self.certificates.path
        return (f"--endpoint localhost:{self.router.api_port()} --tls-cert {path(who + '.crt')} "
                f"--tls-key {path(who + '.key')} --tls-ca {path(ca)}")

    def test_0_good(self):
        self.ends(0, "version", "API v1")
        self.ends(0, "--help", "Usage: trunkctl")
        self.ends(0, f"get listeners -o name {self.tcp('viewer')}", "listeners/plain")
        self.ends(0, f"create address good prefix=good {self.tcp('admin')}", "created")

    def test_1_failed(self):
        self.ends(1, "delete listener plain", "READ_ONLY_SOURCE")
        self.ends(1, "create listener x port=99999", "INVALID_CONFIGURATION")
        self.ends(1, "config check /nowhere", "/nowhere")
        # What was asked for is not where it should be.
        for lost in ("get listeners > /dev/full", "--help > /dev/full", "get listeners >&-"):
            self.ends(1, lost, "standard output")

    def test_2_usage(self):
        for wrong in ("", "gte", "get", "get x", "get listeners -o xml", "get --unknown",
                      "get listeners --limit", "get listeners --timeout 5", "create listener",
                      "create listener x port", "create listener x port=many", "config",
                      "create address x prefix=a prefix=b", "status x", "version x", "drain x",
                      "shutdown x", "config show x", "log-level list x", "context list x",
                      "doctor x", "top x", "events x", "logs x", "manual x",
                      "create listener x port=0 --allow-expired",
                      "status --endpoint localhost", "status --endpoint https://localhost:9443",
                      "status --endpoint nowhere.sock", "status --endpoint localhost:99999",
                      "context set x --endpoint localhost",
                      "status --endpoint localhost:1 --tls-cert x",
                      "status --endpoint localhost:1 --tls-key x"):
            self.ends(2, wrong, "trunkctl")
        # None of it was done.
        self.ends(0, "status", "1 of 1 listening")
        self.ends(3, "get address x", "ADDRESS_NOT_FOUND")

    def test_3_not_found(self):
        self.ends(3, "get listener x", "LISTENER_NOT_FOUND")
        self.ends(3, "delete listener x", "LISTENER_NOT_FOUND")
        self.ends(3, "set listener x port=1", "LISTENER_NOT_FOUND")

    def test_4_conflict(self):
        self.ends(0, "create address taken prefix=taken")
        self.ends(4, "create address taken prefix=other", "ADDRESS_EXISTS")
        self.ends(4, "set address taken distribution=multicast --etag 1", "ETAG_MISMATCH")
        self.ends(4, "delete address taken --etag 1", "ETAG_MISMATCH")

    def test_5_denied(self):
        self.ends(5, f"create address x prefix=x {self.tcp('viewer')}", "ROLE_REQUIRED")
        self.ends(5, f"status {self.tcp('nobody')}", "ROLE_REQUIRED")

    def test_6_unreachable(self):
        self.ends(6, "status --endpoint /nowhere.sock", "/nowhere.sock")
        self.ends(6, f"status {self.tcp('stranger')} --timeout 5s", "may not take our certificate")
        self.ends(6, f"status {self.tcp('late')} --timeout 5s", "has it expired?")
        self.ends(6, f"status {self.tcp('viewer', ca='other-ca.crt')} --timeout 5s", "--tls-ca")
        address, tcp = f"localhost:{self.router.api_port()}", self.tcp("viewer")
        self.ends(6, f"status --endpoint {address} --tls-ca {self.certificates.path('ca.crt')}",
                  "it may want a certificate")
        self.ends(6, f"status {tcp} --endpoint 127.0.0.1:{self.router.api_port()}", "--tls-name")
        self.ends(6, f"status {tcp} --tls-key {self.certificates.path('admin.key')}",
                  "belong together")
        self.ends(6, f"status {tcp} --endpoint localhost:{self.router.port()}", "no TLS")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.ends(6, f"status --endpoint 127.0.0.1:{silent.getsockname()[1]} --timeout 200ms")


if __name__ == "__main__":
    unittest.main()
