"""What is made over the API is there after a restart, however the process ended."""

import json
import os
import random
import re
import shutil
import signal
import socket
import threading
import unittest

import grpc

import harness
from api_client import Api, ApiError
from harness import Router

# By hand: TRUNKLINE_KILLS=200.
KILLS = int(os.environ.get("TRUNKLINE_KILLS", "10"))
CREATE = "AddressService/CreateAddress"
SEED = 1
BURST = 90


class StateTest(unittest.TestCase):
    def setUp(self):
        self.router = Router({"plain": {}})
        self.addCleanup(lambda: self.router.close())
        self.state = os.path.join(self.router.directory, "state")
        # The folder is another for each router, that of the state is not.
        with open(self.router.config_file, encoding="utf-8") as file:
            self.config = json.load(file)
        self.config["control"]["state_directory"] = self.state
        with open(self.router.config_file, "w", encoding="utf-8") as file:
            json.dump(self.config, file)
        self.restart()

    def restart(self):
        """Ends what there is by SIGKILL, and starts it anew."""
        self.router.process.kill()
        self.router.process.wait()
        self.router.forget_log()
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])
        self.router.wait_for_line(lambda line: '"API"' in line, "that its API is there")
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def addresses(self):
        reply = self.api.call("AddressService/ListAddresses", pageSize=1000)
        return {address.name: address.spec.prefix for address in reply.addresses}

    def create(self, number):
        self.api.call(CREATE, addressId=f"a{number}",
                      address={"spec": {"prefix": f"orders/{number}"}})

    def test_resources_are_there_after_a_restart(self):
        created = self.api.call("ListenerService/CreateListener", listenerId="extra",
                                listener={"labels": {"team": "billing"},
                                          "spec": {"host": "127.0.0.1", "port": 0}})
        self.assertTrue(created.persisted)
        self.restart()
        again = self.api.call("ListenerService/GetListener", name="listeners/extra")
        for field in ("uid", "etag", "generation", "create_time", "labels", "spec"):
            self.assertEqual(getattr(again, field), getattr(created.listener, field), field)
        self.assertEqual(len(again.status.bound_addresses), 1)
        self.api.call("ListenerService/DeleteListener", name="listeners/extra")
        self.restart()
        with self.assertRaises(ApiError) as caught:
            self.api.call("ListenerService/GetListener", name="listeners/extra")
        self.assertEqual(caught.exception.reason, "LISTENER_NOT_FOUND")

    def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(self):
        dice = random.Random(SEED)
        acknowledged, asked = set(), set()
        number = 0
        for _ in range(KILLS):
            enough = len(acknowledged) + dice.randrange(1, 5)
            reached = threading.Event()

            def write():
                nonlocal number
                try:
                    while True:
                        number += 1
                        asked.add(f"addresses/a{number}")
                        self.create(number)
                        acknowledged.add(f"addresses/a{number}")
                        if len(acknowledged) >= enough:
                            reached.set()
                except (ApiError, grpc.RpcError):
                    reached.set()

            writer = threading.Thread(target=write)
            writer.start()
            reached.wait(harness.PATIENCE)
            # Somewhere in the calls that go on.
            for _ in range(dice.randrange(200_000)):
                pass
            self.router.process.kill()
            writer.join()
            self.restart()
            there = self.addresses()
            self.assertEqual(acknowledged - set(there), set())
            self.assertEqual(set(there) - asked, set())
            for name, prefix in there.items():
                self.assertEqual(prefix, name.replace("addresses/a", "orders/"))
            # What came to be without an answer counts from here on.
            acknowledged |= set(there)

    def test_what_is_not_in_force_is_logged_once(self):
        port = harness.free_port()
        self.api.call("ListenerService/CreateListener", listenerId="extra",
                      listener={"spec": {"host": "127.0.0.1", "port": port}})
        self.router.process.kill()
        self.router.process.wait()
        with socket.create_server(("127.0.0.1", port)):
            self.restart()
            said = [line for line in self.router.lines if '"not in force"' in line]
            self.assertEqual(len(said), 1, self.router.log())
            self.assertIn("listeners[extra]", said[0])
            self.create(1)
            self.router.wait_for_line(lambda line: f"method={CREATE}" in line, "the change")
            again = [line for line in self.router.lines if '"not in force"' in line]
            self.assertEqual(again, said)

    def test_a_connector_is_tested_whatever_others_lack(self):
        users = os.path.join(self.router.directory, "users")
        os.mkdir(users)
        with open(os.path.join(users, "ann"), "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("sesame\n")
        self.api.call("UserService/CreateUserStore", userStoreId="extra",
                      userStore={"spec": {"directory": users}})
        shutil.rmtree(users)
        self.restart()
        reply = self.api.call("ConnectorService/TestConnector",
                              spec={"host": "127.0.0.1", "port": self.router.port()})
        self.assertTrue(reply.steps, reply)

    def test_a_stop_tells_the_truth_of_changes_under_way(self):
        """Each is answered, and audited as good only if it is there after a restart."""
        calls = [self.api.begin(CREATE, addressId=f"a{number}",
                                address={"spec": {"prefix": f"orders/{number}"}})
                 for number in range(BURST)]
        self.router.wait_for_line(lambda line: "result=OK" in line, "that the first is made")
        self.router.terminate()
        self.router.process.send_signal(signal.SIGINT)
        self.assertEqual(self.router.wait_for_exit(), 0, self.router.log())
        self.router.wait_for_line(lambda line: line == "(end of log)", "no more")
        lines = [line for line in self.router.lines if f"method={CREATE}" in line]
        made = {name for line in lines if "result=OK" in line
                for name in re.findall(r"resource=(\S+)", line)}
        reasons = {reason for line in lines for reason in re.findall(r'reason="?([A-Z_]*)', line)}
        self.assertLessEqual(reasons, {"", "STOPPING"})
        self.assertTrue(all(call.done() or call.exception() for call in calls))
        self.restart()
        self.assertEqual(set(self.addresses()), made)



if __name__ == "__main__":
    unittest.main()
