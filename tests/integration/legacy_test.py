"""trunkd -c qdrouterd.conf: a configuration of Dispatch or AMQ Interconnect, served as it is."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import harness
from clients import ACCEPTED, World, ssl_client
from harness import Certificates, Router, free_port

SAMPLES = pathlib.Path(__file__).parents[2] / "control" / "config" / "samples"
PASSWORD = "open-sesame-4711"

HAS_SASLDB = bool(shutil.which("saslpasswd2"))


class LegacyRouter(Router):
    """A trunkd that is started by -c with a qdrouterd.conf, in `directory`."""

    def __init__(self, config_file, listeners):
        self.prepare(dict.fromkeys(listeners))
        self.config_file = config_file
        self.start([harness.TRUNKD, "-c", config_file])


@unittest.skipUnless(HAS_SASLDB, "needs saslpasswd2 of sasl2-bin")
class Interconnect(unittest.TestCase):
    """The sample: TLS, users of a sasldb, addresses of every kind."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="trunkline-legacy-")
        cls.certificates = Certificates()
        cert, key = cls.certificates.issue("server", "/CN=localhost", "DNS:localhost")
        shutil.copy(cert, os.path.join(cls.folder, "tls.crt"))
        shutil.copy(key, os.path.join(cls.folder, "tls.key"))
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", f"{cls.folder}/qdrouterd.sasldb",
                        "-u", "myrouter", "admin"], input=PASSWORD.encode(), check=True)
        os.mkdir(os.path.join(cls.folder, "sasl2"))
        for name in ("qdrouterd.conf", "sasl2/qdrouterd.conf"):
            text = (SAMPLES / name).read_text().replace("/etc/trunkline", cls.folder)
            # Ports that are the kernel's to choose, on this machine.
            text = re.sub(r"port: amqps?\b", "port: 0", text).replace("0.0.0.0", "127.0.0.1")
            pathlib.Path(cls.folder, name).write_text(text)
        cls.router = LegacyRouter(f"{cls.folder}/qdrouterd.conf", ["local", "amqps"])

    @classmethod
    def tearDownClass(cls):
        status = cls.router.close()
        shutil.rmtree(cls.folder, ignore_errors=True)
        cls.certificates.close()
        if status != 0 or PASSWORD in cls.router.log(10_000):
            raise AssertionError(f"status {status}, or a password in the log:\n{cls.router.log()}")

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def secure(self, user="admin@myrouter", password=PASSWORD, wait=True, **options):
        domain = ssl_client(ca=self.certificates.path("ca.crt"))
        options.setdefault("allowed_mechs", "PLAIN")
        return self.world.connect(f"amqps://localhost:{self.router.port('amqps')}", wait=wait,
                                  ssl_domain=domain, user=user, password=password, **options)

    def local(self):
        return self.world.connect(self.router.url("local"))

    def sender(self, client, address, **options):
        sender = client.sender(address, **options)
        self.world.wait(lambda: sender.credit > 0, f"credit for {address}")
        return sender

    def test_serves_users_of_the_sasldb_over_tls(self):
        client = self.secure()
        self.assertTrue(client.opened)
        self.assertEqual(client.transport.sasl().mech, "PLAIN")
        self.assertEqual(client.connection.remote_container, "Router.A")
        self.router.wait_for_line(
            lambda line: "connection opened" in line and "admin@myrouter" in line, "who came")
        receiver = client.receiver("unicast/a")
        sender = self.sender(self.secure(), "unicast/a")
        sender.send_all(["one", "two"])
        self.world.wait(lambda: receiver.bodies == ["one", "two"], "the messages")
        self.world.wait(lambda: sender.states == [ACCEPTED, ACCEPTED], "the outcomes")

    def test_refuses_others(self):
        for options in ({"password": "wrong"}, {"user": "jo@myrouter"},
                        {"user": None, "password": None, "allowed_mechs": "ANONYMOUS"}):
            client = self.secure(wait=False, **options)
            self.world.wait(lambda c=client: c.gone or c.opened, "the refusal")
            self.assertFalse(client.opened, options)

    def test_refuses_plaintext_where_tls_is_required(self):
        client = self.world.connect(f"amqp://127.0.0.1:{self.router.port('amqps')}", wait=False)
        self.world.wait(lambda: client.gone or client.opened, "the refusal")
        self.assertFalse(client.opened)

    def test_serves_anonymous_clients_of_this_machine(self):
        receiver = self.local().receiver("closest/a")
        sender = self.sender(self.local(), "closest/a")
        sender.send("one")
        self.world.wait(lambda: receiver.bodies == ["one"], "the message")

    def test_distributes_by_prefix_and_pattern(self):
        for address in ("multicast/a", "sensors/b/temperature"):
            receivers = [self.local().receiver(address) for _ in range(3)]
            sender = self.sender(self.secure(), address)
            sender.send("copy")
            self.world.wait(lambda r=receivers: all(x.bodies == ["copy"] for x in r), "the copies")
        first, second = (self.local().receiver("closest/b") for _ in range(2))
        sender = self.sender(self.local(), "closest/b")
        sender.send_all(["1", "2", "3", "4"])
        self.world.wait(lambda: len(first.bodies) + len(second.bodies) == 4, "each once")

    def test_leads_through_the_waypoint(self):
        consumer = self.local().receiver("queue/a")
        broker = self.local()
        inbox = broker.receiver("queue/a", capabilities=["qd.waypoint"])
        outbox = broker.sender("queue/a", capabilities=["qd.waypoint"])
        sender = self.sender(self.local(), "queue/a")
        sender.send("through the queue")
        self.world.wait(lambda: inbox.received, "the message at the waypoint")
        self.assertEqual(consumer.received, [])
        self.world.wait(lambda: outbox.credit > 0, "credit for the waypoint")
        outbox.send(inbox.received[0].data)
        self.world.wait(lambda: consumer.bodies == ["through the queue"], "the message")


