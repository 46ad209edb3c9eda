"""Logins with a name and a password: clients of trunkd, and trunkd as a client."""

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import harness
from clients import ssl_client
from harness import Certificates, Router, RouterTest
from sasl_bytes import AUTH, OK, SYS_TEMP, Login

PASSWORD = "open-sesame-4711"
OTHER = "open-barley-0815"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")


class Folder:
    """A directory with a file per user, and password files."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="trunkline-users-")
        self.users = os.path.join(self.path, "users")
        os.mkdir(self.users)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text):
        """Puts the file in its place at once, as whoever manages secrets does."""
        path = os.path.join(self.path, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", stat.S_IRUSR | stat.S_IWUSR)
        target = os.path.join(self.path, os.path.dirname(name), "." + os.path.basename(name))
        os.rename(path + ".new", target)
        os.rename(target, path)
        return path


class SaslTest(RouterTest):
    """Clients that log in: by PLAIN with Proton, by SCRAM with a client of bytes, as Proton has it
    only where it was built with libsasl2."""

    def plain(self, listener="plain", user="admin", password=PASSWORD, wait=True, **options):
        options.setdefault("allow_insecure_mechs", True)
        return self.world.connect(self.router.url(listener), wait=wait, allowed_mechs="PLAIN",
                                  user=user, password=password, **options)

    def begin(self, listener="plain"):
        login = Login(self.router.port(listener))
        self.addCleanup(login.close)
        return login

    def scram(self, listener="plain", user="admin", password=PASSWORD, mechanism="SCRAM-SHA-256"):
        """The outcome."""
        return self.begin(listener).scram(mechanism, user, password)

    def refused(self, client):
        self.world.wait(lambda: client.gone or client.opened, "the refusal")
        self.assertFalse(client.opened)

    def opened(self, user):
        return self.router.wait_for_line(
            lambda line: "connection opened" in line and f"user={user}" in line,
            f"that {user} has come")


class Passwords(SaslTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cert, key = cls.certificates.issue("server", "/CN=localhost", "DNS:localhost")
        cls.folder = Folder()
        cls.folder.write("users/admin", PASSWORD + "\n")
        cls.CONFIG = {
            "log": {"levels": {"default": "trace"}},
            "tls_profiles": [{"name": "server", "certificate_file": cert,
                              "private_key_file": key}],
            "user_stores": [{"name": "clients", "directory": cls.folder.users,
                             "realm": "myrouter"}],
        }
        cls.LISTENERS = {
            "plain": {"user_store": "clients", "require_sasl": True},
            "secure": {"user_store": "clients", "require_sasl": True, "tls_profile": "server"},
            "open": {"user_store": "clients", "require_sasl": True, "allow_insecure_plain": True},
            "both": {"user_store": "clients"},
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
            log = "\n".join(cls.router.lines)
            for secret in (PASSWORD, OTHER):
                if secret in log:
                    raise AssertionError("a password is in the log")
        finally:
            cls.folder.close()
            cls.certificates.close()

    def secure(self, **options):
        domain = ssl_client(ca=self.certificates.path("ca.crt"))
        url = f"amqps://localhost:{self.router.port('secure')}"
        return self.world.connect(url, ssl_domain=domain, **options)

    def test_scram_without_tls(self):
        for mechanism in SCRAM:
            self.assertEqual(self.scram(mechanism=mechanism), OK)

    def test_plain_over_tls(self):
        client = self.secure(allowed_mechs="PLAIN", user="admin", password=PASSWORD)
        self.assertEqual(client.transport.sasl().mech, "PLAIN")
        self.opened("admin@myrouter")

    def test_the_realm_may_be_named(self):
        for user in ("admin", "admin@myrouter"):
            self.assertEqual(self.scram(user=user), OK)
            self.plain("open", user=user)
        self.assertEqual(self.scram(user="admin@elsewhere"), AUTH)

    def test_plain_without_tls_is_neither_offered_nor_taken(self):
        login = self.begin()
        self.assertNotIn(b"PLAIN", login.mechanisms)
        self.assertEqual(login.plain("admin", PASSWORD), AUTH)
        self.refused(self.plain(wait=False))

    def test_plain_without_tls_where_it_is_allowed(self):
        client = self.plain("open")
        self.assertEqual(client.transport.sasl().mech, "PLAIN")

    def test_what_is_offered(self):
        offered = {"plain": (b"SCRAM-SHA-256", b"SCRAM-SHA-1"),
                   "open": (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"PLAIN"),
                   "both": (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"ANONYMOUS")}
        for listener, wanted in offered.items():
            mechanisms = self.begin(listener).mechanisms
            for name in (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"PLAIN", b"ANONYMOUS", b"EXTERNAL"):
                self.assertEqual(name in mechanisms, name in wanted, (listener, name))

    def test_anonymous_only_where_sasl_is_not_required(self):
        client = self.world.connect(self.router.url(), wait=False, allowed_mechs="ANONYMOUS")
        self.refused(client)
        self.world.connect(self.router.url("both"), allowed_mechs="ANONYMOUS")
        self.assertEqual(self.scram("both", mechanism="SCRAM-SHA-1"), OK)

    def test_no_password_is_on_a_command_line(self):
        with open(f"/proc/{self.router.process.pid}/cmdline", "rb") as file:
            self.assertNotIn(PASSWORD.encode(), file.read())


class OneUser(SaslTest):
    """A router of its own, as failed logins of one address are limited."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.folder.write("users/admin", PASSWORD)
        cls.CONFIG = {"user_stores": [{"name": "clients", "directory": cls.folder.users}]}
        cls.LISTENERS = {"plain": {"user_store": "clients", "require_sasl": True,
                                   "allow_insecure_plain": True}}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.folder.close()


