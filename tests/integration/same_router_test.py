"""One standalone router in two words, qdrouterd.conf and YAML: both serve, and the API says the
same of them."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from google.protobuf import json_format

import api_client
import harness
from clients import ACCEPTED, World, ssl_client, ssl_server
from harness import Certificates, Router

PASSWORD = "carry-the-parcel-8812"

# As people have them beside AMQ Interconnect: plain for this machine, TLS with names and passwords
# for all others, another TLS port for services that show certificates, and a broker behind.
QDROUTERD = """
# standalone, namespace shop
router {
    mode: standalone
    id: shop-router-0
    workerThreads: 2
    defaultDistribution: balanced
    saslConfigDir: @folder@/sasl2
    saslConfigName: qdrouterd
}

sslProfile {
    name: service-tls
    certFile: @folder@/service/tls.crt
    privateKeyFile: @folder@/service/tls.key
    caCertFile: @folder@/service/ca.crt
    protocols: TLSv1.2 TLSv1.3
    uidFormat: n
}

sslProfile {
    name: broker-ca
    caCertFile: @folder@/service/ca.crt
}

listener {
    name: sidecars
    host: 127.0.0.1
    port: 0
    role: normal
    authenticatePeer: false
    saslMechanisms: ANONYMOUS
    linkCapacity: 100
}

listener {
    name: shops
    host: 127.0.0.1
    port: 0
    role: normal
    sslProfile: service-tls
    requireSsl: true
    authenticatePeer: true
    saslMechanisms: PLAIN SCRAM-SHA-1
    idleTimeoutSeconds: 120
    maxFrameSize: 65536
    maxSessions: 64
    stripAnnotations: both
}

listener {
    name: services
    host: 127.0.0.1
    port: 0
    sslProfile: service-tls
    requireSsl: yes
    authenticatePeer: yes
    saslMechanisms: EXTERNAL
    initialHandshakeTimeoutSeconds: 20
}

connector {
    name: broker
    host: localhost
    port: @broker@
    role: route-container
    sslProfile: broker-ca
    verifyHostname: yes
    saslMechanisms: ANONYMOUS
    idleTimeoutSeconds: 30
}

address {
    prefix: prices
    distribution: multicast
}

address {
    prefix: orders
    distribution: balanced
}

