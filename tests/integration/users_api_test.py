"""Users of a built-in store, made over the API: their logins, and what is kept of them."""

import json
import os
import stat
import unittest

import harness
from api_client import Api, ApiError
from clients import World
from harness import Router
from sasl_bytes import AUTH, OK, Login

PASSWORD = "open-sesame-4711"
OTHER = "open-barley-0815"
STORE = "userStores/clients"


class Users(unittest.TestCase):
    def setUp(self):
        self.router = Router({"plain": {}})
        self.addCleanup(lambda: self.router.close())
        self.world = World()
        self.addCleanup(self.world.close)
        with open(self.router.config_file, encoding="utf-8") as file:
            config = json.load(file)
        self.state = os.path.join(self.router.directory, "state")
        config["control"]["state_directory"] = self.state
        with open(self.router.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.restart()
        self.api.call("UserService/CreateUserStore", userStoreId="clients",
                      userStore={"spec": {"builtIn": True, "realm": "works"}})
        self.api.call("ListenerService/CreateListener", listenerId="login",
                      listener={"spec": {"host": "127.0.0.1", "port": harness.free_port(),
                                         "userStore": STORE, "requireSasl": True,
                                         "allowInsecurePlain": True}})

    def restart(self):
        """Ends what there is by SIGKILL, and starts it anew."""
        self.router.process.kill()
        self.router.process.wait()
        self.router.forget_log()
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])
        self.router.wait_for_line(lambda line: '"API"' in line, "that its API is there")
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def port(self):
        return self.api.call("ListenerService/GetListener",
                             name="listeners/login").spec.port

    def put(self, user, password):
        return self.api.call("UserService/PutUser", user={"name": f"{STORE}/users/{user}"},
                             password=password)

    def scram(self, user, password, mechanism="SCRAM-SHA-256"):
        login = Login(self.port())
        self.addCleanup(login.close)
        return login.scram(mechanism, user, password)

    def plain(self, user, password):
        """Whether Proton is let in."""
        client = self.world.connect(f"amqp://127.0.0.1:{self.port()}", wait=False,
                                    allowed_mechs="PLAIN", allow_insecure_mechs=True,
                                    user=user, password=password)
        self.world.wait(lambda: client.gone or client.opened, "the outcome")
        return client.opened

    def names(self):
        reply = self.api.call("UserService/ListUsers", parent=STORE)
        return [user.name.rsplit("/", 1)[-1] for user in reply.users]

    def test_a_user_logs_in_at_once_by_every_mechanism(self):
        self.assertEqual(self.scram("alice", PASSWORD), AUTH)
        made = self.put("alice", PASSWORD)
        self.assertTrue(made.created and made.persisted)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            self.assertEqual(self.scram("alice", PASSWORD, mechanism), OK)
            self.assertEqual(self.scram("alice", OTHER, mechanism), AUTH)
        self.assertTrue(self.plain("alice@works", PASSWORD))
        self.assertFalse(self.plain("alice", OTHER))
        self.assertFalse(self.plain("bob", PASSWORD))
        self.router.wait_for_line(
            lambda line: "connection opened" in line and "user=alice@works" in line,
            "that alice has come")

    def test_another_password_counts_at_once_and_connections_stay(self):
        self.put("alice", PASSWORD)
        client = self.world.connect(f"amqp://127.0.0.1:{self.port()}", allowed_mechs="PLAIN",
                                    allow_insecure_mechs=True, user="alice", password=PASSWORD)
        self.assertFalse(self.put("alice", OTHER).created)
        self.assertEqual(self.scram("alice", PASSWORD), AUTH)
        self.assertEqual(self.scram("alice", OTHER), OK)
        self.api.call("UserService/DeleteUser", name=f"{STORE}/users/alice")
        self.assertEqual(self.scram("alice", OTHER), AUTH)
        client.sender("orders", wait=True)  # still there
        with self.assertRaises(ApiError) as caught:
            self.api.call("UserService/DeleteUser", name=f"{STORE}/users/alice")
        self.assertEqual(caught.exception.reason, "USER_NOT_FOUND")

    def test_users_are_there_after_a_kill_and_their_passwords_nowhere(self):
        for name in ("alice", "bob", "carol"):
            self.put(name, PASSWORD)
        self.restart()
        self.assertEqual(self.names(), ["alice", "bob", "carol"])
        self.assertEqual(self.scram("bob", PASSWORD), OK)
        self.assertTrue(self.plain("carol", PASSWORD))
        file = os.path.join(self.state, "state.json")
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with open(file, encoding="utf-8") as kept:
            self.assertNotIn(PASSWORD, kept.read())
        self.assertNotIn(PASSWORD, self.router.log(100000))
        # They go with their store.
        self.api.call("ListenerService/DeleteListener", name="listeners/login")
        self.api.call("UserService/DeleteUserStore", name=STORE)
        with open(file, encoding="utf-8") as kept:
            self.assertNotIn("carol", kept.read())

    def test_nobody_sees_what_a_store_holds(self):
        self.put("alice", PASSWORD)
        for method, fields in (("UserService/GetUserStore", {"name": STORE}),
                               ("UserService/ListUsers", {"parent": STORE}),
                               ("RouterService/GetConfig", {})):
            text = str(self.api.call(method, **fields))
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn("keys", text)
        self.assertEqual(self.api.call("UserService/GetUserStore", name=STORE).status.users, 1)
        line = self.router.wait_for_line(
            lambda line: "UserService/PutUser" in line and line, "who has made the user")
        self.assertIn(f"{STORE}/users/alice", line)