class WrongPasswords(OneUser):
    def test_are_told_late_and_alike(self):
        salts = {}
        for user in ("admin", "nobody"):
            begin = time.monotonic()
            self.refused(self.plain(user=user, password=OTHER, wait=False))
            self.assertGreaterEqual(time.monotonic() - begin, 1.0)
            for _ in range(2):
                begin = time.monotonic()
                login = self.begin()
                self.assertEqual(login.scram("SCRAM-SHA-256", user, OTHER), AUTH)
                self.assertGreaterEqual(time.monotonic() - begin, 1.0)
                salts.setdefault(user, set()).add(login.challenge["s"])
        self.assertEqual([len(salts[user]) for user in salts], [1, 1], "stable, each")
        self.assertEqual(self.scram(), OK)
        self.router.wait_for_line(
            lambda line: "login failed" in line and "mechanism=PLAIN" in line
            and "user=nobody" in line, "whose login failed")
        self.assertNotIn(OTHER, "\n".join(self.router.lines))


class TooManyWrongPasswords(OneUser):
    def test_are_refused_unseen(self):
        logins = [self.begin() for _ in range(20)]
        for login in logins:
            login.init("PLAIN", b"\0admin\0" + OTHER.encode())
        outcomes = [login.finish() for login in logins]
        # Steps are worked on by two threads: one more may be looked at while the tenth is.
        self.assertIn(outcomes.count(AUTH), (10, 11))
        self.assertEqual(outcomes.count(AUTH) + outcomes.count(SYS_TEMP), 20)
        # After a while the right password counts again.
        deadline = time.monotonic() + harness.PATIENCE
        while self.scram() != OK:
            self.assertLess(time.monotonic(), deadline)


class Reload(OneUser):
    def wait_for(self, text):
        self.router.wait_for_line(lambda line: text in line, text)

    def wait_until(self, done):
        """Asks again until it is so: each try is a login."""
        deadline = time.monotonic() + harness.PATIENCE
        while not done():
            self.assertLess(time.monotonic(), deadline)

    def test_users_come_change_and_go_without_a_restart(self):
        stays = self.plain()
        self.folder.write("users/jo", OTHER)
        self.folder.write("users/admin", OTHER)
        self.wait_until(lambda: self.scram(user="jo", password=OTHER) == OK)
        self.wait_until(lambda: self.scram(password=OTHER) == OK)
        self.assertEqual(self.scram(password=PASSWORD), AUTH)
        self.assertFalse(stays.gone)

        # A directory that cannot be read: who could log in still can.
        self.folder.write("users/jo", "")
        self.wait_for("users not read again")
        self.assertEqual(self.scram(user="jo", password=OTHER), OK)
        self.router.process.send_signal(signal.SIGHUP)
        self.wait_for("not reloaded: nothing was changed")
        self.assertEqual(self.scram(user="jo", password=OTHER), OK)

        os.remove(os.path.join(self.folder.users, "jo"))
        self.wait_until(lambda: self.scram(user="jo", password=OTHER) == AUTH)