address {
    name: nearest-till
    pattern: tills/*/open
    distribution: closest
    priority: 7
}

address {
    prefix: invoices
    waypoint: true
}

address {
    prefix: internal
    distribution: unavailable
}

policy {
    maxConnections: 5000
    maxMessageSize: 10485760
}

log {
    module: DEFAULT
    enable: info+
}

log {
    module: SERVER
    enable: debug+
}
"""

YAML = """
router:
  id: shop-router-0
  workers: 2
  default_distribution: balanced
  max_connections: 5000

user_stores:
  - name: qdrouterd
    sasldb_file: @folder@/qdrouterd.sasldb

tls_profiles:
  - name: service-tls
    certificate_file: @folder@/service/tls.crt
    private_key_file: @folder@/service/tls.key
    ca_file: @folder@/service/ca.crt
    protocols_min: tls12
    protocols_max: tls13
    uid_format: n
  - name: broker-ca
    ca_file: @folder@/service/ca.crt

listeners:
  - name: sidecars
    host: 127.0.0.1
    port: 0
    role: normal
    sasl_mechanisms: [ANONYMOUS]
    link_capacity: 100
    initial_handshake_timeout: 0s       # Dispatch waits for ever
    max_message_size: 10485760
  - name: shops
    host: 127.0.0.1
    port: 0
    role: normal
    tls_profile: service-tls
    require_sasl: true
    user_store: qdrouterd
    sasl_mechanisms: [PLAIN, SCRAM-SHA-1]
    idle_timeout: 2m
    initial_handshake_timeout: 0s
    max_frame_size: 65536
    max_sessions: 64
    strip_annotations: both
    max_message_size: 10485760
  - name: services
    host: 127.0.0.1
    port: 0
    tls_profile: service-tls
    tls_client_auth: require
    require_sasl: true
    sasl_mechanisms: [EXTERNAL]
    initial_handshake_timeout: 20s
    max_message_size: 10485760

connectors:
  - name: broker
    host: localhost
    port: @broker@
    role: route_container
    tls_profile: broker-ca
    verify_hostname: true
    sasl_mechanisms: [ANONYMOUS]
    idle_timeout: 30s
    max_message_size: 10485760

addresses:
  - prefix: prices
    distribution: multicast
  - prefix: orders
    distribution: balanced
  - name: nearest-till
    pattern: tills/*/open
    distribution: closest
    priority: 7
  - prefix: invoices
    waypoint: true
  - prefix: internal
    distribution: unavailable

log:
  levels: {default: info, net: debug, conn: debug, tls: debug}
"""


SASL = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: @folder@/qdrouterd.sasldb
mech_list: SCRAM-SHA-1 PLAIN EXTERNAL ANONYMOUS
"""

LISTENERS = ["sidecars", "shops", "services"]
# Rpc of each list, the field it fills, the rpc that gets one.
LISTS = [("ListenerService/ListListeners", "listeners", "ListenerService/GetListener"),
         ("ConnectorService/ListConnectors", "connectors", "ConnectorService/GetConnector"),
         ("TlsService/ListTlsProfiles", "tls_profiles", "TlsService/GetTlsProfile"),
         ("UserService/ListUserStores", "user_stores", "UserService/GetUserStore"),
         ("AddressService/ListAddresses", "addresses", "AddressService/GetAddress")]
# What tells one process, file or moment from another, and nothing of the router: by its name.
OWN = re.compile("uid|.*Time|startTime|place|sourceFile|sourcePlace|connection")
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+$")


def json_name(field):
    """"tls_profiles" is "tlsProfiles"."""
    return re.sub("_(.)", lambda found: found.group(1).upper(), field)


class Served(Router):
    """A trunkd of one of the two files."""

    def __init__(self, option, file):
        self.prepare(dict.fromkeys(LISTENERS))
        # The default place of the API's socket is taken where a router of this machine's runs, or
        # the other one of these two: then it is in this folder.
        self.start(["env", f"XDG_RUNTIME_DIR={self.directory}", harness.TRUNKD, option, file])


def plain(value):
    """An answer without what is only this process's."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if not OWN.fullmatch(key)}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return PORT.sub("PORT", value) if isinstance(value, str) else value


@unittest.skipUnless(shutil.which("saslpasswd2"), "needs saslpasswd2 of sasl2-bin")
class Pair(unittest.TestCase):
    """The two, for all tests of a class."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="trunkline-same-")
        cls.certificates = Certificates()
        cls.world = World()
        cls.routers, cls.apis = {}, {}
        try:
            cls.write_files()
            cls.start_both()
        except BaseException:
            cls.end()
            raise

    @classmethod
    def write_files(cls):
        certificate, key = cls.certificates.issue("service", "/CN=localhost", "DNS:localhost")
        os.makedirs(f"{cls.folder}/service")
        os.makedirs(f"{cls.folder}/sasl2")
        shutil.copy(certificate, f"{cls.folder}/service/tls.crt")
        shutil.copy(key, f"{cls.folder}/service/tls.key")
        shutil.copy(cls.certificates.path("ca.crt"), f"{cls.folder}/service/ca.crt")
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", f"{cls.folder}/qdrouterd.sasldb",
                        "-u", "shop-router-0", "till"], input=PASSWORD.encode(), check=True)
        broker = harness.free_port()
        cls.broker = cls.world.listen(broker, ssl_domain=ssl_server(certificate, key))
        for name, text in (("qdrouterd.conf", QDROUTERD), ("trunkline.yaml", YAML),
                           ("sasl2/qdrouterd.conf", SASL)):
            text = text.replace("@folder@", cls.folder).replace("@broker@", str(broker))
            pathlib.Path(cls.folder, name).write_text(text, encoding="ascii")

    @classmethod
    def start_both(cls):
        for option, file in (("-c", "qdrouterd.conf"), ("--config", "trunkline.yaml")):
            router = cls.routers[file] = Served(option, f"{cls.folder}/{file}")
            cls.apis[file] = api_client.Api(f"unix:{router.socket()}")

    @classmethod
    def end(cls):
        for api in cls.apis.values():
            api.close()
        statuses = [router.close() for router in cls.routers.values()]
        cls.world.close()
        cls.certificates.close()
        shutil.rmtree(cls.folder, ignore_errors=True)
        return statuses

    @classmethod
    def tearDownClass(cls):
        logs = [router.log(10_000) for router in cls.routers.values()]
        statuses = cls.end()
        if statuses != [0, 0] or any(PASSWORD in log for log in logs):
            raise AssertionError(f"statuses {statuses}, or a password in a log")


