"""Passwords: not in core files, not in memory that they take, not in `ps`, not in the log."""

import base64
import os
import secrets
import ssl
import time
import unittest

import harness
from amqp_bytes import HEADER, open_frame
from core_test import is_sanitized
from harness import Certificates, Router
from memory import places
from sasl_bytes import AUTH, OK, Login
from sasl_test import Folder

FINE = {"log": {"levels": {"default": "trace"}}}


def sent(user, password):
    """What PLAIN says."""
    return b"\0" + user.encode() + b"\0" + password.encode()


class Memory(unittest.TestCase):
    """Passwords that did their work are in none of the memory that a core file would hold."""

    def setUp(self):
        if is_sanitized():
            self.skipTest("sanitizers keep memory of their own")
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.secrets = {}

    def secret(self, what, size=16):
        """A password that is nowhere else, told as `what` when it is found."""
        password = secrets.token_hex(size)
        self.secrets[password] = what
        return password

    def user(self, name, **size):
        """A user with a password of his own."""
        password = self.secret(f"of {name}", **size)
        self.folder.write(f"users/{name}", password + "\n")
        return name, password

    def start(self, listeners, **config):
        router = Router(listeners, router={"core_dumps": True}, **FINE, **config)
        self.addCleanup(router.close)
        return router

    def secure(self, **fields):
        """A router with users and a certificate whose key has a password."""
        certificates = Certificates()
        self.addCleanup(certificates.close)
        certificate, _ = certificates.issue("server", "/CN=localhost", "DNS:localhost")
        password = self.secret("of the private key")
        key = certificates.encrypt_key("server", password)
        self.folder.write("key.password", password + "\n")
        self.authority = certificates.path("ca.crt")
        profile = {"name": "server", "certificate_file": certificate, "private_key_file": key,
                   "password_file": os.path.join(self.folder.path, "key.password")}
        users = {"user_store": "users", "require_sasl": True}
        stores = [{"name": "users", "directory": self.folder.users, "realm": "myrouter"}]
        return self.start({"plain": users, "secure": {"tls_profile": "server", **users, **fields}},
                          tls_profiles=[profile], user_stores=stores)

    def begin(self, router, listener="secure"):
        context = ssl.create_default_context(cafile=self.authority)
        wrap = None
        if listener == "secure":
            def wrap(plain):
                return context.wrap_socket(plain, server_hostname="localhost")
        login = Login(router.port(listener), wrap)
        self.addCleanup(login.close)
        return login

    def open(self, login):
        """Goes on to AMQP: what was needed until then is dropped."""
        login.peer.send(HEADER + open_frame())
        login.peer.read_until(HEADER)

    def left_nothing(self, *routers):
        """In memory, once what is under way has come to its end; in the log, in `ps`."""
        texts = {}
        for password, what in self.secrets.items():
            texts[password.encode()] = what
            texts[base64.b64encode(password.encode())] = f"{what}, in base64"
        for router in routers:
            deadline = time.monotonic() + 10
            while found := places(router.process.pid, list(texts)):
                if time.monotonic() > deadline:
                    told = "\n".join(f"{texts[text]}: {where}" for text, where in found.items())
                    self.fail(f"passwords are in memory:\n{told}")
            log = "\n".join(router.lines).encode()
            for file in ("cmdline", "environ"):
                with open(f"/proc/{router.process.pid}/{file}", "rb") as shown:
                    log += shown.read()
            self.assertEqual([what for text, what in texts.items() if text in log], [])

    def test_what_is_looked_for_is_found_where_it_is(self):
        name = secrets.token_hex(16)
        router = self.start({"plain": {}}, addresses=[{"prefix": name}])
        self.assertIn(name.encode(), places(router.process.pid, [name.encode()]))

    def test_of_logins_over_tls(self):
        users = [self.user("admin"), self.user("a", size=4), self.user("b" * 50, size=60)]
        router = self.secure()
        for user, password in users * 2:
            login = self.begin(router)
            self.assertEqual(login.plain(user, password), OK)
            self.open(login)
        self.left_nothing(router)

    def test_of_a_mechanism_that_sends_nothing_but_the_password(self):
        users = [self.user("admin"), self.user("a", size=4)]
        router = self.secure(sasl_mechanisms=["LOGIN"])
        for user, password in users:
            login = self.begin(router)
            self.assertEqual(login.login(user, password), OK)
            self.open(login)
        self.left_nothing(router)

    def test_of_a_login_that_trickles_in(self):
        user, password = self.user("admin")
        router = self.secure()
        for listener in ("secure", "plain"):
            login = self.begin(router, listener)
            login.in_pieces_of(7)
            login.plain(user, password)
            if listener == "secure":
                self.open(login)
        self.left_nothing(router)

    def test_of_scram(self):
        user, password = self.user("admin")
        router = self.secure()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            login = self.begin(router)
            self.assertEqual(login.scram(mechanism, user, password), OK)
            self.open(login)
        self.left_nothing(router)

    def test_of_logins_that_fail(self):
        user, _ = self.user("admin")
        router = self.secure()
        self.assertEqual(self.begin(router).plain(user, self.secret("that is wrong")), AUTH)
        # Where it is not offered it comes all the same, and in the clear.
        self.assertEqual(self.begin(router, "plain").plain(user, self.secret("too early")), AUTH)
        self.left_nothing(router)

    def test_of_frames_that_are_none(self):
        user, _ = self.user("admin")
        router = self.secure()
        for fault in (b"\0\0\0\x80\1\1\0\0", b"\0\0\0\x30\2\1\0\0\0\x53\x41\xc0\xff"):
            login = self.begin(router)
            login.peer.send(fault + sent(user, self.secret("that no frame is")))
            login.peer.read_until_end()
        self.left_nothing(router)

    def test_of_half_a_login(self):
        user, _ = self.user("admin")
        router = self.secure()
        login = self.begin(router)
        login.peer.send(b"\0\0\1\0\2\1\0\0" + sent(user, self.secret("that has no end")))
        login.close()
        router.wait_for_line(lambda line: "hung up during the handshake" in line, "the end")
        self.left_nothing(router)

    def connector(self, name="router", size=32, **fields):
        """A router that logs in to another."""
        user, password = self.user(name, size=size)
        server = self.secure(**fields)
        file = self.folder.write("password", password + "\n")
        client = self.start({}, tls_profiles=[{"name": "all", "ca_file": self.authority}],
                            connectors=[{"name": "out", "host": "localhost",
                                         "port": server.port("secure"), "tls_profile": "all",
                                         "sasl_user": user, "sasl_password_file": file}])
        for router in (server, client):
            router.wait_for_line(lambda line: "connection opened" in line, "that it is open")
        self.left_nothing(server, client)

    def test_of_a_connector_with_plain(self):
        self.connector(sasl_mechanisms=["PLAIN"])

    def test_of_a_connector_with_a_short_password(self):
        self.connector(name="r", size=4, sasl_mechanisms=["PLAIN"])

    def test_of_a_connector_with_scram(self):
        self.connector(sasl_mechanisms=["SCRAM-SHA-256"])


if __name__ == "__main__":
    unittest.main()