@unittest.skipUnless(shutil.which("saslpasswd2"), "needs saslpasswd2 of sasl2-bin")
class Sasldb(SaslTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.file = os.path.join(cls.folder.path, "sasldb2")
        cls.add("admin", PASSWORD)
        cls.CONFIG = {"user_stores": [{"name": "clients", "sasldb_file": cls.file,
                                       "realm": "myrouter"}]}
        cls.LISTENERS = {"plain": {"user_store": "clients", "require_sasl": True,
                                   "allow_insecure_plain": True}}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.folder.close()

    @classmethod
    def add(cls, user, password):
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", cls.file, "-u", "myrouter", user],
                       input=password.encode(), check=True)

    def test_its_users_log_in(self):
        for user in ("admin", "admin@myrouter"):
            self.plain(user=user)
            for mechanism in SCRAM:
                self.assertEqual(self.scram(user=user, mechanism=mechanism), OK)
        self.opened("admin@myrouter")
        for user in ("admin", "nobody"):
            self.assertEqual(self.scram(user=user, password=OTHER), AUTH)
            self.assertEqual(self.begin().plain(user, OTHER), AUTH)

    def test_a_new_user_logs_in_at_once(self):
        self.add("jo", OTHER)
        self.assertEqual(self.scram(user="jo", password=OTHER, mechanism="SCRAM-SHA-1"), OK)


class Connectors(unittest.TestCase):
    """trunkd as a client of trunkd."""

    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.folder.write("users/router", PASSWORD)
        self.password = self.folder.write("password", PASSWORD + "\n")

    def server(self, **listener):
        server = Router({"in": {"user_store": "routers", "require_sasl": True, **listener}},
                        user_stores=[{"name": "routers", "directory": self.folder.users}])
        self.addCleanup(server.close)
        return server

    def dial(self, server, **connector):
        client = Router({}, connectors=[{
            "name": "out", "host": "127.0.0.1", "port": server.port("in"), "sasl_user": "router",
            "sasl_password_file": self.password, "backoff": {"failed": "100ms"}, **connector}],
            log={"levels": {"default": "trace"}})
        self.addCleanup(client.close)
        self.addCleanup(lambda: self.assertNotIn(PASSWORD, "\n".join(client.lines)))
        return client

    def opens(self, router, user=""):
        router.wait_for_line(lambda line: "connection opened" in line and user in line, "open")

    def test_log_in_by_scram(self):
        for mechanism in SCRAM:
            server = self.server(sasl_mechanisms=[mechanism])
            client = self.dial(server)
            self.opens(server, "user=router")
            self.opens(client)

    def test_use_plain_without_tls_only_where_it_is_allowed(self):
        server = self.server(sasl_mechanisms=["PLAIN"], allow_insecure_plain=True)
        careful = self.dial(server)
        careful.wait_for_line(lambda line: "no mechanism in common" in line, "why")
        self.opens(self.dial(server, allow_insecure_plain=True))
        self.opens(server, "user=router")

    def test_fail_with_a_wrong_password_and_take_a_new_one(self):
        server = self.server()
        self.folder.write("password", OTHER)
        client = self.dial(server)
        client.wait_for_line(lambda line: "connector failed" in line and
                             "authentication failed" in line, "that it failed")
        self.folder.write("password", PASSWORD)
        client.process.send_signal(signal.SIGHUP)
        self.opens(client)


if __name__ == "__main__":
    unittest.main()
