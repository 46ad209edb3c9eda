"""The gRPC API: its socket, its errors, its limits, and its TCP port with TLS and roles."""

import os
import signal
import socket
import ssl
import stat

import grpc

import api_client
import harness
from api_client import Api, ApiError, message
from harness import Certificates, Router, RouterTest, free_port

VERSION = "RouterService/GetVersion"
REFLECTION = ("ServerReflection/ServerReflectionInfo", "grpc.reflection.v1")


class ApiTest(RouterTest):
    def setUp(self):
        self.router = type(self).router

    def api(self, *arguments, router=None, **options):
        target = f"unix:{(router or self.router).socket()}"
        api = Api(*(arguments or (target,)), **options)
        self.addCleanup(api.close)
        return api

    def start(self, **config):
        router = Router({"plain": {}}, **config)
        self.addCleanup(router.close)
        return router

    def fails(self, code, reason, call, /, *arguments, **fields):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **fields)
        error = caught.exception
        self.assertEqual((error.code, error.reason), (code, reason), str(error))
        return error


class Socket(ApiTest):
    def test_belongs_to_owner_and_group_alone(self):
        mode = os.stat(self.router.socket()).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o660)

    def test_tells_what_runs_here(self):
        version = self.api().call(VERSION)
        self.assertRegex(version.version, r"^\d+\.\d+\.\d+$")
        self.assertEqual((version.api_version, version.router_id), ("v1", "tested"))
        self.assertGreater(version.start_time.seconds, 0)
        self.assertEqual(sorted(version.libraries), ["grpc", "openssl", "protobuf"])
        for library in version.libraries.values():
            self.assertRegex(library, r"^\d+\.\d+\.\d+$")

    def test_tells_how_the_router_is_configured(self):
        router = self.api().call("RouterService/GetRouter", name="router")
        self.assertEqual((router.name, router.spec.id), ("router", "tested"))
        self.fails("NOT_FOUND", "NOT_FOUND", self.api().call, "RouterService/GetRouter", name="x")

    def test_says_what_is_wrong_with_a_configuration(self):
        def problems(yaml):
            reply = self.api().call("RouterService/ValidateConfig", yaml=yaml)
            return [(p.line, p.column, p.field, p.description) for p in reply.problems]

        self.assertEqual(problems("listeners:\n  - {name: amqp, port: 5672}\n"), [])
        self.assertEqual(
            problems("listeners:\n  - {name: amqp, prot: 1}\nrouter: {workers: 99}\n"),
            [(2, 18, "listeners[amqp].prot", 'unknown key; did you mean "port"?')])
        self.assertEqual(problems("listeners:\n  - {name: amqp, port: 99999}\n"),
                         [(2, 24, "listeners[amqp].port", "99999 is not in 0..65535")])
        self.assertEqual(problems(""), [(0, 0, "", "holds nothing")])
        self.assertEqual(len(problems("[" * 100)), 1)
        many = problems("".join(f"key{i}: 1\n" for i in range(150)))
        self.assertEqual((len(many), many[-1]), (101, (0, 0, "", "and 50 more")))

    def test_a_text_is_at_most_so_long(self):
        limit = 1 << 20
        call = self.api().call
        longest = "#".ljust(limit - 14) + "\nlisteners: []"
        self.assertEqual(len(longest), limit)
        self.assertEqual(
            list(call("RouterService/ValidateConfig", yaml=longest).problems), [])
        error = self.fails("INVALID_ARGUMENT", "INVALID_FIELD", call,
                           "RouterService/ValidateConfig", yaml=" " * (limit + 1))
        self.assertEqual(error.violations, [("yaml", "1048577 bytes are more than 1048576")])

    def test_refuses_requests_above_four_megabytes(self):
        with self.assertRaises(ApiError) as caught:
            self.api().call("RouterService/ValidateConfig", yaml=" " * (5 << 20))
        self.assertEqual(caught.exception.code, "RESOURCE_EXHAUSTED")
        self.api().call(VERSION)

    def test_errors_say_why(self):
        api = self.api()
        path = f"/{api_client.PACKAGE}.RouterService/"
        self.fails("UNIMPLEMENTED", "METHOD_UNKNOWN", api.raw, path + "Nothing")
        self.fails("UNIMPLEMENTED", "METHOD_UNKNOWN", api.raw, "/x/y")
        self.fails("INVALID_ARGUMENT", "MALFORMED_REQUEST", api.raw, path + "ValidateConfig",
                   b"\x0a\x02\xff\xff")
        self.fails("INVALID_ARGUMENT", "MALFORMED_REQUEST", api.raw, path + "GetVersion", b"\xff")
        error = self.fails("INVALID_ARGUMENT", "INVALID_FIELD", api.call,
                           "RouterService/Shutdown", timeout="-1s")
        self.assertEqual(error.violations, [("timeout", "is not in 0s..1h")])

    def test_requests_cut_at_every_byte_are_answered(self):
        api = self.api()
        whole = message(f"{api_client.PACKAGE}.ValidateConfigRequest",
                        yaml="listeners: []").SerializeToString()
        for size in range(len(whole)):
            try:
                api.raw(f"/{api_client.PACKAGE}.RouterService/ValidateConfig", whole[:size])
            except ApiError as error:
                self.assertEqual(error.reason, "MALFORMED_REQUEST")

    def test_can_be_described(self):
        for package in ("grpc.reflection.v1", "grpc.reflection.v1alpha"):
            api = self.api()
            stub = api.channel.stream_stream(
                f"/{package}.ServerReflection/ServerReflectionInfo",
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=api_client.message_class(
                    "grpc.reflection.v1.ServerReflectionResponse").FromString)
            ask = "grpc.reflection.v1.ServerReflectionRequest"
            answers = stub(iter([message(ask, listServices="*"),
                                 message(ask, fileContainingSymbol="trunkline.control.v1.Listener"),
                                 message(ask, fileContainingSymbol="no.such.thing")]),
                           timeout=api.timeout())
            services = [s.name for s in next(answers).list_services_response.service]
            self.assertIn("trunkline.control.v1.RouterService", services)
            self.assertIn("grpc.health.v1.Health", services)
            self.assertGreater(len(next(answers).file_descriptor_response.file_descriptor_proto), 3)
            self.assertEqual(next(answers).error_response.error_code, 5)
            self.assertEqual(list(answers), [])

    def test_need_not_be_described(self):
        router = self.start(control={"reflection": False})
        ask = message("grpc.reflection.v1.ServerReflectionRequest", listServices="*")
        with self.assertRaises(grpc.RpcError) as caught:
            list(self.api(router=router).ask(*REFLECTION, [ask]))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_tells_of_its_connections(self):
        api = self.api()
        path = "/grpc.channelz.v1.Channelz/"
        self.assertGreater(len(api.raw(path + "GetServers")), 20)
        self.fails("NOT_FOUND", "NOT_FOUND", api.raw, path + "GetSocket", b"\x08\x7f")
        minus_one = b"\x08" + b"\xff" * 9 + b"\x01"
        for method in ("GetServers", "GetTopChannels", "GetServer", "GetServerSockets",
                       "GetChannel", "GetSubchannel", "GetSocket"):
            self.fails("INVALID_ARGUMENT", "INVALID_FIELD", api.raw, path + method, minus_one)

    def test_health_knows_the_services(self):
        for service in ("", "trunkline.control.v1.RouterService"):
            self.assertEqual(self.api().health(service), "SERVING")
        with self.assertRaises(ApiError) as caught:
            self.api().health("nobody")
        self.assertEqual(caught.exception.code, "NOT_FOUND")

    def test_a_thousand_streams_disturb_nobody(self):
        before = self.router.resident_kib()
        streams = []
        for _ in range(20):
            api = self.api()
            for _ in range(50):
                streams.append(_Questions(api))
        for stream in streams:
            self.assertIn("trunkline.control.v1.RouterService", stream.services())
        self.api().call(VERSION)
        for stream in streams[::2]:
            stream.answers.cancel()
        for stream in streams[1::20]:
            self.assertIn("trunkline.control.v1.RouterService", stream.services())
        for stream in streams[1::2]:
            stream.end()
        self.api().call(VERSION)
        self.assertLess(self.router.resident_kib() - before, 200 << 10)

    def test_streams_have_a_limit(self):
        router = self.start()
        streams = []
        for _ in range(41):  # more than 4,096 in all, 100 on a connection
            api = self.api(router=router)
            streams += [_Questions(api) for _ in range(100)]
        refused = 0
        for stream in streams:
            try:
                stream.services()
            except grpc.RpcError as error:
                self.assertEqual(ApiError(error).reason, "TOO_MANY_CALLS")
                refused += 1
        self.assertEqual(refused, 4)
        self.api(router=router).call(VERSION)