class SameAnswers(Pair):
    def of_both(self, rpc, **fields):
        """What the two answer."""
        return [json_format.MessageToDict(api.call(rpc, **fields))
                for api in self.apis.values()]

    def assert_same(self, rpc, **fields):
        """Of both, that of the qdrouterd.conf; it is not empty."""
        legacy, yaml = (plain(answer) for answer in self.of_both(rpc, **fields))
        self.assertEqual(legacy, yaml, f"{rpc} {fields}")
        self.assertTrue(legacy, rpc)
        return legacy

    def await_broker(self):
        for file in self.routers:
            self.world.wait(lambda f=file: self.state_of_broker(f) == "STATE_OPEN", "the broker")

    def state_of_broker(self, file):
        connector = self.apis[file].call("ConnectorService/GetConnector", name="connectors/broker")
        return json_format.MessageToDict(connector).get("status", {}).get("state")

    def test_every_list_and_every_get_is_the_same(self):
        self.await_broker()
        counts = {}
        for rpc, field, get in LISTS:
            listed = self.assert_same(rpc)[json_name(field)]
            counts[field] = len(listed)
            for one in listed:
                self.assertEqual(self.assert_same(get, name=one["name"]), one)
        self.assertEqual(counts, {"listeners": 3, "connectors": 1, "tls_profiles": 2,
                                  "user_stores": 1, "addresses": 5})

    def test_the_router_itself_is_the_same(self):
        router = self.assert_same("RouterService/GetRouter", name="router")
        self.assertEqual(router["spec"]["id"], "shop-router-0")
        self.assert_same("TraceService/GetLogLevels")
        self.assert_same("TlsService/GetCertificates", name="tlsProfiles/service-tls")

    def test_the_configuration_that_is_told_is_the_same(self):
        legacy, yaml = (answer["yaml"] for answer in self.of_both("RouterService/GetConfig"))
        self.assertEqual(legacy, yaml)
        self.assertIn("nearest-till", legacy)

    def test_addresses_are_resolved_the_same_way(self):
        for address, setting in (("prices", "prices"), ("prices/tea", "prices"),
                                 ("orders", "orders"), ("tills/3/open", "nearest-till"),
                                 ("invoices/7", "invoices"), ("internal", "internal"),
                                 ("elsewhere", None)):
            answer = self.assert_same("AddressService/ResolveAddress", address=address)
            self.assertEqual(answer.get("setting"), setting and f"addresses/{setting}")


class SameService(Pair):
    def till(self, router, **options):
        """A client with name and password, over TLS."""
        options.setdefault("allowed_mechs", "PLAIN")
        options.setdefault("password", PASSWORD)
        return self.world.connect(
            f"amqps://localhost:{router.port('shops')}", user="till@shop-router-0",
            ssl_domain=ssl_client(ca=self.certificates.path("ca.crt")), **options)

    def sidecar(self, router):
        return self.world.connect(router.url("sidecars"))

    def sender(self, client, address):
        sender = client.sender(address)
        self.world.wait(lambda: sender.credit > 0, f"credit for {address}")
        return sender

    def for_both(self):
        for file, router in self.routers.items():
            with self.subTest(file):
                yield router

    def test_serves_names_and_passwords_over_tls(self):
        for router in self.for_both():
            client = self.till(router)
            self.assertEqual(client.transport.sasl().mech, "PLAIN")
            self.assertEqual(client.connection.remote_container, "shop-router-0")
            stranger = self.till(router, password="wrong", wait=False)
            self.world.wait(lambda c=stranger: c.gone or c.opened, "the refusal")
            self.assertFalse(stranger.opened)

    def test_copies_for_everybody_where_it_is_multicast(self):
        for router in self.for_both():
            receivers = [self.sidecar(router).receiver("prices/tea") for _ in range(3)]
            self.sender(self.till(router), "prices/tea").send("4.20")
            self.world.wait(lambda r=receivers: all(x.bodies == ["4.20"] for x in r), "the copies")

    def test_spreads_work_where_it_is_balanced(self):
        for router in self.for_both():
            # Who has not settled anything gets the next one.
            receivers = [self.till(router).receiver("orders", outcome=None) for _ in range(4)]
            sender = self.sender(self.sidecar(router), "orders")
            for i in range(8):
                sender.send(str(i))
                self.world.wait(lambda r=receivers, count=i + 1:
                                sum(len(x.received) for x in r) == count, "the message")
            self.assertEqual([len(receiver.received) for receiver in receivers], [2, 2, 2, 2])
            for receiver in receivers:
                for delivery in receiver.received:
                    delivery.settle(ACCEPTED)
            self.world.wait(lambda s=sender: s.states == [ACCEPTED] * 8, "the outcomes")

    def test_gives_each_message_to_one_where_it_is_closest(self):
        for router in self.for_both():
            receivers = [self.sidecar(router).receiver("tills/1/open") for _ in range(2)]
            sender = self.sender(self.till(router), "tills/1/open")
            sender.send_all(["a", "b", "c", "d"])
            self.world.wait(lambda r=receivers: sum(len(x.bodies) for x in r) == 4, "each once")
            self.assertEqual(sorted(sum((x.bodies for x in receivers), [])), ["a", "b", "c", "d"])

    def test_refuses_links_where_it_is_unavailable(self):
        for router in self.for_both():
            refused = self.sidecar(router).receiver("internal/a", wait=False)
            self.world.wait(lambda r=refused: r.detached, "the refusal")
            self.assertEqual(refused.detached[0], "amqp:not-found")


if __name__ == "__main__":
    unittest.main()