class HealthAndStats(unittest.TestCase):
    """What templates of AMQ Interconnect write for probes and metrics, but that they have no host
    there, which is every address."""

    STOCK = """router {{
    mode: standalone
    id: stock
}}
listener {{
    name: amqp
    host: 127.0.0.1
    port: {amqp}
    role: normal
    authenticatePeer: no
    saslMechanisms: ANONYMOUS
}}
listener {{
    name: health-and-stats
    host: 127.0.0.1
    port: {http}
    http: true
    healthz: {healthz}
    metrics: {metrics}
    websockets: false
    httpRootDir: invalid
}}
"""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trunkline-legacy-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, healthz="true", metrics="true"):
        """A router of this configuration; where it serves metrics."""
        file = os.path.join(self.folder, "qdrouterd.conf")
        pathlib.Path(file).write_text(self.STOCK.format(amqp=0, http=0, healthz=healthz,
                                                        metrics=metrics))
        router = LegacyRouter(file, ["amqp"])
        self.addCleanup(router.close)
        return router

    def get(self, router, path):
        url = f"http://127.0.0.1:{router.metrics_port()}{path}"
        try:
            with urllib.request.urlopen(url, timeout=harness.PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def test_is_served_as_it_is(self):
        router = self.start()
        self.assertEqual(self.get(router, "/healthz"), (200, b"OK\n"))
        status, body = self.get(router, "/metrics")
        self.assertEqual(status, 200)
        self.assertIn(b'router_id="stock"', body)
        self.assertIn(b"\n# TYPE qdr_connections_total gauge\nqdr_connections_total 0\n", body)
        self.assertEqual(router.log().count("configuration"), 0)  # nothing to warn of
        world = World()
        self.addCleanup(world.close)
        self.assertTrue(world.connect(router.url("amqp")).opened)

    def test_switches_count(self):
        router = self.start(metrics="no")
        self.assertEqual(self.get(router, "/metrics")[0], 404)
        self.assertEqual(self.get(router, "/healthz")[0], 200)
        router.close()
        router = self.start(healthz="no")
        self.assertEqual(self.get(router, "/metrics")[0], 200)
        for path in ("/healthz", "/livez", "/readyz"):
            self.assertEqual(self.get(router, path)[0], 404)


class Starting(unittest.TestCase):
    """What trunkd says before it serves."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="trunkline-legacy-")
        self.addCleanup(lambda: shutil.rmtree(self.folder, ignore_errors=True))

    def write(self, text, name="qdrouterd.conf"):
        file = os.path.join(self.folder, name)
        pathlib.Path(file).write_text(text)
        return file

    def run_trunkd(self, *arguments):
        return subprocess.run([harness.TRUNKD, *arguments], capture_output=True, text=True,
                              timeout=harness.PATIENCE, cwd=self.folder)

    def test_refuses_what_is_not_there_with_its_line(self):
        file = self.write("router {\n    mode: interior\n}\n\nlistener {\n    port: 55672\n"
                          "    role: inter-router\n}\n\nlinkRoute {\n    prefix: a\n}\n")
        for option in ("-c", "--config", "--check-config"):
            result = self.run_trunkd(option, file)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertEqual(
                result.stderr,
                f"{file}:7:11: listener.role: inter-router: connections between routers are not "
                f"there\n{file}:10:1: linkRoute: link routes are not there\n")

    def test_warns_of_what_has_no_effect(self):
        file = self.write("router {\n    mode: interior\n    helloMaxAge: 5\n}\n"
                          "listener {\n    port: 0\n}\n")
        result = self.run_trunkd("--check-config", file)
        self.assertEqual((result.returncode, result.stdout), (0, f"{file}: good\n"))
        self.assertIn(f"{file}:2:11: router.mode: works as standalone", result.stderr)
        self.assertIn(f"{file}:3:5: router.helloMaxAgeSeconds: has no effect", result.stderr)

    def test_names_files_from_where_it_runs(self):
        file = self.write("sslProfile {\n    name: tls\n    certFile: missing.crt\n"
                          "    privateKeyFile: missing.key\n}\n")
        result = self.run_trunkd("-c", file)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, f"{file}:3:15: tls_profiles[tls].certificate_file: "
                                        "missing.crt: No such file or directory\n")

    def test_takes_the_json_form(self):
        port = free_port()
        file = self.write(f'[["router", {{"id": "J"}}],\n ["listener", {{"name": "amqp", '
                          f'"host": "127.0.0.1", "port": {port}}}]]\n', "qdrouterd.json")
        router = LegacyRouter(file, ["amqp"])
        self.addCleanup(router.close)
        world = World()
        self.addCleanup(world.close)
        client = world.connect(f"amqp://127.0.0.1:{port}")
        self.assertEqual(client.connection.remote_container, "J")

    def test_a_listener_and_a_connector_may_have_one_name(self):
        port = free_port()
        file = self.write("".join(f"{kind} {{\n    name: broker\n    host: 127.0.0.1\n"
                                  f"    port: {port}\n}}\n" for kind in ("listener", "connector")))
        router = LegacyRouter(file, ["broker"])
        self.addCleanup(router.close)
        # It has reached itself.
        router.wait_for_line(lambda line: "connection opened" in line, "the connector's")

    def test_a_changed_file_counts_after_sighup(self):
        text = "listener {{\n    name: a\n    host: 127.0.0.1\n    port: {}\n}}\n"
        ports = [free_port(), free_port()]
        file = self.write(text.format(ports[0]))
        router = LegacyRouter(file, ["a"])
        self.addCleanup(router.close)
        self.write(text.format(ports[1]))
        router.process.send_signal(1)
        router.wait_for_line(lambda line: "listening" in line and str(ports[1]) in line, "so")


if __name__ == "__main__":
    unittest.main()
