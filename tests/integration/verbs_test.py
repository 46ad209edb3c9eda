"""What the API does with listeners and connectors beyond making them: switch off and on, dial,
disconnect, try; and what becomes of those that could not be put in force at the start."""

import json
import os
import socket
import threading

import grpc
from proton import Condition

import harness
from api_client import Api, ApiError
from harness import Certificates, Router, RouterTest, free_port

STATE = "STATE_"


class VerbTest(RouterTest):
    def setUp(self):
        super().setUp()
        self.api = self.api_of(self.router)

    def api_of(self, router):
        api = Api(f"unix:{router.socket()}")
        self.addCleanup(api.close)
        return api

    def state(self, kind, name, api=None):
        """"LISTENING", "BACKOFF"."""
        found = (api or self.api).call(f"{kind}Service/Get{kind}", name=name)
        number = found.status.state
        return type(found.status).State.Name(number)[len(STATE):]

    def follow(self, kind, name, wanted):
        """Waits, while clients go on, until the resource is in that state; returns it."""
        seen = []
        watch = self.api.stream(f"{kind}Service/Watch{kind}s", filter=f'name = "{name}"')

        def read():
            try:
                for event in watch:
                    which = event.WhichOneof("event")
                    if which in ("added", "modified"):
                        seen.append(getattr(event, which))
            except grpc.RpcError:
                pass  # cancelled

        def there():
            status = seen[-1].status if seen else None
            return status and type(status).State.Name(status.state) == STATE + wanted

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self.world.wait(there, f"{name} to be {wanted}: {seen[-1:]}")
        watch.cancel()
        reader.join()
        return seen[-1]

    def fails(self, code, reason, method, **fields):
        with self.assertRaises(ApiError) as caught:
            self.api.call(method, **fields)
        self.assertEqual((caught.exception.code, caught.exception.reason), (code, reason),
                         str(caught.exception))
        return caught.exception


class Listeners(VerbTest):
    def enable(self, enabled, **more):
        return self.api.call("ListenerService/UpdateListener", updateMask="spec.enabled",
                             listener={"name": self.name, "spec": {"enabled": enabled}}, **more)

    def test_one_that_is_switched_off_accepts_nobody_and_keeps_its_connections(self):
        self.name = "listeners/switched"
        made = self.api.call("ListenerService/CreateListener", listenerId="switched",
                             listener={"spec": {"host": "127.0.0.1", "port": free_port()}})
        port = made.listener.spec.port
        client = self.world.connect(f"amqp://127.0.0.1:{port}")
        receiver, sender = client.receiver(self.address), client.sender(self.address)

        def exchange(body):
            sender.send(body)
            self.world.wait(lambda: receiver.bodies[-1:] == [body], f"message {body}")

        exchange("before")
        self.assertEqual(self.enable(False, validateOnly=True).impact, 2)  # NEW_CONNECTIONS
        self.assertEqual(self.state("Listener", self.name), "LISTENING")
        self.assertEqual(self.enable(False).impact, 2)
        self.assertEqual(self.state("Listener", self.name), "DISABLED")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        exchange("switched off")
        # Nobody holds its port.
        socket.create_server(("127.0.0.1", port)).close()
        self.enable(True)
        self.assertEqual(self.state("Listener", self.name), "LISTENING")
        self.world.connect(f"amqp://127.0.0.1:{port}")
        exchange("on again")

    def test_one_can_be_made_switched_off(self):
        self.name = "listeners/later"
        self.api.call("ListenerService/CreateListener", listenerId="later",
                      listener={"spec": {"host": "127.0.0.1", "port": 0, "enabled": False}})
        self.assertEqual(self.state("Listener", self.name), "DISABLED")
        changed = self.api.call("ListenerService/UpdateListener", updateMask="spec.port",
                                listener={"name": self.name, "spec": {"port": free_port()}})
        self.assertEqual(changed.impact, 1)  # NONE
        self.enable(True)
        self.assertEqual(self.state("Listener", self.name), "LISTENING")


