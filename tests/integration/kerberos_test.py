"""Logins with a ticket of Kerberos (SASL GSSAPI), held against a KDC of the test's own: clients of
trunkd by hand, and trunkd as a client of trunkd."""

import json
import os
import shutil
import struct
import subprocess
import unittest
import unittest.mock

import harness
import realm
from api_client import Api
from amqp_bytes import HEADER, NULL, RawPeer, frame, listed, open_frame, sym8, vbin32
from harness import Router
from sasl_bytes import AUTH, CHALLENGE, INIT, OK, OUTCOME, RESPONSE, SASL_HEADER, Login

LACKS = realm.missing()
if not LACKS:
    import gssapi

PLUGINS = "libsasl2-modules-gssapi-mit"
NO_LAYER, CONFIDENTIALITY = 1, 4


def oid(text):
    return gssapi.OID.from_int_seq(text)


def der(tag, *parts):
    """A value of DER, below 64 KiB."""
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 0x80 else (
        bytes([0x81, len(body)]) if len(body) < 0x100 else b"\x82" + struct.pack(">H", len(body)))
    return bytes([tag]) + size + body


class TicketLogin(Login):
    """A login by hand, from any address of this host: failed ones of one address are limited."""

    def __init__(self, port, source="127.0.0.1"):
        self.peer = RawPeer(port, source=source)
        self.piece = None
        self.rest = b""
        self.outcome = self.additional = None
        self.peer.send(SASL_HEADER)
        assert self._take(8) == SASL_HEADER
        self.mechanisms = self.read()[1][0]

    def tell(self, code, *fields):
        self.peer.send(frame(b"\x00\x53" + bytes([code]) + listed(*fields, wide=True), kind=1))

    def begin(self, token):
        self.tell(INIT, sym8("GSSAPI"), NULL if token is None else vbin32(token))

    def answer(self, token):
        self.tell(RESPONSE, vbin32(token))

    def challenge(self):
        """What the router wants to be answered; None if it has come to an end, with `outcome`."""
        code, fields = self.read()
        if code == OUTCOME:
            self.outcome = fields[0]
            return None
        assert code == CHALLENGE, hex(code)
        return fields[0]


@unittest.skipIf(LACKS, f"not run: needs {LACKS}")
class KerberosTest(unittest.TestCase):
    """A realm with a KDC; everything that is started has its environment."""

    @classmethod
    def setUpClass(cls):
        cls.realm = realm.Realm()
        cls.addClassCleanup(cls.realm.close)
        cls.admin = cls.realm.add("admin", "admin")
        cls.realm.add("router", "router")
        cls.realm.start()
        environment = unittest.mock.patch.dict(os.environ, cls.realm.env)
        environment.start()
        cls.addClassCleanup(environment.stop)

    def context(self, mechanism="1.2.840.113554.1.2.2", service="amqp@localhost", flags=None):
        """A client's end, as admin."""
        name = gssapi.Name(service, gssapi.NameType.hostbased_service)
        ticket = gssapi.Credentials(usage="initiate", store={
            "client_keytab": self.admin, "ccache": "MEMORY:" + self.id()})
        needs = gssapi.RequirementFlag
        return gssapi.SecurityContext(
            name=name, creds=ticket, mech=oid(mechanism), usage="initiate",
            flags=needs.mutual_authentication | needs.out_of_sequence_detection
            if flags is None else flags)


