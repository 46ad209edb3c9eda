"""Certificates are replaced while connections stay: over the API and because files change, on
listeners, connectors, the port of the API itself and that of metrics."""

import hashlib
import json
import os
import shutil
import socket
import ssl
import statistics
import time
import unittest

import harness
from api_client import Api, ApiError
from clients import World, ssl_client, ssl_server
from harness import Certificates, Router

ROTATE = "TlsService/RotateCertificate"
GET = "TlsService/GetTlsProfile"
NAMES = "DNS:localhost,IP:127.0.0.1"
# A reply comes within 0.2 s on a machine that has nothing else to do.
SOON = 0.2


class RotationTest(unittest.TestCase):
    """A router with profile "filed", read from tls.crt and tls.key, which listener "secure" and the
    ports of API and metrics use; make_profile makes "made" over the API, and a listener of that
    name."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.folder = cls.certificates.directory
        cls.certificates.issue("admin", "/CN=admin")
        for name in ("first", "second", "third"):
            cls.certificates.issue(name, f"/CN={name}", NAMES)
        cls.certificates.issue("expired", "/CN=expired", NAMES, days=-1)
        cls.certificates.issue("elsewhere", "/CN=elsewhere", "DNS:elsewhere.example")

    @classmethod
    def tearDownClass(cls):
        cls.certificates.close()

    def setUp(self):
        self.swap("first")
        self.router = Router(
            {"secure": {"tls_profile": "filed"}},
            tls_profiles=[{"name": "filed", "certificate_file": self.path("tls.crt"),
                           "private_key_file": self.path("tls.key"),
                           "ca_file": self.path("ca.crt")}],
            control={"tcp": {"host": "127.0.0.1", "port": 0, "tls_profile": "filed"}},
            metrics={"port": 0, "tls_profile": "filed"})
        self.addCleanup(self.end_router)
        # The folder is another for each router, that of the state is not.
        with open(self.router.config_file, encoding="utf-8") as file:
            config = json.load(file)
        config["control"]["state_directory"] = os.path.join(self.router.directory, "state")
        with open(self.router.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.restart()
        self.world = World()
        self.addCleanup(self.world.close)

    def end_router(self):
        status = self.router.close()
        self.assertEqual(status, 0, self.router.log())

    def restart(self):
        """Ends what there is by SIGKILL, and starts it anew."""
        self.router.process.kill()
        self.router.process.wait()
        self.router.forget_log()
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    # --- certificates

    def path(self, name):
        return self.certificates.path(name)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def fingerprint(self, name):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.read(f"{name}.crt"))).hexdigest()

    def place(self, source, target):
        """Puts a file in place by rename."""
        shutil.copyfile(self.path(source), self.path(target + ".next"))
        os.replace(self.path(target + ".next"), self.path(target))

    def swap(self, name):
        self.place(f"{name}.key", "tls.key")
        self.place(f"{name}.crt", "tls.crt")

    def inline(self, name, key=None):
        return {"certificate": self.read(f"{name}.crt"),
                "privateKey": self.read(f"{key or name}.key")}

    # --- what is shown

    def trusting(self):
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        context.load_cert_chain(self.path("admin.crt"), self.path("admin.key"))
        return context

    def shown(self, port, stream=None):
        """The fingerprint of what a port shows, on a new connection or the one given."""
        with stream or socket.create_connection(("127.0.0.1", port), harness.PATIENCE) as plain:
            plain.settimeout(harness.PATIENCE)
            with self.trusting().wrap_socket(plain, server_hostname="localhost") as tls:
                return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()

    def ports(self):
        return {"secure": self.router.port("secure"), "api": self.router.api_port(),
                "metrics": self.router.metrics_port()}

    def assert_shown(self, name, ports=None):
        for what, port in (ports or self.ports()).items():
            self.assertEqual(self.shown(port), self.fingerprint(name), what)

    def wait_until_shown(self, name, port):
        self.wait(lambda: self.shown(port) == self.fingerprint(name), f"that {name} is shown")

    def wait(self, condition, what):
        harness.until(condition, lambda: f"{what}\n{self.router.log()}")

    # --- over the API

    def rotate(self, profile="filed", **fields):
        fields = fields or {"files": {}}
        return self.api.call(ROTATE, name=f"tlsProfiles/{profile}", **fields)

    def refused(self, code, reason, profile="filed", **fields):
        with self.assertRaises(ApiError) as caught:
            self.rotate(profile, **fields)
        error = caught.exception
        self.assertEqual((error.code, error.reason), (code, reason), str(error))
        self.assertNotIn("PRIVATE KEY", str(error) + str(error.metadata) + str(error.violations))
        return error

    def profile(self, name="filed"):
        return self.api.call(GET, name=f"tlsProfiles/{name}")

    def make_profile(self):
        """Profile and listener "made", with certificate "first"; the port."""
        self.api.call("TlsService/CreateTlsProfile", tlsProfileId="made", tlsProfile={"spec": {}})
        self.assertTrue(self.rotate("made", inline=self.inline("first")).persisted)
        return self.make_listener("made")

    def make_listener(self, profile, **spec):
        """A listener of the name of its profile; its port."""
        self.api.call("ListenerService/CreateListener", listenerId=profile, listener={"spec": {
            "host": "127.0.0.1", "port": 0, "tlsProfile": f"tlsProfiles/{profile}", **spec}})
        return self.port_of(profile)

    def port_of(self, listener):
        found = self.api.call("ListenerService/GetListener", name=f"listeners/{listener}")
        return int(found.status.bound_addresses[0].rsplit(":", 1)[1])

    # --- AMQP

    def dial(self, port, **options):
        return self.world.connect(f"amqps://localhost:{port}",
                                  ssl_domain=ssl_client(ca=self.path("ca.crt")), **options)

    def exchange(self, client, address):
        """Messages from a client to itself."""
        receiver = client.receiver(address)
        sender = client.sender(address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send_all(["one", "x" * 100_000, "three"])
        self.world.wait(lambda: len(sender.outcomes) == 3, "outcomes")
        self.world.wait(lambda: len(receiver.bodies) == 3, "messages")


class Roads(RotationTest):
    def test_files_are_read_again_at_once(self):
        live = self.dial(self.router.port("secure"))
        self.exchange(live, "before")
        for name in ("second", "third", "first"):
            self.swap(name)
            reply = self.rotate()
            self.assertEqual(reply.tls_profile.status.active.fingerprint, self.fingerprint(name))
            self.assert_shown(name)
            self.exchange(live, f"after-{name}")
        self.assertFalse(self.rotate().changed)
        # Whoever was first, this call or the look at files.
        self.assertEqual(self.router.log().count("certificate in force"), 4)

    def test_an_inline_one_is_in_force_at_once_and_never_told(self):
        port = self.make_profile()
        live = self.dial(port)
        self.assert_shown("first", {"made": port})
        self.assertTrue(self.rotate("made", inline=self.inline("second")).changed)
        self.assert_shown("second", {"made": port})
        self.assert_shown("first")  # another profile
        self.exchange(live, "after")
        told = [self.profile("made"), self.api.call("RouterService/GetConfig"),
                self.api.call("TlsService/GetCertificates", name="tlsProfiles/made"),
                self.router.log(2000)]
        key = self.read("second.key").splitlines()[1]
        for text in map(str, told):
            self.assertNotIn("PRIVATE KEY", text)
            self.assertNotIn(key, text)
        self.assertTrue(self.profile("made").status.inline_certificate)

    def test_an_inline_one_is_there_after_a_kill(self):
        self.make_profile()
        self.rotate("made", inline=self.inline("second"))
        state = os.path.join(self.router.directory, "state", "state.json")
        self.assertEqual(os.stat(state).st_mode & 0o777, 0o600)
        for name in ("second", "third"):
            self.rotate("made", inline=self.inline(name))
            self.restart()
            self.assert_shown(name, {"made": self.port_of("made")})

    def test_changed_files_are_noticed(self):
        live = self.dial(self.router.port("secure"))
        self.swap("second")
        for port in self.ports().values():
            self.wait_until_shown("second", port)
        self.exchange(live, "after")

    def test_the_link_of_a_kubernetes_secret_is_followed(self):
        mount = self.path("mount")
        for generation, name in enumerate(("first", "second")):
            folder = os.path.join(mount, f"..{generation}")
            os.makedirs(folder)
            shutil.copyfile(self.path(f"{name}.crt"), os.path.join(folder, "tls.crt"))
            shutil.copyfile(self.path(f"{name}.key"), os.path.join(folder, "tls.key"))
        os.symlink("..0", os.path.join(mount, "..data"))
        for file in ("tls.crt", "tls.key"):
            os.symlink(f"..data/{file}", os.path.join(mount, file))
        self.addCleanup(shutil.rmtree, mount)
        self.api.call("TlsService/CreateTlsProfile", tlsProfileId="mounted", tlsProfile={"spec": {
            "certificateFile": os.path.join(mount, "tls.crt"),
            "privateKeyFile": os.path.join(mount, "tls.key")}})
        port = self.make_listener("mounted")
        self.assert_shown("first", {"mounted": port})
        os.symlink("..1", os.path.join(mount, "..data_tmp"))
        os.rename(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))
        self.wait_until_shown("second", port)


class Handshakes(RotationTest):
    def test_none_sees_the_old_certificate_after_the_reply(self):
        took = []
        for round_ in range(100):
            name = ("second", "first")[round_ % 2]
            self.swap(name)
            began = time.monotonic()
            self.rotate()
            took.append(time.monotonic() - began)
            self.assert_shown(name)
        took.sort()
        print(f"rotations took {1000 * statistics.median(took):.1f} ms (median), "
              f"{1000 * took[-1]:.1f} ms (longest)")
        self.assertLess(statistics.median(took), SOON)

    def test_connections_that_wait_use_the_newest(self):
        waiting = {what: [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
                   for what, port in self.ports().items()}
        self.shown(self.router.port("secure"))  # behind them
        self.swap("second")
        self.rotate()
        for what, streams in waiting.items():
            for stream in streams:
                self.assertEqual(self.shown(0, stream), self.fingerprint("second"), what)

    def test_sessions_are_not_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for what, port in self.ports().items():
                context = self.trusting()
                context.minimum_version = context.maximum_version = version
                session = None
                for name in ("second", "first"):
                    with socket.create_connection(("127.0.0.1", port)) as plain:
                        with context.wrap_socket(plain, server_hostname="localhost",
                                                 session=session) as tls:
                            self.assertFalse(tls.session_reused, what)
                            session = tls.session
                    self.swap(name)
                    self.rotate()

    def test_connectors_show_the_newest(self):
        port = harness.free_port()
        broker = self.world.listen(port, ssl_domain=ssl_server(
            self.path("first.crt"), self.path("first.key"), self.path("ca.crt")))
        self.api.call("ConnectorService/CreateConnector", connectorId="out", connector={
            "spec": {"host": "localhost", "port": port, "tlsProfile": "tlsProfiles/filed",
                     "saslMechanisms": ["EXTERNAL"], "backoff": {"closed": "0.01s"}}})

        def subject(client):
            return client.transport.ssl().remote_subject

        self.world.wait(lambda: broker.clients, "the connector")
        self.assertIn("first", subject(broker.clients[-1]))
        self.swap("second")
        self.rotate(files={}, retireOld="RETIRE_OLD_IMMEDIATE")
        self.world.wait(lambda: len(broker.clients) == 2 and broker.clients[-1].opened,
                        "the connector again")
        self.assertIn("second", subject(broker.clients[-1]))


class Refusals(RotationTest):
    def test_what_is_bad_is_refused_and_what_runs_stays(self):
        self.place("second.crt", "tls.crt")
        error = self.refused("INVALID_ARGUMENT", "KEY_MISMATCH")
        self.assertIn(f"the private key in {self.path('tls.key')} does not belong to the "
                      f"certificate in {self.path('tls.crt')} (CN=second); the running certificate "
                      "(CN=first,", error.text)
        self.place("ca.key", "tls.crt")
        self.refused("INVALID_ARGUMENT", "INVALID_CERTIFICATE")
        os.remove(self.path("tls.crt"))
        self.refused("INVALID_ARGUMENT", "FILE_UNREADABLE")
        with open(self.path("tls.crt"), "w", encoding="ascii") as file:
            file.write(self.read("second.crt") + self.read("admin.crt"))
        self.place("second.key", "tls.key")
        self.refused("INVALID_ARGUMENT", "CHAIN_BROKEN")
        self.swap("expired")
        self.refused("FAILED_PRECONDITION", "CERTIFICATE_EXPIRED")
        self.refused("FAILED_PRECONDITION", "READ_ONLY_SOURCE", inline=self.inline("second"))
        error = self.refused("NOT_FOUND", "TLS_PROFILE_NOT_FOUND", "file")
        self.assertIn("filed", error.metadata["known"])
        self.refused("INVALID_ARGUMENT", "INVALID_FIELD", retireOld="RETIRE_OLD_KEEP")
        self.refused("INVALID_ARGUMENT", "INVALID_FIELD", files={}, retireAfter="1s")
        self.assert_shown("first")

    def test_an_inline_one_that_is_bad_is_refused(self):
        port = self.make_profile()
        error = self.refused("INVALID_ARGUMENT", "KEY_MISMATCH", "made",
                             inline=self.inline("second", "third"))
        self.assertEqual(error.violations[0][0], "inline.private_key")
        self.refused("INVALID_ARGUMENT", "INVALID_CERTIFICATE", "made",
                     inline={**self.inline("second"), "privateKey": "no key"})
        self.refused("INVALID_ARGUMENT", "INVALID_FIELD", "made",
                     inline={"certificate": self.read("second.crt")})
        self.refused("INVALID_ARGUMENT", "INVALID_FIELD", "made",
                     inline={**self.inline("second"), "ca": "x" * ((1 << 20) + 1)})
        self.assert_shown("first", {"made": port})

    def test_an_expired_one_is_taken_where_it_may(self):
        port = self.make_profile()
        self.refused("FAILED_PRECONDITION", "CERTIFICATE_EXPIRED", "made",
                     inline=self.inline("expired"))
        reply = self.rotate("made", inline=self.inline("expired"), allowExpired=True)
        self.assertIn("certificate_file: CN=expired has expired", reply.warnings)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shown(port)

    def test_a_trial_changes_nothing(self):
        port = self.make_profile()
        reply = self.rotate("made", inline=self.inline("elsewhere"), validateOnly=True)
        self.assertTrue(reply.changed)
        self.assertIn('the certificate does not name "localhost", as the one before does',
                      reply.warnings)
        self.assert_shown("first", {"made": port})

    def test_files_that_stay_bad_are_told_once(self):
        self.place("second.crt", "tls.crt")

        def trouble():
            return self.profile().status.last_reload_error.message

        self.wait(lambda: "does not belong" in trouble(), "that the status says so")
        self.assert_shown("first")
        self.place("second.key", "tls.key")
        self.wait(lambda: trouble() == "", "that all is well")
        self.assert_shown("second")
        self.assertEqual(self.router.log().count("certificate not read again"), 1)
        self.assertIn(self.path("tls.key"), self.refusals("KEY_MISMATCH")["KEY_MISMATCH"])

    def refusals(self, *reasons):
        """What events tell of refused certificates, once there is one for each of the reasons."""
        events = self.api.stream("RouterService/WatchEvents", backlog=1000,
                                 filter='type = "certificate.refused"')
        self.addCleanup(events.cancel)
        told = {}
        while not set(reasons) <= set(told):
            answer = next(events)
            if not answer.HasField("happened"):
                continue
            self.assertEqual(answer.happened.subject, "tlsProfiles/filed")
            told[answer.happened.fields["reason"]] = answer.happened.fields["error"]
        return told

    def test_refusals_are_told_to_who_watches(self):
        self.place("second.crt", "tls.crt")
        self.refused("INVALID_ARGUMENT", "KEY_MISMATCH")
        self.swap("expired")
        self.refused("FAILED_PRECONDITION", "CERTIFICATE_EXPIRED")
        told = self.refusals("KEY_MISMATCH", "CERTIFICATE_EXPIRED")
        self.assertIn("(CN=second)", told["KEY_MISMATCH"])


class Old(RotationTest):
    def live(self, count):
        clients = [self.dial(self.router.port("secure")) for _ in range(count)]
        self.wait(lambda: self.profile().status.active.connections == count, "all connections")
        return clients

    def revisions(self):
        return [(one.ordinal, one.connections, one.active)
                for one in self.profile().status.revisions]

    def test_connections_are_counted_by_what_they_were_made_with(self):
        clients = self.live(3)
        self.swap("second")
        self.rotate()
        self.assertEqual(self.revisions(), [(2, 0, True), (1, 3, False)])
        clients += [self.dial(self.router.port("secure"))]
        self.wait(lambda: self.revisions() == [(2, 1, True), (1, 3, False)], "the new one")
        told = self.api.call("ConnectionService/ListConnections", orderBy="open_time").connections
        self.assertEqual([(one.tls.tls_profile, one.tls.revision) for one in told],
                         3 * [("tlsProfiles/filed", 1)] + [("tlsProfiles/filed", 2)])
        for client in clients[:3]:
            client.close()
        self.wait(lambda: self.revisions() == [(2, 1, True)], "that the old ones are gone")

    def test_immediate_ends_them_at_once(self):
        clients = self.live(5)
        self.swap("second")
        self.assertEqual(self.rotate(files={}, retireOld="RETIRE_OLD_IMMEDIATE").retiring, 5)
        self.world.wait(lambda: all(client.closed for client in clients), "the closes")
        for client in clients:
            self.assertEqual(client.closed, ("amqp:connection:forced",
                                             "its certificate was replaced"))
        self.wait(lambda: self.revisions() == [(2, 0, True)], "that the old ones are gone")

    def test_graceful_leaves_them_for_a_while(self):
        clients = self.live(3)
        self.swap("second")
        began = time.monotonic()
        self.rotate(files={}, retireOld="RETIRE_OLD_GRACEFUL", retireAfter="1s")
        self.exchange(clients[0], "meanwhile")
        young = self.dial(self.router.port("secure"))
        self.world.wait(lambda: all(client.closed for client in clients), "the closes")
        self.assertGreaterEqual(time.monotonic() - began, 1.0)
        self.assertEqual(clients[0].closed[0], "amqp:connection:forced")
        self.exchange(young, "afterwards")


class Trust(RotationTest):
    def client(self, who, ca="both"):
        return ssl_client(ca=self.path(f"{ca}.crt"), certificate=self.path(f"{who}.crt"),
                          key=self.path(f"{who}.key"))

    def write(self, name, *parts):
        with open(self.path(name + ".next"), "w", encoding="ascii") as file:
            file.write("".join(self.read(part) for part in parts))
        os.replace(self.path(name + ".next"), self.path(name))

    def mutual(self, **spec):
        """A listener whose clients need a certificate of trust.crt; its port."""
        self.api.call("TlsService/CreateTlsProfile", tlsProfileId="mutual", tlsProfile={"spec": {
            "certificateFile": self.path("tls.crt"), "privateKeyFile": self.path("tls.key"),
            "caFile": self.path("trust.crt"), **spec}})
        self.mutual_port = self.make_listener(
            "mutual", tlsClientAuth="TLS_CLIENT_AUTH_REQUIRE", requireSasl=True,
            saslMechanisms=["EXTERNAL"])

    def comes_in(self, domain):
        client = self.world.connect(f"amqps://localhost:{self.mutual_port}", wait=False,
                                    ssl_domain=domain, allowed_mechs="EXTERNAL")
        self.world.wait(lambda: client.opened or client.gone, "an answer")
        return client if client.opened else None

    def test_authorities_are_replaced_without_a_gap(self):
        self.certificates.authority("next-ca")
        self.certificates.issue("next-server", "/CN=next", NAMES, authority="next-ca")
        self.certificates.issue("next-client", "/CN=client", authority="next-ca")
        self.write("both.crt", "ca.crt", "next-ca.crt")
        self.write("trust.crt", "ca.crt")
        self.mutual()
        live = self.comes_in(self.client("admin"))
        self.exchange(live, "old")
        self.assertIsNone(self.comes_in(self.client("next-client")))
        # First both are trusted, ...
        self.write("trust.crt", "ca.crt", "next-ca.crt")
        self.rotate("mutual")
        self.assertIsNotNone(self.comes_in(self.client("admin", "ca")))
        self.assertIsNotNone(self.comes_in(self.client("next-client")))
        # ... then all have certificates of the new one, ...
        self.swap("next-server")
        self.rotate("mutual")
        self.assertIsNotNone(self.comes_in(self.client("admin")))
        self.assertIsNotNone(self.comes_in(self.client("next-client", "next-ca")))
        # ... and then the old one goes.
        self.write("trust.crt", "next-ca.crt")
        self.rotate("mutual")
        self.assertIsNone(self.comes_in(self.client("admin")))
        self.assertIsNotNone(self.comes_in(self.client("next-client")))
        self.exchange(live, "still")
        told = self.api.call("TlsService/GetCertificates", name="tlsProfiles/mutual")
        self.assertEqual([one.subject for one in told.certificates], ["CN=next", "CN=next-ca"])
        self.assertEqual(told.certificates[0].key_type, "EC prime256v1")
        self.assertEqual(told.certificates[0].source, self.path("tls.crt"))

    def revoke(self, *names):
        """Writes crl.pem, in which the certificates of these names are."""
        with open(self.path("index.txt"), "w", encoding="ascii") as file:
            for name in names:
                serial = self.certificates.serial(name)
                file.write(f"R\t491231235959Z\t260101000000Z\t{serial}\tunknown\t/CN={name}\n")
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=one\n[one]\ndatabase=index.txt\ndefault_md=sha256\n"
                       "default_crl_days=2\n")
        self.certificates.openssl("ca", "-gencrl", "-config", "ca.cnf", "-cert", "ca.crt",
                                  "-keyfile", "ca.key", "-out", "crl.next")
        os.replace(self.path("crl.next"), self.path("crl.pem"))

    def test_revocation_lists_are_honoured_and_read_again(self):
        self.certificates.issue("colleague", "/CN=colleague")
        self.write("trust.crt", "ca.crt")
        self.write("both.crt", "ca.crt")
        self.revoke()
        self.mutual(crlFile=self.path("crl.pem"))
        live = self.comes_in(self.client("colleague"))
        self.assertIsNotNone(live)
        self.revoke("colleague")
        self.wait(lambda: self.comes_in(self.client("colleague")) is None, "that he is out")
        self.assertIsNotNone(self.comes_in(self.client("admin")))
        self.exchange(live, "still")


class Metrics(RotationTest):
    def test_rotations_are_counted(self):
        from metrics_test import Scraper

        scraper = Scraper(self.router.metrics_port(), self.trusting())
        self.addCleanup(scraper.close)

        def value(name, **labels):
            return scraper.samples()[name, frozenset({"profile": "filed", **labels}.items())]

        self.dial(self.router.port("secure"))
        by_revision = "trunkline_tls_connections_by_revision"
        self.wait(lambda: value(by_revision, state="current") == 1, "the connection")
        self.place("second.crt", "tls.crt")
        self.refused("INVALID_ARGUMENT", "KEY_MISMATCH")
        self.place("second.key", "tls.key")
        self.rotate()
        self.wait(lambda: value(by_revision, state="retired") == 1, "that it is an old one")
        self.assertEqual(value(by_revision, state="current"), 0)
        self.assertEqual(value("trunkline_tls_reloads_total", result="ok"), 1)
        self.assertEqual(value("trunkline_tls_reloads_total", result="failed"), 1)
        self.assertEqual(value("trunkline_tls_certificate_revision"), 2)


if __name__ == "__main__":
    unittest.main()