class Connectors(VerbTest):
    def make(self, identifier, port, **spec):
        self.name = f"connectors/{identifier}"
        self.api.call("ConnectorService/CreateConnector", connectorId=identifier,
                      connector={"spec": {"host": "127.0.0.1", "port": port, **spec}})
        self.addCleanup(self.api.call, "ConnectorService/DeleteConnector", name=self.name)

    def test_one_that_is_switched_off_is_closed_in_order_and_not_dialled(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.make("switched", port, backoff={"closed": "0.01s"})
        self.world.wait(lambda: len(acceptor.clients) == 1, "a connection")
        broker = acceptor.clients[0]
        self.follow("Connector", self.name, "OPEN")
        self.api.call("ConnectorService/UpdateConnector", updateMask="spec.enabled",
                      connector={"name": self.name, "spec": {"enabled": False}})
        self.world.wait(lambda: broker.connection.state & broker.connection.REMOTE_CLOSED,
                        "the close")
        self.assertEqual(self.state("Connector", self.name), "DISABLED")
        self.fails("FAILED_PRECONDITION", "CONNECTOR_DISABLED",
                   "ConnectorService/ConnectConnector", name=self.name)
        self.api.call("ConnectorService/UpdateConnector", updateMask="spec.enabled",
                      connector={"name": self.name, "spec": {"enabled": True}})
        self.world.wait(lambda: len(acceptor.clients) == 2, "another connection")
        self.follow("Connector", self.name, "OPEN")

    def test_one_that_waits_is_dialled_at_once(self):
        port = free_port()
        self.make("waits", port, backoff={"failed": "3600s"})
        waiting = self.follow("Connector", self.name, "BACKOFF")
        self.assertGreater(waiting.status.next_attempt_time.seconds, 0)
        self.assertIn("refused", waiting.status.last_error.message)
        acceptor = self.world.listen(port)
        told = self.api.call("ConnectorService/ConnectConnector", name=self.name)
        self.assertEqual(told.status.state, 1)  # CONNECTING
        self.world.wait(lambda: len(acceptor.clients) == 1, "a connection")
        self.follow("Connector", self.name, "OPEN")
        self.assertEqual(self.api.call("ConnectorService/ConnectConnector",
                                       name=self.name).status.state, 2)  # OPEN: it stays
        self.assertEqual(len(acceptor.clients), 1)
        self.fails("NOT_FOUND", "CONNECTOR_NOT_FOUND", "ConnectorService/ConnectConnector",
                   name="connectors/none")

    def test_one_that_is_disconnected_comes_back(self):
        port = free_port()
        acceptor = self.world.listen(port)
        self.make("comes-back", port, backoff={"closed": "0.01s"})
        self.world.wait(lambda: len(acceptor.clients) == 1, "a connection")
        self.follow("Connector", self.name, "OPEN")
        self.api.call("ConnectorService/DisconnectConnector", name=self.name,
                      reason="moved to another rack")
        self.world.wait(lambda: len(acceptor.clients) == 2, "another connection")
        self.assertEqual(acceptor.clients[0].closed,
                         ("amqp:connection:forced", "moved to another rack"))
        self.follow("Connector", self.name, "OPEN")


class Trying(VerbTest):
    # Core dumps: or only root sees its descriptors.
    LISTENERS = {"plain": {}, "tls": {"tls_profile": "server"},
                 "login": {"user_store": "users", "require_sasl": True}}

    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        cert, key = certificates.issue("server", "/CN=localhost", "DNS:localhost")
        users = certificates.path("users")
        os.mkdir(users)
        for name in ("users/router", "password"):
            with open(certificates.path(name), "w", encoding="ascii") as file:
                file.write("sesame")
        cls.CONFIG = {
            "tls_profiles": [{"name": "server", "certificate_file": cert, "private_key_file": key},
                             {"name": "trust", "ca_file": certificates.path("ca.crt")}],
            "user_stores": [{"name": "users", "directory": users}],
            "router": {"core_dumps": True},
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    def attempt(self, **fields):
        reply = self.api.call("ConnectorService/TestConnector", **fields)
        self.assertEqual(reply.ok, all(step.ok for step in reply.steps))
        names = reply.DESCRIPTOR.enum_types_by_name["Stage"].values_by_number
        return {names[step.stage].name[len("STAGE_"):]: step for step in reply.steps}

    def spec(self, listener, **fields):
        return {"host": "localhost", "port": self.router.port(listener), **fields}

    def test_goes_all_the_way(self):
        steps = self.attempt(spec=self.spec("plain"))
        self.assertEqual(list(steps), ["NAME_RESOLUTION", "TCP", "SASL", "AMQP_OPEN"])
        self.assertTrue(all(step.ok and step.duration.nanos > 0 for step in steps.values()))
        self.assertEqual(steps["AMQP_OPEN"].facts["container_id"], "tested")
        self.assertEqual(steps["SASL"].facts["mechanism"], "ANONYMOUS")

    def test_tells_of_the_certificate(self):
        steps = self.attempt(spec=self.spec("tls", tls_profile="tlsProfiles/trust"))
        self.assertTrue(steps["AMQP_OPEN"].ok)
        facts = steps["TLS"].facts
        self.assertEqual((facts["subject"], facts["dns_names"], facts["verified"]),
                         ("CN=localhost", "localhost", "true"))
        steps = self.attempt(spec=self.spec("tls", tls_profile="tlsProfiles/trust",
                                            server_name="elsewhere.example"))
        self.assertEqual(list(steps)[-1], "TLS")
        self.assertIn("name", steps["TLS"].error)

    def test_logs_in(self):
        login = {"sasl_user": "router",
                 "sasl_password_file": self.certificates.path("password")}
        steps = self.attempt(spec=self.spec("login", **login))
        self.assertEqual(steps["SASL"].facts["mechanism"], "SCRAM-SHA-256")
        self.assertTrue(steps["AMQP_OPEN"].ok)
        steps = self.attempt(spec=self.spec("login", **{**login, "sasl_user": "nobody"}))
        self.assertEqual((list(steps)[-1], steps["SASL"].ok), ("SASL", False))

    def test_a_broker_that_refuses_is_told_in_its_words(self):
        port = free_port()
        acceptor = self.world.listen(port)

        def refuse(event):
            event.connection.open()
            event.connection.condition = Condition("amqp:not-allowed", "not you")
            event.connection.close()

        acceptor.on_connection_remote_open = refuse
        steps = {}
        asked = threading.Thread(target=lambda: steps.update(self.attempt(
            spec={"host": "127.0.0.1", "port": port})))
        asked.start()
        self.world.wait(lambda: not asked.is_alive(), "the result")
        self.assertEqual(steps["AMQP_OPEN"].error, "amqp:not-allowed: not you")

    def test_mistakes_in_the_request_are_told_by_field(self):
        error = self.fails("INVALID_ARGUMENT", "INVALID_CONFIGURATION",
                           "ConnectorService/TestConnector", spec={"port": 1})
        self.assertEqual(error.violations, [("spec.host", "is required")])
        error = self.fails("INVALID_ARGUMENT", "INVALID_CONFIGURATION",
                           "ConnectorService/TestConnector",
                           spec=self.spec("plain", sasl_user="a", sasl_password_file="/none"))
        self.assertEqual([field for field, _ in error.violations], ["spec.sasl_password_file"])
        self.fails("INVALID_ARGUMENT", "INVALID_FIELD", "ConnectorService/TestConnector",
                   spec=self.spec("plain"), timeout="51s")

    def test_leaves_no_descriptors(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.router.process.pid}/fd"))

        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent_spec = {"host": "127.0.0.1", "port": silent.getsockname()[1]}
            for _ in range(3):
                self.attempt(spec=self.spec("plain"))
                self.attempt(spec=silent_spec, timeout="0.1s")
            before = descriptors()
            for _ in range(20):
                self.attempt(spec=self.spec("plain"))
            self.attempt(spec=silent_spec, timeout="0.1s")
            # The router's own ends close within a turn of the last answer.
            self.world.wait(lambda: descriptors() <= before, "its descriptors to be closed")


class Start(VerbTest):
    """With a state directory."""

    def setUp(self):
        super().setUp()
        self.mine = Router({"plain": {}})
        self.addCleanup(self.mine.close)
        with open(self.mine.config_file, encoding="utf-8") as file:
            config = json.load(file)
        config["control"]["state_directory"] = os.path.join(self.mine.directory, "state")
        with open(self.mine.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.stop()
        self.start()

    def stop(self):
        self.mine.process.kill()
        self.mine.process.wait()
        self.mine.forget_log()

    def start(self):
        self.mine.start([harness.TRUNKD, "--config", self.mine.config_file])
        self.mine.wait_for_line(lambda line: '"API"' in line, "that its API is there")
        self.api = self.api_of(self.mine)

    def test_a_taken_port_is_waited_for(self):
        port = free_port()
        self.api.call("ListenerService/CreateListener", listenerId="extra",
                      listener={"spec": {"host": "127.0.0.1", "port": port}})
        self.stop()
        with socket.create_server(("127.0.0.1", port)):
            self.start()
            found = self.follow("Listener", "listeners/extra", "FAILED")
            self.assertIn("already in use", found.status.last_error.message)
            self.assertEqual(self.state("Listener", "listeners/plain"), "LISTENING")
        self.follow("Listener", "listeners/extra", "LISTENING")

    def test_a_missing_file_is_waited_for(self):
        password = os.path.join(self.mine.directory, "password")

        def write():
            with open(password, "w", encoding="ascii") as file:
                file.write("sesame")

        write()
        self.api.call("ConnectorService/CreateConnector", connectorId="out",
                      connector={"spec": {"host": "127.0.0.1", "port": free_port(),
                                          "sasl_user": "router",
                                          "sasl_password_file": password}})
        self.stop()
        os.remove(password)
        self.start()
        found = self.follow("Connector", "connectors/out", "FAILED")
        self.assertIn("No such file", found.status.last_error.message)
        # Others can be changed meanwhile.
        self.api.call("AddressService/CreateAddress", addressId="a",
                      address={"spec": {"prefix": "a"}})
        write()
        self.follow("Connector", "connectors/out", "BACKOFF")