class Tickets(KerberosTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        users = os.path.join(cls.realm.directory, "users")
        os.mkdir(users)
        with open(os.path.join(users, "admin"), "w", encoding="ascii") as file:
            file.write("open-sesame-4711")
        cls.router = Router(
            {"tickets": {"sasl_mechanisms": ["GSSAPI"], "require_sasl": True},
             "both": {"sasl_mechanisms": ["GSSAPI", "SCRAM-SHA-256"], "user_store": "clients"},
             "default": {"user_store": "clients"}},
            user_stores=[{"name": "clients", "directory": users, "realm": "myrouter"}])

    @classmethod
    def tearDownClass(cls):
        status = cls.router.close()
        if status != 0:
            raise AssertionError(f"trunkd ended with status {status}:\n{cls.router.log()}")

    def begin(self, listener="tickets", source="127.0.0.1"):
        login = TicketLogin(self.router.port(listener), source)
        self.addCleanup(login.close)
        return login

    def log_in(self, **options):
        """A whole login, which comes back with its outcome."""
        login = self.ask(**options)
        self.assertIsNone(login.challenge())
        return login

    def ask(self, identity=b"", layer=NO_LAYER, listener="tickets", late=False, **options):
        """A login but for its outcome. `late`: without an initial response."""
        login, client = self.begin(listener, **options), self.context()
        token = client.step()
        login.begin(None if late else token)
        if late:
            self.assertEqual(login.challenge(), b"")
            login.answer(token)
        client.step(login.challenge())
        login.answer(b"")
        self.assertEqual(client.unwrap(login.challenge()).message, bytes([NO_LAYER, 0, 0, 0]))
        login.answer(client.wrap(bytes([layer, 0, 0, 0]) + identity, False).message)
        return login

    def refused(self, token, source="127.0.0.1"):
        login = self.begin(source=source)
        login.begin(token)
        self.assertIsNone(login.challenge())
        self.assertEqual(login.outcome, AUTH)

    def says(self, *words):
        self.router.wait_for_line(lambda line: all(word in line for word in words), str(words))

    def test_let_their_owner_in_under_the_name_with_its_realm(self):
        for listener in ("tickets", "both"):
            login = self.log_in(listener=listener)
            self.assertEqual(login.outcome, OK)
            login.peer.send(HEADER + open_frame(listener + "-client"))
            self.says("connection opened", listener + "-client", "user=admin@EXAMPLE.TEST")

    def test_are_asked_for_where_the_client_says_nothing(self):
        self.assertEqual(self.log_in(late=True).outcome, OK)

    def test_are_taken_from_many_at_once(self):
        pairs = [(self.begin(), self.context()) for _ in range(100)]
        for login, client in pairs:
            login.begin(client.step())
        for login, client in pairs:
            client.step(login.challenge())
            login.answer(b"")
        for login, client in pairs:
            client.unwrap(login.challenge())
            login.answer(client.wrap(bytes([NO_LAYER, 0, 0, 0]), False).message)
        for login, _ in pairs:
            self.assertIsNone(login.challenge())
            self.assertEqual(login.outcome, OK)

    def test_are_offered_only_where_they_are_named(self):
        for listener, wanted in {"tickets": True, "both": True, "default": False}.items():
            offered = self.begin(listener).mechanisms
            self.assertEqual(b"GSSAPI" in offered, wanted, listener)
        self.assertEqual(self.begin("both").scram("SCRAM-SHA-256", "admin", "open-sesame-4711"), OK)

    def test_let_nobody_act_for_another(self):
        for same in (b"admin", b"admin@EXAMPLE.TEST"):
            self.assertEqual(self.log_in(identity=same).outcome, OK, same)
        others = (b"router", b"admin@myrouter", b"?", b"admin\0", b"\nadmin", b" ", b"x" * 2000)
        logins = [self.ask(identity=other) for other in others]
        for login, other in zip(logins, others):
            self.assertIsNone(login.challenge())
            self.assertEqual(login.outcome, AUTH, other)

    def test_bring_no_security_layer(self):
        self.assertEqual(self.log_in(layer=CONFIDENTIALITY, source="127.0.2.1").outcome, AUTH)

    def test_are_taken_once(self):
        login, client = self.begin(), self.context()
        token = client.step()
        login.begin(token)
        self.assertIsNotNone(login.challenge())
        self.refused(token, source="127.0.2.2")
        self.says("login failed", "mechanism=GSSAPI", "replay")

    def test_for_another_service_are_refused(self):
        self.realm.add("imap/localhost", "imap")
        self.refused(self.context(service="imap@localhost").step(), source="127.0.2.3")

    def test_damaged_anywhere_are_refused(self):
        """Nothing but a few bytes that are not signed, such as the version of the key, may differ:
        the login goes on then, as it would have."""
        token = self.context().step()
        truncated, damaged = [], []
        for i in range(100):
            at = i * (len(token) - 1) // 99
            wrong = token[:at] + bytes([token[at] ^ 0xFF]) + token[at + 1:]
            for logins, tried in ((truncated, token[:at]), (damaged, wrong)):
                logins.append(self.begin(source=f"127.0.3.{i // 4 + 1}"))
                logins[-1].begin(tried)
        self.assertEqual([login.challenge() for login in truncated], [None] * len(truncated))
        refused = [login for login in damaged if login.challenge() is None]
        self.assertGreater(len(refused), 90)
        for login in truncated + refused:
            self.assertEqual(login.outcome, AUTH)
        self.assertEqual(self.log_in().outcome, OK)

    def test_may_be_large(self):
        """Those that list many groups of a Windows domain are; here is one of nothing else."""
        name = der(0x06, bytes(oid("1.2.840.113554.1.2.2"))) + b"\x01\x00"
        for size in (5_000, 20_000, 60_000):
            self.refused(der(0x60, name, bytes(size)), source="127.0.2.6")
        login = self.begin(source="127.0.2.6")
        login.begin(bytes(65536))
        with self.assertRaises((AssertionError, ConnectionError)):
            login.challenge()
        other = self.begin("default", source="127.0.2.6")
        other.begin(bytes(4096))
        with self.assertRaises((AssertionError, ConnectionError)):
            other.challenge()

    def test_are_not_negotiated(self):
        """SPNEGO within GSSAPI: libsasl2 would take it, and end the process by an assertion for a
        signature out of order."""
        spnego, kerberos = oid("1.3.6.1.5.5.2"), oid("1.2.840.113554.1.2.2")
        self.refused(self.context(mechanism="1.3.6.1.5.5.2").step(), source="127.0.2.4")
        names = [der(0x06, bytes(mechanism)) for mechanism in (oid("1.3.6.1.5.5.7"), kerberos)]
        offers = der(0x30, *names)
        first = der(0x60, der(0x06, bytes(spnego)), der(0xA0, der(0x30, der(0xA0, offers))))
        flags = gssapi.RequirementFlag.out_of_sequence_detection | gssapi.RequirementFlag.integrity
        client = self.context(flags=flags)
        token = client.step()
        client.get_signature(offers)
        late = client.get_signature(offers)  # is not the first one
        second = der(0xA1, der(0x30, der(0xA2, der(0x04, token)), der(0xA3, der(0x04, late))))
        login = self.begin(source="127.0.2.5")
        login.begin(first)
        if login.challenge() is not None:
            login.answer(second)
            login.challenge()
        self.assertEqual(login.outcome, AUTH)
        self.assertEqual(self.log_in().outcome, OK)


class OverTheApi(KerberosTest):
    def test_a_listener_whose_keytab_is_gone_waits_for_it(self):
        """It is in the way of nobody: neither of other changes nor of a start."""
        keytab = self.realm.path("lent.keytab")
        shutil.copy(self.realm.env["KRB5_KTNAME"], keytab)
        with unittest.mock.patch.dict(os.environ, {"KRB5_KTNAME": keytab}):
            router = Router({"plain": {}})
            self.addCleanup(lambda: router.close())
            with open(router.config_file, encoding="utf-8") as file:
                config = json.load(file)
            config["control"]["state_directory"] = os.path.join(router.directory, "state")
            with open(router.config_file, "w", encoding="utf-8") as file:
                json.dump(config, file)

            def restart():
                router.process.kill()
                router.process.wait()
                router.forget_log()
                router.start([harness.TRUNKD, "--config", router.config_file])
                router.wait_for_line(lambda line: '"API"' in line, "that its API is there")
                api = Api(f"unix:{router.socket()}")
                self.addCleanup(api.close)
                return api

            api = restart()
            spec = {"host": "127.0.0.1", "port": 0, "saslMechanisms": ["GSSAPI"]}
            api.call("ListenerService/CreateListener", listenerId="tickets",
                     listener={"spec": spec})
            os.rename(keytab, keytab + ".away")
            for address in ("before", "after"):
                api.call("AddressService/CreateAddress", addressId=address,
                         address={"spec": {"prefix": address}})
                if address == "before":
                    api = restart()
            there = api.call("ListenerService/GetListener", name="listeners/tickets")
            self.assertIn("GSSAPI: no key", there.status.last_error.message)
            os.rename(keytab + ".away", keytab)
            router.wait_for_line(lambda line: "listening" in line and "listener=tickets" in line,
                                 "that it listens after all")


class Connectors(KerberosTest):
    """trunkd as a client of trunkd, with the keytab of KRB5_CLIENT_KTNAME."""

    def server(self):
        server = Router({"in": {"sasl_mechanisms": ["GSSAPI"], "require_sasl": True}})
        self.addCleanup(server.close)
        return server

    def dial(self, port, listeners=None, **config):
        client = Router(listeners or {}, connectors=[{
            "name": "out", "host": "localhost", "port": port, "sasl_mechanisms": ["GSSAPI"],
            "backoff": {"failed": "100ms"}}], **config)
        self.addCleanup(client.close)
        return client

    def test_log_in_with_a_ticket(self):
        server = self.server()
        client = self.dial(server.port("in"))
        for router, user in ((server, "user=router@EXAMPLE.TEST"), (client, "")):
            router.wait_for_line(lambda line: "connection opened" in line and user in line, "open")

    def test_that_wait_for_a_kdc_are_in_nobodys_way(self):
        """Each asks a KDC that does not answer, which takes half a minute; clients log in."""
        users = self.realm.path("users")
        os.mkdir(users)
        with open(os.path.join(users, "jo"), "w", encoding="ascii") as file:
            file.write("open-sesame-4711")
        server = self.server()
        tcp, udp = realm.bound_sockets()
        udp.settimeout(harness.PATIENCE)
        with tcp, udp:
            silent = self.realm.config_for(tcp.getsockname()[1])
            with unittest.mock.patch.dict(os.environ, {
                    "KRB5_CONFIG": silent, "KRB5CCNAME": "FILE:" + self.realm.path("none")}):
                client = Router(
                    {"in": {"user_store": "clients"}},
                    user_stores=[{"name": "clients", "directory": users}],
                    connectors=[{"name": f"out-{i}", "host": "localhost",
                                 "port": server.port("in"), "sasl_mechanisms": ["GSSAPI"]}
                                for i in range(4)])
            self.addCleanup(client.close)
            udp.recv(65536)  # one of them asks
            for _ in range(20):
                login = Login(client.port("in"))
                self.addCleanup(login.close)
                self.assertEqual(login.scram("SCRAM-SHA-256", "jo", "open-sesame-4711"), OK)
        # The KDC is gone: that is told at once, and why.
        client.wait_for_line(lambda line: "connector failed" in line and "KDC" in line, "why")


class Configuration(KerberosTest):
    """What is missing is told before anything is served."""

    def check(self, listener=None, connector=None, **environment):
        """What trunkd --check-config says in this environment; None as a value: without it."""
        sections = {"listeners": listener, "connectors": connector}
        path = self.realm.path("trunkline.yaml")
        with open(path, "w", encoding="ascii") as file:
            json.dump({name: [fields] for name, fields in sections.items() if fields}, file)
        env = {name: value for name, value in {**os.environ, **environment}.items() if value}
        done = subprocess.run([harness.TRUNKD, "--check-config", path], env=env,
                              capture_output=True, text=True)
        return done.returncode, done.stderr

    LISTENER = {"name": "in", "host": "127.0.0.1", "port": 0, "sasl_mechanisms": ["GSSAPI"]}
    CONNECTOR = {"name": "out", "host": "localhost", "sasl_mechanisms": ["GSSAPI"]}

    def wrong(self, *words, **options):
        status, text = self.check(**options)
        self.assertEqual(status, 1, text)
        for word in words:
            self.assertIn(word, text)

    def test_is_good_with_a_keytab(self):
        self.assertEqual(self.check(listener=self.LISTENER)[0], 0)

    def test_needs_a_key_for_listeners(self):
        nowhere = self.realm.path("nowhere.keytab")
        self.wrong("listeners[in].sasl_mechanisms[0]: GSSAPI: no key", nowhere, "KRB5_KTNAME",
                   listener=self.LISTENER, KRB5_KTNAME=nowhere)
        self.wrong("GSSAPI: no key", listener=self.LISTENER, KRB5_KTNAME=self.admin)

    def test_needs_no_key_for_connectors(self):
        status, text = self.check(connector=self.CONNECTOR, KRB5_KTNAME="/nowhere")
        self.assertEqual(status, 0, text)

    def test_needs_a_realm(self):
        empty = self.realm.path("empty.conf")
        with open(empty, "w", encoding="ascii") as file:
            file.write("[libdefaults]\n  dns_lookup_realm = false\n")
        self.wrong("listeners[in].sasl_mechanisms[0]: GSSAPI", "default_realm",
                   listener=self.LISTENER, KRB5_CONFIG=empty)

    def test_needs_the_plugin(self):
        for options in ({"listener": self.LISTENER}, {"connector": self.CONNECTOR}):
            self.wrong("GSSAPI needs a plugin", PLUGINS, SASL_PATH=self.realm.directory, **options)


if __name__ == "__main__":
    unittest.main()
