"""doctor: what it says of routers that are well and of routers that are not."""

import json
import os
import re
import resource
import unittest
from concurrent import futures

import grpc

from harness import Certificates, Router, free_port
from terminal import Terminal


class Older(grpc.GenericRpcHandler):
    """Passes calls on to a router, but those of methods that it is too old for."""

    def __init__(self, router, *unknown):
        self.unknown = unknown
        self.channel = grpc.insecure_channel(f"unix:{router.socket()}")
        self.socket = os.path.join(router.directory, "older.sock")
        self.server = grpc.server(futures.ThreadPoolExecutor(4), [self])
        self.server.add_insecure_port(f"unix:{self.socket}")
        self.server.start()

    def close(self):
        self.server.stop(None).wait()
        self.channel.close()

    def service(self, details):
        if details.method.rpartition("/")[2] in self.unknown:
            return None  # the library says UNIMPLEMENTED

        def answer(request, context):
            call = self.channel.unary_stream(details.method)(request, timeout=20)
            context.add_callback(call.cancel)
            yield from call

        return grpc.unary_stream_rpc_method_handler(answer)


class Doctor(unittest.TestCase):
    def setUp(self):
        self.certificates = Certificates()
        self.addCleanup(self.certificates.close)

    def profile(self, name, days=365):
        cert, key = self.certificates.issue(name, "/CN=localhost", "DNS:localhost", days=days)
        return {"name": name, "certificate_file": cert, "private_key_file": key}

    def start(self, *listeners, **config):
        self.router = Router({name: {} for name in listeners} or {"plain": {}}, **config)
        self.addCleanup(self.router.close)
        self.terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket())

    def findings(self, status):
        """What is found, by what was looked at."""
        ended, output, errors = self.terminal.pipe("trunkctl doctor -o json")
        self.assertEqual(ended, status, output + errors)
        return {each["check"]: each for each in json.loads(output)}

    def wait_for_finding(self, check, wanted, status):
        """Things take their time; each look waits for nothing."""
        from clients import World  # for its patience alone
        world = World()
        self.addCleanup(world.close)
        found = {}

        def is_there():
            found.clear()
            _, output, _ = self.terminal.pipe("trunkctl doctor -o json")
            found.update({each["check"]: each for each in json.loads(output)})
            return wanted in found[check]["text"]

        world.wait(is_there, f"{check}: {wanted}")
        self.assertEqual(self.findings(status)[check]["result"], found[check]["result"])
        return found[check]

    def test_all_is_well(self):
        self.start(tls_profiles=[self.profile("service")])
        found = self.findings(0)
        self.assertEqual({each["result"] for each in found.values()}, {"ok"})
        self.assertIn("router tested", found["API"]["text"])
        self.assertEqual(found["your role"]["text"], "admin")
        self.assertIn(f"127.0.0.1:{self.router.port()}", found["listener plain"]["text"])
        self.assertIn("CN=localhost expires in", found["TLS profile service"]["text"])
        self.assertIn("agree", found["clock"]["text"])
        self.assertEqual(found["configuration"]["text"], "in force")
        self.assertIn("nothing was made", found["persistence"]["text"])

    def test_as_people_see_it(self):
        self.start()
        seen, status = self.terminal.run("trunkctl doctor")
        self.assertEqual(status, 0, seen)
        lines = seen.splitlines()
        self.assertRegex(lines[0], "^RESULT  CHECK +FINDING$")
        self.assertRegex(lines[1], "^ok      API +router tested, trunkd ")
        self.assertEqual(len(lines), 1 + len(self.findings(0)))

    def test_the_way_out_stands_below_on_terminals_that_are_narrow(self):
        self.start(tls_profiles=[self.profile("soon", days=2)])
        seen, _ = self.terminal.run("trunkctl doctor", columns=60)
        lines = seen.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("warning "))
        self.assertRegex(lines[at], "CN=localhost expires in")
        self.assertEqual(lines[at].index("its certificate"), lines[at + 1].index("→"), seen)

    def test_descriptors_that_run_out(self):
        self.start()
        found = self.findings(0)["descriptors"]
        self.assertEqual(found["result"], "ok")
        opened = int(re.match(r"(\d+) of \d+ are open$", found["text"]).group(1))
        limit = opened + 2
        limits = self.router.process.pid, resource.RLIMIT_NOFILE
        before = resource.prlimit(*limits, (limit, resource.prlimit(*limits)[1]))
        _, output, _ = self.terminal.pipe("trunkctl doctor -o json")
        resource.prlimit(*limits, before)  # it is to end in peace
        found = {each["check"]: each for each in json.loads(output)}["descriptors"]
        self.assertIn(found["result"], ("warning", "failed"))
        self.assertRegex(found["text"], rf"^\d+ of {limit} are open: ")
        self.assertIn("LimitNOFILE", found["way_out"])

    def test_a_broken_connector(self):
        port = free_port()
        self.start(connectors=[{"name": "broker", "host": "127.0.0.1", "port": port,
                                "backoff": {"failed": "10m"}}])
        found = self.wait_for_finding("connector broker", "Connection refused", 1)
        self.assertEqual(found["result"], "failed")
        self.assertIn(f"127.0.0.1:{port}", found["text"])
        self.assertEqual(found["way_out"], "trunkctl test connector broker")
        seen, status = self.terminal.run("trunkctl doctor --no-headers")
        self.assertEqual(status, 1)
        self.assertIn(" → trunkctl test connector broker", seen)
        self.assertIn("trunkctl: 1 check failed", seen)

    def test_a_connector_whose_host_has_no_address(self):
        self.start(connectors=[{"name": "broker", "host": "nowhere.invalid",
                                "backoff": {"failed": "10m"}}])
        self.assertEqual(self.findings(1)["name nowhere.invalid"]["result"], "failed")

    def test_what_is_switched_off_is_fine(self):
        self.start(connectors=[{"name": "broker", "host": "nowhere.invalid", "enabled": False}])
        found = self.findings(0)
        self.assertEqual(found["connector broker"]["text"], "switched off")
        self.assertNotIn("name nowhere.invalid", found)

    def test_certificates_that_end(self):
        self.start(tls_profiles=[self.profile("old", days=-1), self.profile("soon", days=2)])
        found = self.findings(1)
        self.assertEqual(found["TLS profile old"]["result"], "failed")
        self.assertIn("CN=localhost expired", found["TLS profile old"]["text"])
        self.assertIn("trunkctl certs rotate old", found["TLS profile old"]["way_out"])
        self.assertEqual(found["TLS profile soon"]["result"], "warning")
        self.assertIn("CN=localhost expires in", found["TLS profile soon"]["text"])

    def test_a_warning_is_no_failure(self):
        self.start(tls_profiles=[self.profile("soon", days=2)])
        self.assertEqual(self.findings(0)["TLS profile soon"]["result"], "warning")

    def test_a_file_that_was_refused(self):
        self.start(router={"watch_config": False})
        with open(self.router.config_file, "w", encoding="ascii") as file:
            file.write("listeners: 5\n")
        self.router.process.send_signal(1)  # SIGHUP
        found = self.wait_for_finding("configuration", "was refused", 1)
        self.assertEqual(found["result"], "failed")

    def test_what_a_restart_would_take_away(self):
        self.start()
        self.assertEqual(self.terminal.pipe("trunkctl create address x prefix=x")[0], 0)
        self.assertEqual(self.terminal.pipe("trunkctl create connector y host=127.0.0.1 "
                                            "enabled=false")[0], 0)
        found = self.findings(0)["persistence"]
        self.assertEqual(found["result"], "warning")
        self.assertIn("2 resources", found["text"])
        self.assertEqual(self.terminal.pipe("trunkctl set router max_connections=9")[0], 0)
        self.assertIn("3 resources", self.findings(0)["persistence"]["text"])

    def test_more_resources_than_a_page_has(self):
        self.start()
        given = {"addresses": [{"name": f"a{n}", "prefix": f"a{n}"} for n in range(1001)]}
        ended, output, errors = self.terminal.pipe("trunkctl apply -f -", json.dumps(given))
        self.assertEqual(ended, 0, output + errors)
        self.assertIn("1001 resources", self.findings(0)["persistence"]["text"])

    def test_what_is_kept(self):
        folder = os.path.join(self.certificates.directory, "state")
        self.start(control={"state_directory": folder})
        self.assertIn(folder, self.findings(0)["persistence"]["text"])

    def test_who_may_only_look(self):
        path = self.certificates.path
        for name in ("viewer", "operator"):
            self.certificates.issue(name, f"/CN={name}")
        policy = path("policy.yaml")
        with open(policy, "w", encoding="ascii") as file:
            file.write("viewer: ['cn:viewer']\noperator: ['cn:operator']\n")
        self.start(tls_profiles=[{**self.profile("control"), "ca_file": path("ca.crt")}],
                   control={"tcp": {"host": "127.0.0.1", "port": 0, "tls_profile": "control",
                                    "policy_file": policy}})
        for name, role in (("viewer", "viewer: you can change nothing"), ("operator", "operator")):
            ended, output, errors = self.terminal.pipe(
                f"trunkctl doctor -o json --endpoint localhost:{self.router.api_port()} "
                f"--tls-cert {path(name + '.crt')} --tls-key {path(name + '.key')} "
                f"--tls-ca {path('ca.crt')}")
            self.assertEqual(ended, 0, output + errors)
            self.assertIn({"check": "your role", "result": "ok", "text": role}, json.loads(output))

    def test_a_router_that_is_older(self):
        methods = ("GetStats", "WatchEvents", "ListListeners", "ListConnectors", "ListTlsProfiles",
                   "ListUserStores", "GetConfig", "ApplyConfig")
        self.start()
        older = Older(self.router, *methods)
        self.addCleanup(older.close)
        ended, output, errors = self.terminal.pipe(
            f"trunkctl doctor -o json --endpoint {older.socket}")
        self.assertEqual((ended, errors), (0, ""), output)
        found = {each["check"]: each for each in json.loads(output)}
        self.assertEqual(found.pop("API")["result"], "ok")
        self.assertEqual({each["result"] for each in found.values()}, {"warning"}, output)
        self.assertEqual(set(found), {"your role", "clock", "descriptors", "configuration",
                                      "listeners", "connectors", "TLS profiles", "users",
                                      "persistence"})
        self.assertEqual(found["listeners"]["text"],
                         "not looked at: the router does not know ListenerService/ListListeners: "
                         "it may be older than this trunkctl")
        self.assertEqual(found["listeners"]["way_out"], "take a newer trunkd")

    def test_a_router_that_is_older_in_one_thing(self):
        self.start()
        older = Older(self.router, "ListUserStores", "GetUserStore")
        self.addCleanup(older.close)
        self.terminal.environment["TRUNKLINE_ENDPOINT"] = older.socket
        found = self.findings(0)
        self.assertEqual([check for check, each in found.items() if each["result"] != "ok"],
                         ["users"])
        # Other commands say so, too.
        ended, output, errors = self.terminal.pipe("trunkctl get user-stores")
        self.assertEqual((ended, output, errors), (
            1, "", "trunkctl: the router does not know UserService/ListUserStores: it may be older "
                   "than this trunkctl (METHOD_UNKNOWN)\n"))

    def test_no_router_at_all(self):
        self.start()
        ended, output, errors = self.terminal.pipe("trunkctl doctor --endpoint /nowhere.sock")
        self.assertEqual((ended, output), (6, ""))
        self.assertIn("/nowhere.sock", errors)


if __name__ == "__main__":
    unittest.main()