class _Questions:
    """A stream of reflection that stays open."""

    def __init__(self, api):
        import queue

        self.queue = queue.SimpleQueue()
        self.answers = api.ask(*REFLECTION, iter(self.queue.get, None))

    def services(self):
        self.queue.put(message("grpc.reflection.v1.ServerReflectionRequest", listServices="*"))
        return [s.name for s in next(self.answers).list_services_response.service]

    def end(self):
        self.queue.put(None)
        assert list(self.answers) == []


class Life(ApiTest):
    """Routers of their own: their socket, their end."""

    LISTENERS = {}

    def test_a_socket_of_a_killed_trunkd_is_replaced(self):
        router = self.start()
        api = self.api(router=router)
        api.call(VERSION)
        path = router.socket()
        router.process.kill()
        router.process.wait()
        self.assertTrue(os.path.exists(path))
        second = self.start(control={"socket": path})
        self.api(router=second).call(VERSION)
        self.assertEqual(second.close(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_socket_in_use_is_not_taken(self):
        router = self.start()
        path = router.socket()
        second = Router({}, control={"socket": path})
        self.addCleanup(second.close)
        self.assertEqual(second.wait_for_exit(), 1)
        self.assertIn("another trunkd serves it", second.log())
        self.api(router=router).call(VERSION)

    def test_without_a_configuration_the_second_one_has_the_users_socket(self):
        before = os.environ.get("XDG_RUNTIME_DIR")
        self.addCleanup(lambda: os.environ.pop("XDG_RUNTIME_DIR") if before is None
                        else os.environ.update(XDG_RUNTIME_DIR=before))
        routers = []
        for _ in range(2):
            router = Router.__new__(Router)
            router.prepare({})
            config = os.path.join(router.directory, "trunkline.yaml")
            with open(config, "w", encoding="ascii") as file:
                file.write("addresses: []\n")
            os.environ["XDG_RUNTIME_DIR"] = router.directory
            router.start([harness.TRUNKD, "--config", config])
            self.addCleanup(router.close)
            self.api(router=router).call(VERSION)
            routers.append(router)
        # That of the system was in use by then, or could not be had at all.
        self.assertEqual(routers[1].socket(),
                         os.path.join(routers[1].directory, "trunkline", "control.sock"))
        self.assertNotEqual(routers[0].socket(), routers[1].socket())

    def test_shuts_down(self):
        router = self.start()
        self.api(router=router).call("RouterService/Shutdown", timeout="0s")
        self.assertEqual(router.wait_for_exit(), 0)
        self.assertRegex(router.log(), r"method=RouterService/Shutdown identity=local")

    def test_drains_and_stays(self):
        router = self.start()
        api = self.api(router=router)
        self.assertEqual(api.health(), "SERVING")
        answers = list(api.stream("RouterService/Drain"))
        self.assertEqual([a.done for a in answers], [False] * (len(answers) - 1) + [True])
        self.assertTrue(answers[-1].complete)
        self.assertEqual(api.health(), "NOT_SERVING")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", router.port()))
        self.assertEqual([a.done for a in api.stream("RouterService/Drain")], [True])
        api.call(VERSION)
        router.terminate()
        self.assertEqual(router.wait_for_exit(), 0)

    def test_who_follows_a_drain_may_leave(self):
        router = self.start(router={"drain_timeout": "60s"})
        with socket.create_connection(("127.0.0.1", router.port())):
            api = self.api(router=router)
            first = api.stream("RouterService/Drain", timeout="60s")
            self.assertFalse(next(first).done)
            first.cancel()
            hasty = self.api(router=router, patience=0.5)
            with self.assertRaises(grpc.RpcError) as caught:
                for answer in hasty.stream("RouterService/Drain"):
                    if answer.done:
                        break
                else:
                    self.fail("ended without an answer")
                raise _Done()
            self.assertIn(caught.exception.code(),
                          (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.OK))
        router.terminate()
        self.assertEqual(router.wait_for_exit(), 0)

    def test_calls_under_way_end_with_the_process(self):
        router = self.start()
        stream = _Questions(self.api(router=router))
        stream.services()
        router.terminate()
        self.assertEqual(router.wait_for_exit(), 0)
        with self.assertRaises(grpc.RpcError):
            stream.services()


class _Done(grpc.RpcError):
    """The drain was faster than the deadline."""

    def code(self):
        return grpc.StatusCode.OK


class Tcp(ApiTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        names = "DNS:localhost,IP:127.0.0.1"
        cert, key = certificates.issue("server", "/CN=localhost", names)
        certificates.issue("newer", "/CN=newer", names)
        certificates.issue("nobody", "/CN=nobody")
        certificates.issue("viewer", "/CN=viewer", "DNS:Viewer.Example")
        certificates.issue("operator", "/CN=operator", "URI:spiffe://works/ns/ops/sa/jo")
        certificates.issue("admin", "/CN=admin")
        certificates.issue("nameless", "/O=Works")
        certificates.authority("other-ca")
        certificates.issue("stranger", "/CN=admin", authority="other-ca")
        password = certificates.path("password")
        with open(password, "w", encoding="ascii") as file:
            file.write("sesame\n")
        cls.policy = certificates.path("policy.yaml")
        cls.write_policy("viewer: ['dns:viewer.example']\n"
                         "operator: ['spiffe://works/ns/ops/*']\nadmin: ['cn:admin']\n")
        cls.CONFIG = {
            "tls_profiles": [{"name": "control", "certificate_file": cert,
                              "private_key_file": certificates.encrypt_key("server", "sesame"),
                              "password_file": password,
                              "ca_file": certificates.path("ca.crt")}],
            "control": {"tcp": {"host": "127.0.0.1", "port": 0, "tls_profile": "control",
                                "policy_file": cls.policy}},
        }
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    @classmethod
    def write_policy(cls, text):
        with open(cls.policy + ".next", "w", encoding="ascii") as file:
            file.write(text)
        os.replace(cls.policy + ".next", cls.policy)

    def read(self, name):
        with open(self.certificates.path(name), "rb") as file:
            return file.read()

    def tcp(self, who, ca="ca.crt", router=None, **options):
        credentials = grpc.ssl_channel_credentials(
            self.read(ca), *((self.read(f"{who}.key"), self.read(f"{who}.crt")) if who else ()))
        return self.api(f"localhost:{(router or self.router).api_port()}", credentials, **options)

    def context(self, who, version=None):
        context = ssl.create_default_context(cafile=self.certificates.path("ca.crt"))
        context.set_alpn_protocols(["h2"])
        if who:
            context.load_cert_chain(self.certificates.path(f"{who}.crt"),
                                    self.certificates.path(f"{who}.key"))
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def shake_hands(self, context, session=None):
        """A TLS connection that the server speaks HTTP/2 on; raises where it does not."""
        raw = socket.create_connection(("127.0.0.1", self.router.api_port()), timeout=30)
        self.addCleanup(raw.close)
        tls = context.wrap_socket(raw, server_hostname="localhost", session=session)
        self.addCleanup(tls.close)
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        if not tls.recv(9):
            raise ConnectionResetError("closed behind the handshake")
        return tls

    def test_asks_for_a_certificate_of_its_ca(self):
        self.assertEqual(self.tcp("admin").call(VERSION).router_id, "tested")
        for who in (None, "stranger"):
            with self.assertRaises(ApiError) as caught:
                self.tcp(who, patience=5).call(VERSION)
            self.assertIn(caught.exception.code, ("UNAVAILABLE", "DEADLINE_EXCEEDED"))
            with self.assertRaises((ssl.SSLError, OSError)):
                self.shake_hands(self.context(who))

    def test_proves_who_it_is(self):
        with self.assertRaises(ApiError) as caught:
            self.tcp("admin", ca="other-ca.crt", patience=5).call(VERSION)
        self.assertIn(caught.exception.code, ("UNAVAILABLE", "DEADLINE_EXCEEDED"))

    def test_speaks_nothing_without_tls(self):
        with self.assertRaises(ApiError) as caught:
            self.api(f"localhost:{self.router.api_port()}", patience=5).call(VERSION)
        self.assertIn(caught.exception.code, ("UNAVAILABLE", "DEADLINE_EXCEEDED"))

    def test_takes_up_no_session_again(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context("admin", version)
            first = self.shake_hands(context)
            second = self.shake_hands(context, first.session)
            self.assertFalse(second.session_reused, version)
            # Nor is it a way round the certificate.
            with self.assertRaises((ssl.SSLError, OSError)):
                self.shake_hands(self.context(None, version))

    def test_each_role_may_what_it_may(self):
        drain = {"timeout": "-1s"}  # refused, but only behind the door
        for who, allowed in (("viewer", 1), ("operator", 2), ("admin", 3)):
            api = self.tcp(who)
            api.call(VERSION)
            for role, method in ((2, "RouterService/Drain"), (3, "RouterService/Shutdown")):
                with self.assertRaises((ApiError, grpc.RpcError)) as caught:
                    if method.endswith("Drain"):
                        list(api.stream(method, **drain))
                    else:
                        api.call(method, **drain)
                error = caught.exception
                error = error if isinstance(error, ApiError) else ApiError(error)
                self.assertEqual(error.reason,
                                 "INVALID_FIELD" if allowed >= role else "ROLE_REQUIRED",
                                 (who, method))

    def methods(self):
        """Path and role of every method that is served, by what it tells of itself."""
        ask = message("grpc.reflection.v1.ServerReflectionRequest", listServices="*")
        answer = next(self.tcp("admin").ask(*REFLECTION, [ask]))
        pool = api_client.pool()
        rules = pool.FindExtensionByName(f"{api_client.PACKAGE}.method")
        options = api_client.message_class("google.protobuf.MethodOptions")
        found = {}
        for service in answer.list_services_response.service:
            if not service.name.startswith(api_client.PACKAGE):
                continue
            for method in pool.FindServiceByName(service.name).methods:
                told = options.FromString(method.GetOptions().SerializeToString())
                found[f"/{service.name}/{method.name}"] = told.Extensions[rules].role
        return found

    def test_every_method_is_for_the_role_that_it_says(self):
        methods = self.methods()
        self.assertGreater(len(methods), 30)
        self.assertEqual(set(methods.values()), {1, 2, 3})
        for who, held in (("nobody", 0), ("viewer", 1), ("operator", 2), ("admin", 3)):
            api = self.tcp(who)
            for path, role in methods.items():
                # Refused either way, but who may call it comes as far as its request.
                with self.assertRaises(ApiError) as caught:
                    api.raw(path, b"\xff")
                error = caught.exception
                if held >= role:
                    self.assertEqual(error.reason, "MALFORMED_REQUEST", (who, path))
                else:
                    self.assertEqual((error.code, error.reason, error.metadata["method"]),
                                     ("PERMISSION_DENIED", "ROLE_REQUIRED", path), who)

    def test_connections_are_for_operators(self):
        path = "/grpc.channelz.v1.Channelz/GetServers"
        self.tcp("operator").raw(path)
        error = self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("viewer").raw, path)
        self.assertEqual(error.metadata["required_role"], "operator")

    def test_a_denial_names_who_asked(self):
        error = self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("viewer").call,
                           "RouterService/Shutdown")
        self.assertEqual(error.metadata, {
            "identity": "dns:viewer.example", "required_role": "admin",
            "method": f"/{api_client.PACKAGE}.RouterService/Shutdown"})
        error = self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("operator").call,
                           "RouterService/Shutdown")
        self.assertEqual(error.metadata["identity"], "spiffe://works/ns/ops/sa/jo")
        self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("nobody").call, VERSION)
        self.fails("UNAUTHENTICATED", "NO_IDENTITY", self.tcp("nameless").call, VERSION)

    def test_a_file_is_sent_as_a_password_for_admins_alone(self):
        api = self.tcp("operator")
        path = "ConnectorService/"
        spec = {"host": "127.0.0.1", "port": 1, "sasl_user": "a",
                "sasl_password_file": self.certificates.path("password")}

        def denied(method, field="connector.spec", /, **fields):
            error = self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", api.call, path + method,
                               **fields)
            self.assertEqual(error.metadata["required_role"], "admin")
            self.assertEqual([at for at, _ in error.violations], [field + ".sasl_password_file"])

        denied("CreateConnector", connectorId="mine", connector={"spec": spec})
        denied("TestConnector", "spec", spec=spec)
        self.tcp("admin").call(path + "CreateConnector", connectorId="broker",
                               connector={"spec": spec})
        name = "connectors/broker"
        self.addCleanup(api.call, path + "DeleteConnector", name=name)
        denied("UpdateConnector", connector={"name": name, "spec": {"port": 2}})
        changed = api.call(path + "UpdateConnector",
                           connector={"name": name, "spec": {"enabled": False}})
        self.assertFalse(changed.connector.spec.enabled)
        self.assertEqual(changed.connector.spec.port, 1)

    def test_the_policy_is_read_again(self):
        router = Router({}, **self.CONFIG)
        self.addCleanup(router.close)
        before = open(self.policy, encoding="ascii").read()
        self.addCleanup(self.write_policy, before)
        self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("nobody", router=router).call,
                   VERSION)
        self.write_policy("viewer: ['cn:nobody'\n")
        router.wait_for_line(lambda line: "policy not read again" in line, "that it is bad")
        self.write_policy("viewer: ['cn:nobody']\n")
        router.wait_for_line(lambda line: "policy in force" in line, "that it is read")
        self.tcp("nobody", router=router).call(VERSION)
        self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("admin", router=router).call,
                   VERSION)

    def test_uses_a_newer_certificate_after_a_reload(self):
        files = {"certificate_file": self.certificates.path("live.crt"),
                 "private_key_file": self.certificates.path("live.key"),
                 "ca_file": self.certificates.path("ca.crt")}

        def install(name):
            for end in ("key", "crt"):
                with open(self.certificates.path(f"live.{end}"), "wb") as file:
                    file.write(self.read(f"{name}.{end}"))

        install("server")
        router = Router({"plain": {}}, tls_profiles=[{"name": "control", **files}],
                        control={"tcp": {"host": "127.0.0.1", "port": 0,
                                                         "tls_profile": "control"}})
        self.addCleanup(router.close)
        old = self.tcp("nobody", router=router)
        old.call(VERSION)
        install("newer")
        early = socket.create_connection(("127.0.0.1", router.api_port()))
        self.addCleanup(early.close)
        router.process.send_signal(signal.SIGHUP)
        router.wait_for_line(lambda line: "reloaded" in line, "that it has reloaded")
        context = self.context("admin")
        # Also who was connected before, and begins the handshake now.
        for raw in (early, socket.create_connection(("127.0.0.1", router.api_port()))):
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                subject = dict(pair[0] for pair in tls.getpeercert()["subject"])
            self.assertEqual(subject["commonName"], "newer")
        old.call(VERSION)  # its connection stays

    def test_a_port_in_use_is_told_at_the_start(self):
        port = self.router.api_port()
        control = {"tcp": {"host": "127.0.0.1", "port": port,
                                           "tls_profile": "control"}}
        second = Router({}, **{**self.CONFIG, "control": control})
        self.addCleanup(second.close)
        self.assertEqual(second.wait_for_exit(), 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: Address already in use", second.log())

    def test_listens_on_every_address_unless_told_otherwise(self):
        port = free_port()
        router = Router({}, **{**self.CONFIG, "control": {
            "tcp": {"port": port, "tls_profile": "control"}}})
        self.addCleanup(router.close)
        self.tcp("admin", router=router).call(VERSION)

    def test_refusals_are_told_in_the_log(self):
        self.fails("PERMISSION_DENIED", "ROLE_REQUIRED", self.tcp("viewer").call,
                   "RouterService/Shutdown")
        self.router.wait_for_line(
            lambda line: "api call refused" in line and "identity=dns:viewer.example" in line,
            "who was refused")
        self.fails("UNAUTHENTICATED", "NO_IDENTITY", self.tcp("nameless").call, VERSION)
        self.router.wait_for_line(
            lambda line: "api call refused" in line and "reason=NO_IDENTITY" in line,
            "that somebody has no name")
