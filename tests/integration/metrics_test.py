"""Metrics and probes over HTTP: formats, counts, readiness, and a Prometheus that scrapes them."""

import gzip
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import grpc
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text_format

import harness
from api_client import Api, ApiError
from clients import ACCEPTED, REJECTED, World, ssl_client
from harness import Certificates, Router

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Scraper:
    """Asks one port, on a connection that stays."""

    def __init__(self, port, tls=None):
        if tls is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port,
                                                         timeout=harness.PATIENCE)
        else:
            self.connection = http.client.HTTPSConnection("localhost", port, context=tls,
                                                          timeout=harness.PATIENCE)

    def close(self):
        self.connection.close()

    def get(self, path, method="GET", **headers):
        """Status, headers and body of one answer."""
        self.connection.request(method, path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def samples(self):
        """All of /metrics by name and labels; a label that is empty is not there."""
        status, _, body = self.get("/metrics")
        if status != 200:
            raise AssertionError(f"/metrics says {status}")
        values = {}
        for family in text_format.text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                labels = frozenset(item for item in sample.labels.items() if item[1])
                values[sample.name, labels] = sample.value
        return values

    def value(self, name, **labels):
        """One sample; the sum, if these are not all of its labels."""
        wanted = set(labels.items())
        found = [value for (one, has), value in self.samples().items()
                 if one == name and wanted <= has]
        if not found:
            raise AssertionError(f"there is no {name} {labels}")
        return sum(found)


class Metered(unittest.TestCase):
    """Has a router that serves metrics, and somebody who reads them."""

    def start(self, listeners=None, **config):
        config.setdefault("metrics", {"port": 0})
        self.router = Router(listeners, **config)
        self.addCleanup(self.router.close)
        self.world = World()
        self.addCleanup(self.world.close)
        self.scraper = Scraper(self.router.metrics_port())
        self.addCleanup(self.scraper.close)

    def change(self, edit):
        with open(self.router.config_file, encoding="utf-8") as file:
            config = json.load(file)
        edit(config)
        with open(self.router.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.router.process.send_signal(signal.SIGHUP)

    def exchange(self, count, outcome=ACCEPTED, address="work"):
        """So many messages, each with this outcome."""
        client = self.world.connect(self.router.url())
        client.receiver(address, outcome=outcome)
        sender = client.sender(address)
        sender.send_all([f"message {i}" for i in range(count)])
        self.world.wait(lambda: len(sender.outcomes) == count, "the outcomes")
        return client


class MetricsTest(Metered):
    def test_counts_are_those_of_the_clients(self):
        self.start()
        self.exchange(100)
        client = self.exchange(7, outcome=REJECTED, address="unwanted")
        value = self.scraper.value
        self.assertEqual(value("trunkline_deliveries_total", path="ingress"), 107)
        self.assertEqual(value("trunkline_deliveries_total", path="egress"), 107)
        self.assertEqual(value("trunkline_deliveries_settled_total", outcome="accepted"), 100)
        self.assertEqual(value("trunkline_deliveries_settled_total", outcome="rejected"), 7)
        self.assertEqual(value("trunkline_connections", listener="plain"), 2)
        self.assertEqual(value("trunkline_connections_opened_total", listener="plain"), 2)
        self.assertEqual(value("trunkline_links", direction="in"), 2)
        client.close()
        self.world.wait(lambda: value("trunkline_connections", listener="plain") == 1, "the end")
        self.assertEqual(value("trunkline_connections_closed_total", reason="peer"), 1)
        self.assertGreater(value("trunkline_message_size_bytes_count"), 0)

    def test_logins_and_failures_are_counted_by_listener(self):
        self.start({"plain": {}, "strict": {"require_sasl": True, "sasl_mechanisms": ["EXTERNAL"],
                                            "tls_profile": "service",
                                            "tls_client_auth": "require"}},
                   tls_profiles=[self.profile()])
        self.exchange(1)
        stranger = socket.create_connection(("127.0.0.1", self.router.port("strict")))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.close()
        value = self.scraper.value
        self.assertEqual(value("trunkline_sasl_attempts_total", listener="plain", result="ok",
                               mechanism="ANONYMOUS"), 1)
        self.world.wait(lambda: value("trunkline_connection_errors_total", listener="strict",
                                      stage="tls") == 1, "the failure")
        self.assertEqual(value("trunkline_connection_errors_total", listener="plain"), 0)
        self.assertEqual(value("trunkline_tls_handshakes_total", listener="strict"), 1)
        self.assertEqual(value("trunkline_sasl_attempts_total", listener="strict"), 0)

    def test_refusals_are_counted_by_what_was_wrong(self):
        profile = self.profile()
        users = tempfile.mkdtemp(prefix="trunkline-users-")
        self.addCleanup(shutil.rmtree, users, ignore_errors=True)
        with open(os.path.join(users, "jo"), "w", encoding="ascii") as file:
            file.write("right")
        self.start({"names": {"require_sasl": True, "sasl_mechanisms": ["PLAIN"],
                              "user_store": "users", "tls_profile": "service"},
                    "certificates": {"require_sasl": True, "sasl_mechanisms": ["EXTERNAL"],
                                     "tls_profile": "service", "tls_client_auth": "require"}},
                   tls_profiles=[profile], user_stores=[{"name": "users", "directory": users}])
        self.certificates.authority("other-ca")
        stranger = self.certificates.issue("stranger", "/CN=x", authority="other-ca")
        ca = profile["ca_file"]
        for url, options in (
                ("names", {"user": "jo", "password": "wrong", "allowed_mechs": "PLAIN",
                           "ssl_domain": ssl_client(ca=ca)}),
                ("certificates", {"ssl_domain": ssl_client(ca=ca)}),
                ("certificates", {"ssl_domain": ssl_client(ca=ca, certificate=stranger[0],
                                                           key=stranger[1])})):
            client = self.world.connect(self.router.url(url, "amqps", "localhost"), wait=False,
                                        **options)
            self.world.wait(lambda c=client: c.gone, "the refusal")
        value = self.scraper.value
        self.world.wait(lambda: value("trunkline_connection_errors_total",
                                      listener="certificates", stage="tls") == 2, "the failures")
        for result in ("no_client_cert", "unknown_ca"):
            self.assertEqual(value("trunkline_tls_handshakes_total", listener="certificates",
                                   result=result), 1)
        self.assertEqual(value("trunkline_tls_handshakes_total", listener="names", result="ok"), 1)
        self.assertEqual(value("trunkline_sasl_attempts_total", listener="names",
                               mechanism="PLAIN", result="denied"), 1)
        self.assertEqual(value("trunkline_sasl_attempts_total", result="ok"), 0)
        self.assertEqual(value("trunkline_connections_opened_total"), 0)

    def profile(self):
        self.certificates = certificates = Certificates()
        self.addCleanup(certificates.close)
        certificate, key = certificates.issue("service", "/CN=localhost")
        return {"name": "service", "certificate_file": certificate, "private_key_file": key,
                "ca_file": certificates.path("ca.crt")}

    def test_a_connector_says_how_it_is(self):
        port = harness.free_port()
        self.start(connectors=[{"name": "broker", "host": "127.0.0.1", "port": port,
                                "backoff": {"failed": "50ms", "closed": "50ms"}}])
        value = self.scraper.value
        self.world.wait(lambda: value("trunkline_connection_errors_total", connector="broker",
                                      stage="tcp") > 0, "an attempt")
        self.world.listen(port)
        self.world.wait(lambda: value("trunkline_connector_state", connector="broker",
                                      state="open") == 1, "the state")
        self.assertEqual(value("trunkline_connector_state", connector="broker"), 1)
        self.assertEqual(value("trunkline_connections", connector="broker"), 1)

    def test_certificates_say_when_they_expire(self):
        self.start({"plain": {}, "tls": {"tls_profile": "service"}},
                   tls_profiles=[self.profile()])
        for kind in ("leaf", "ca"):
            days = (self.scraper.value("trunkline_tls_certificate_not_after_timestamp_seconds",
                                       profile="service", kind=kind) - time.time()) / 86400
            self.assertTrue(1.9 < days <= 2, days)
        self.assertEqual(self.scraper.value("trunkline_tls_certificate_revision"), 1)

    def test_both_formats_are_what_they_say(self):
        self.start()
        self.exchange(20)
        status, headers, text = self.scraper.get("/metrics")
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        _, headers, metrics = self.scraper.get("/metrics", Accept=OPEN_METRICS)
        self.assertEqual(headers["Content-Type"],
                         "application/openmetrics-text; version=1.0.0; charset=utf-8")
        in_text = {f.name for f in text_format.text_string_to_metric_families(text.decode())}
        families = list(openmetrics.text_string_to_metric_families(metrics.decode()))
        self.assertEqual(in_text, {family.name for family in families})
        for family in families:
            self.assertNotEqual(family.type, "unknown", family.name)
            self.assertTrue(family.samples, family.name)

    def test_answers_are_packed_for_those_who_ask(self):
        self.start()
        _, headers, plain = self.scraper.get("/metrics")
        self.assertIsNone(headers["Content-Encoding"])
        _, headers, packed = self.scraper.get("/metrics", **{"Accept-Encoding": "gzip"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertLess(len(packed), len(plain) / 3)
        self.assertIn(b"trunkline_build_info", gzip.decompress(packed))

    def test_names_of_dispatch_say_the_same(self):
        self.start(metrics={"port": 0, "legacy": "qdr"})
        self.exchange(40)
        self.exchange(7, outcome=REJECTED, address="unwanted")
        ours = {
            "qdr_connections_total": ("trunkline_connections", {}, 2),
            "qdr_amqp_service_connections": ("trunkline_connections", {}, 2),
            "qdr_links_total": ("trunkline_links", {}, 4),
            "qdr_addresses_total": ("trunkline_addresses", {}, None),
            "qdr_deliveries_ingress_total": ("trunkline_deliveries_total",
                                             {"path": "ingress"}, 47),
            "qdr_deliveries_egress_total": ("trunkline_deliveries_total", {"path": "egress"}, 47),
            "qdr_accepted_deliveries_total": ("trunkline_deliveries_settled_total",
                                              {"outcome": "accepted"}, 40),
            "qdr_rejected_deliveries_total": ("trunkline_deliveries_settled_total",
                                              {"outcome": "rejected"}, 7),
            "qdr_presettled_deliveries_total": ("trunkline_deliveries_settled_total",
                                                {"outcome": "presettled"}, 0),
            "qdr_dropped_presettled_deliveries_total": ("trunkline_deliveries_dropped_total",
                                                        {}, 0),
            "qdr_router_rss_bytes": ("process_resident_memory_bytes", {}, None),
            "qdr_router_vmsize_bytes": ("process_virtual_memory_bytes", {}, None),
        }
        samples = self.scraper.samples()
        for name, (source, labels, count) in ours.items():
            wanted = sum(value for (one, has), value in samples.items()
                         if one == source and set(labels.items()) <= has)
            self.assertEqual(samples[name, frozenset()], wanted, name)
            if count is not None:
                self.assertEqual(wanted, count, name)
        self.assertGreater(samples["qdr_router_rss_bytes", frozenset()], 0)
        # Who takes either format gets the one that has them; the other one never does.
        for accept, has in ((OPEN_METRICS, True), (OPEN_METRICS.split(",", 1)[0], False)):
            _, headers, body = self.scraper.get("/metrics", Accept=accept)
            self.assertEqual(headers["Content-Type"].startswith("text/plain"), has)
            self.assertEqual(b"qdr_" in body, has)

    def test_names_of_dispatch_come_and_go_with_a_reload(self):
        self.start()
        get = self.scraper.get
        self.assertNotIn(b"qdr_", get("/metrics")[2])
        # The port is any free one: a server that moved would be at another.
        self.change(lambda config: config["metrics"].update(legacy="qdr"))
        self.world.wait(lambda: b"qdr_" in get("/metrics")[2], "the names")
        self.change(lambda config: config["metrics"].update(legacy="none"))
        self.world.wait(lambda: b"qdr_" not in get("/metrics")[2], "their end")
        self.assertEqual(self.router.log().count("serving metrics"), 1)

    @unittest.skipUnless(shutil.which("promtool"), "not run: needs promtool of prometheus")
    def test_promtool_reads_the_names_of_dispatch(self):
        self.start(metrics={"port": 0, "legacy": "qdr"})
        checked = subprocess.run(["promtool", "check", "metrics"],
                                 input=self.scraper.get("/metrics")[2],
                                 capture_output=True, timeout=harness.PATIENCE)
        # It finds fault with gauges that end in _total, which is what they are called in Dispatch,
        # so only that it can read all of it is asked for: that ends with 3, what it cannot with 1.
        self.assertEqual((checked.returncode, checked.stdout), (3, b""))
        for line in checked.stderr.decode().splitlines():
            self.assertRegex(line, '^qdr_[a-z_]+ non-counter metrics should not have "_total" ')

    @unittest.skipUnless(shutil.which("promtool"), "not run: needs promtool of prometheus")
    def test_promtool_finds_nothing_in_either_format(self):
        self.start()
        self.exchange(20)
        for accept in ("text/plain", OPEN_METRICS):
            _, _, body = self.scraper.get("/metrics", Accept=accept)
            if accept == OPEN_METRICS:
                body = as_text_format(body.decode()).encode()
            checked = subprocess.run(["promtool", "check", "metrics"], input=body,
                                     capture_output=True, timeout=harness.PATIENCE)
            self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))

    def test_probes_follow_the_life_of_the_router(self):
        self.start(router={"drain_timeout": "60s"})
        self.assertEqual(self.scraper.get("/livez")[0], 200)
        status, _, body = self.scraper.get("/readyz")
        self.assertEqual((status, body), (200, b"control: ready\ndata: ready\n"))
        self.assertEqual(self.scraper.get("/healthz")[2], b"OK\n")
        client = self.world.connect(self.router.url())
        receiver = client.receiver("held", outcome=None)
        sender = client.sender("held")
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send("held")
        self.world.wait(lambda: receiver.received, "the message")
        self.router.terminate()
        self.world.wait(lambda: self.scraper.get("/readyz")[0] == 503, "the drain")
        self.assertEqual(self.scraper.get("/readyz")[2], b"control: ready\ndata: draining\n")
        self.assertEqual(self.scraper.get("/livez")[0], 200)
        receiver.received[0].settle(ACCEPTED)
        self.world.wait(lambda: self.router.process.poll() is not None, "the end")
        self.assertEqual(self.router.process.returncode, 0)

    def test_a_reload_moves_it_and_counts(self):
        self.start()
        port = harness.free_port()
        self.change(lambda config: config["metrics"].update(port=port))
        self.router.wait_for_line(lambda line: f":{port}" in line, "the new place")
        moved = Scraper(port)
        self.addCleanup(moved.close)
        self.world.wait(lambda: moved.value("trunkline_config_reloads_total", result="ok") == 1,
                        "the reload")
        self.assertEqual(moved.value("trunkline_config_generation"), 2)
        self.change(lambda config: config["metrics"].update(port=70000))
        self.world.wait(lambda: moved.value("trunkline_config_reloads_total",
                                            result="failed") == 1, "the refused reload")
        self.assertEqual(moved.value("trunkline_config_generation"), 2)
        self.change(lambda config: config["metrics"].update(port=port, enabled=False))
        self.router.wait_for_line(lambda line: "not served any more" in line, "the end")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_a_taken_port_ends_the_start(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                json.dump({"metrics": {"port": taken.getsockname()[1]}}, file)
                file.flush()
                ended = subprocess.run([harness.TRUNKD, "--config", file.name],
                                       capture_output=True, timeout=harness.PATIENCE)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"Address already in use", ended.stderr)


class ControlMetricsTest(Metered):
    """What is counted of the API, of the state that it leaves, and of what it makes."""

    def start(self, tcp=None, **config):
        control = {"state_directory": self.folder("state"), **({"tcp": tcp} if tcp else {})}
        super().start(control=control, **config)
        self.api = self.open_api()

    def folder(self, name):
        folder = tempfile.mkdtemp(prefix="trunkline-metrics-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.state = os.path.join(folder, name)
        return self.state

    def open_api(self):
        api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(api.close)
        return api

    def fails(self, code, call, *arguments, **fields):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **fields)
        self.assertEqual(caught.exception.code, code)

    def create(self, port):
        return self.api.call("ListenerService/CreateListener", listenerId="made",
                             listener={"spec": {"host": "127.0.0.1", "port": port}})

    def await_value(self, wanted, name, **labels):
        """Control tells once a second what it counts."""
        def is_there():
            found = [value for (one, has), value in self.scraper.samples().items()
                     if one == name and set(labels.items()) <= has]
            return sum(found) == wanted and (found or wanted == 0)

        self.world.wait(is_there, f"{wanted} of {name} {labels}")

    def test_calls_are_counted_by_method_and_code(self):
        self.start()
        requests = "trunkline_control_requests_total"
        for _ in range(3):
            self.api.call("RouterService/GetVersion")
        self.fails("NOT_FOUND", self.api.call, "ListenerService/GetListener", name="listeners/x")
        self.await_value(3, requests, service="RouterService", method="GetVersion", code="OK")
        self.await_value(1, requests, method="GetListener", code="NOT_FOUND")
        self.await_value(4, "trunkline_control_request_duration_seconds_count")
        self.await_value(4, requests)

    def test_streams_are_counted_while_they_are_open_and_when_they_end(self):
        self.start()
        watches = [self.api.stream("ListenerService/WatchListeners") for _ in range(2)]
        self.await_value(2, "trunkline_control_watchers", method="WatchListeners")
        for watch in watches:
            watch.cancel()
        self.await_value(0, "trunkline_control_watchers", method="WatchListeners")
        self.await_value(2, "trunkline_control_requests_total", method="WatchListeners",
                         code="CANCELLED")
        self.await_value(0, "trunkline_control_request_duration_seconds_count")

    def test_calls_that_are_not_let_in_make_no_series(self):
        self.start()
        before = set(self.scraper.samples())
        refused = "trunkline_control_requests_refused_total"
        for path in ("/trunkline.control.v1.RouterService/Nothing", "/nobody/knows", "/"):
            self.fails("UNIMPLEMENTED", self.api.raw, path)
        self.fails("INVALID_ARGUMENT", self.api.raw,
                   "/trunkline.control.v1.ListenerService/GetListener", b"\xff")
        self.await_value(3, refused, reason="method_unknown")
        self.await_value(1, refused, reason="malformed_request")
        self.await_value(0, "trunkline_control_auth_denied_total")
        self.assertEqual(set(self.scraper.samples()), before)

    def test_who_may_not_is_counted_by_why(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        cert, key = certificates.issue("server", "/CN=localhost", "DNS:localhost")
        self.start(tls_profiles=[{"name": "control", "certificate_file": cert,
                                  "private_key_file": key, "ca_file": certificates.path("ca.crt")}],
                   tcp={"host": "127.0.0.1", "port": 0, "tls_profile": "control"})
        # Without a policy who has a name is a viewer.
        for subject, code in (("/O=Works", "UNAUTHENTICATED"), ("/CN=jo", "PERMISSION_DENIED")):
            shown = certificates.issue("caller", subject)
            credentials = grpc.ssl_channel_credentials(
                *(pathlib.Path(file).read_bytes()
                  for file in (certificates.path("ca.crt"), shown[1], shown[0])))
            api = Api(f"localhost:{self.router.api_port()}", credentials)
            self.addCleanup(api.close)
            self.fails(code, api.call, "RouterService/Shutdown")
        denied = "trunkline_control_auth_denied_total"
        self.await_value(1, denied, reason="no_identity")
        self.await_value(1, denied, reason="role_required")
        self.await_value(0, "trunkline_control_requests_total")

    def test_writes_of_the_state_are_counted(self):
        self.start()
        writes = "trunkline_state_writes_total"
        self.create(0)
        self.await_value(1, writes, result="ok")
        os.mkdir(os.path.join(self.state, "state.json.new"))  # where the next one is to be written
        self.fails("UNAVAILABLE", self.api.call, "ListenerService/DeleteListener",
                   name="listeners/made")
        self.await_value(1, writes, result="failed")
        self.assertEqual(self.scraper.value(writes, result="ok"), 1)

    def test_what_is_not_in_force_is_counted_until_it_is(self):
        self.start()
        failed = "trunkline_config_failed_resources"
        port = harness.free_port()
        self.create(port)
        self.assertEqual(self.scraper.value(failed), 0)
        self.router.terminate()
        self.router.process.wait(harness.PATIENCE)
        self.router.forget_log()
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            self.router.start([harness.TRUNKD, "--config", self.router.config_file])
            self.scraper = Scraper(self.router.metrics_port())
            self.addCleanup(self.scraper.close)
            self.await_value(1, failed)
        self.await_value(0, failed)

    def test_addresses_with_consumers_are_counted(self):
        self.start()
        client = self.world.connect(self.router.url())
        receivers = [client.receiver(f"orders/{i % 3}") for i in range(6)]
        client.sender("orders/nobody", wait=False)
        self.world.wait(lambda: all(receiver.attached for receiver in receivers), "the links")
        value = self.scraper.value
        self.world.wait(lambda: value("trunkline_addresses") == 3, "the addresses")
        client.close()
        self.world.wait(lambda: value("trunkline_addresses") == 0, "the end")


def as_text_format(text):
    """OpenMetrics in the words of the older format, which is all that promtool reads: counters
    have their suffix in comments too, and there are no units."""
    counters = {line.split()[2] for line in text.splitlines()
                if line.startswith("# TYPE ") and line.endswith(" counter")}
    lines = []
    for line in text.splitlines():
        words = line.split(" ", 3)
        if line.startswith("# UNIT") or line == "# EOF":
            continue
        if line.startswith("# ") and words[2] in counters:
            words[2] += "_total"
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


@unittest.skipUnless(shutil.which("prometheus"), "not run: needs prometheus")
class PrometheusTest(Metered):
    """A real Prometheus that scrapes a router under load."""

    def scrape_with_prometheus(self):
        self.folder = tempfile.mkdtemp(prefix="trunkline-prometheus-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"global": {"scrape_interval": "1s"},
                       "scrape_configs": [{"job_name": "trunkline", "static_configs": [
                           {"targets": [f"127.0.0.1:{self.router.metrics_port()}"]}]}]}, file)
        self.port = harness.free_port()
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def query(self, expression, at=None):
        """The values of an expression, as Prometheus has them now, or had them `at` a time."""
        asked = {"query": expression, **({"time": repr(at)} if at is not None else {})}
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode(asked))
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
        except (OSError, http.client.HTTPException):
            return []  # it starts
        if answer.status == 503:
            return []  # likewise
        return [float(row["value"][1]) for row in json.loads(body)["data"]["result"]]

    def since_start(self, function, series):
        """increase or rate from the zero at the start to the last scrape, over ten minutes. Asked
        for at the very time of that scrape, Prometheus extrapolates at neither end."""
        last, = self.query(f"timestamp({series})")
        return self.query(f"{function}({series}[10m])", at=last)[0]

    def test_prometheus_reads_the_names_of_dispatch(self):
        self.start(metrics={"port": 0, "legacy": "qdr"})
        self.exchange(3)
        self.scrape_with_prometheus()
        self.world.wait(lambda: self.query("qdr_accepted_deliveries_total") == [3], "the names")
        self.assertEqual(self.query("qdr_connections_total"), [1])

    def test_prometheus_counts_what_the_clients_count(self):
        self.start()
        self.scrape_with_prometheus()
        self.world.wait(lambda: self.query("up") == [1], "the first scrape")
        ingress = 'trunkline_deliveries_total{path="ingress"}'
        self.world.wait(lambda: self.query(ingress) == [0], "the zero")
        client = self.world.connect(self.router.url())
        receiver = client.receiver("load", credit=0)
        sender = client.sender("load")
        sent = 0
        until = time.monotonic() + 5
        while time.monotonic() < until:
            receiver.flow(200)
            sender.send_all(["load"] * 200)
            sent += 200
            self.world.wait(lambda: len(sender.outcomes) == sent, "the outcomes")
        accepted = 'trunkline_deliveries_settled_total{outcome="accepted"}'
        egress = 'trunkline_deliveries_total{path="egress"}'
        self.world.wait(lambda: self.query(accepted) == [sent], "the last scrape")
        for series in (ingress, egress, accepted):
            self.assertEqual(self.since_start("increase", series), sent, series)
            self.assertAlmostEqual(self.since_start("rate", series) * 600, sent, 6, series)
        self.assertEqual(self.query("min_over_time(up[2m])"), [1])
        self.assertEqual(self.query("count(ALERTS)"), [])
