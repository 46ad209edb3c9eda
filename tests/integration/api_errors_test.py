"""The errors that a caller of the API can get, a row each: code, reason, what the details name, and
that nothing has changed."""

import os
import shutil
import socket
import unittest
from dataclasses import dataclass, field

import grpc

import harness
from api_client import PACKAGE, Api, ApiError, message
from harness import Certificates, Router, free_port

LISTENERS, TLS = "ListenerService/", "TlsService/"
UUID = "11111111-2222-4333-8444-555555555555"


@dataclass
class Row:
    """`fields` of the request; texts in them and in what is expected may name facts of the world,
    as in "{taken}"."""

    name: str
    method: str
    fields: dict
    code: str
    reason: str
    metadata: dict = field(default_factory=dict)
    violations: list = field(default_factory=list)
    preconditions: list = field(default_factory=list)
    text: str = ""
    stream: bool = False


def listener(identifier="next", /, **spec):
    return {"listenerId": identifier,
            "listener": {"spec": {"host": "127.0.0.1", "port": 0, **spec}}}


def profile(certificate, key, **more):
    return {"tlsProfileId": "next", "tlsProfile": {
        "spec": {"certificateFile": certificate, "privateKeyFile": key}}, **more}


def bundle(certificate, key):
    return {"bundle": {"tlsProfiles": [{"name": "tlsProfiles/next", "spec": {
        "certificateFile": certificate, "privateKeyFile": key}}]}}


def rotation(certificate, key, name="tlsProfiles/used"):
    return {"name": name, "inline": {"certificate": f"{{{certificate}.crt in PEM}}",
                                     "privateKey": f"{{{key}.key in PEM}}"}}


def unknown(kind, path, collection, known):
    title = kind.lower().replace("tls_", "TLS ").replace("_", " ")
    return {"code": "NOT_FOUND", "reason": f"{kind}_NOT_FOUND",
            "metadata": {"resource_name": f"{collection}/none", "resource_type": title,
                         "known": known},
            "violations": [(path, f'there is no {title} "none"')] if path else []}


def bad_field(path, description, reason="INVALID_ARGUMENT"):
    return {"code": "INVALID_ARGUMENT", "reason": reason, "violations": [(path, description)],
            "text": f"{path}: {description}"}


MISMATCH = ("the private key in {other.key} does not belong to the certificate in {certificate} "
            "(CN=localhost)")


def expired(path):
    what = "CN=old has expired; allow_expired takes it all the same"
    return {"code": "FAILED_PRECONDITION", "reason": "CERTIFICATE_EXPIRED",
            "violations": [(path, what)], "text": f"{path}: {what}"}


def read_only(kind, name):
    return {"code": "FAILED_PRECONDITION", "reason": "READ_ONLY_SOURCE",
            "metadata": {"resource_name": name, "place": "{place of " + name + "}"},
            "text": f'{kind} "{name.split("/")[1]}" comes from {{place of {name}}}; change it '
                    "there, the file is read again"}


ROWS = [
    # --- what is asked for cannot be had now
    Row("a_port_of_ours", LISTENERS + "CreateListener", listener(port="{made port}"),
        "FAILED_PRECONDITION", "PORT_IN_USE",
        violations=[("listener.spec.port",
                     '{made port} of this host is used by listener "made"')]),
    Row("a_port_of_others", LISTENERS + "CreateListener", listener(port="{taken}"),
        "FAILED_PRECONDITION", "PORT_IN_USE",
        preconditions=[("PORT_IN_USE", "listeners/next",
                        "cannot listen on 127.0.0.1:{taken}: Address already in use")]),
    Row("a_port_of_others_later", LISTENERS + "UpdateListener",
        {"listener": {"name": "listeners/made", "spec": {"port": "{taken}"}}},
        "FAILED_PRECONDITION", "PORT_IN_USE",
        preconditions=[("PORT_IN_USE", "listeners/made",
                        "cannot listen on 127.0.0.1:{taken}: Address already in use")]),
    Row("an_address_of_others", LISTENERS + "CreateListener", listener(host="192.0.2.1"),
        "FAILED_PRECONDITION", "CANNOT_LISTEN",
        preconditions=[("CANNOT_LISTEN", "listeners/next",
                        "cannot listen on 192.0.2.1:0: Cannot assign requested address")]),
    Row("a_profile_in_use", TLS + "DeleteTlsProfile", {"name": "tlsProfiles/used"},
        "FAILED_PRECONDITION", "IN_USE", {"resource_name": "tlsProfiles/used"},
        preconditions=[("IN_USE", "listeners/secured",
                        'spec.tls_profile names "tlsProfiles/used"')],
        text='TLS profile "used" is used by listeners/secured'),
    Row("an_address_twice", "AddressService/CreateAddress",
        {"addressId": "next", "address": {"spec": {"prefix": "news"}}},
        "FAILED_PRECONDITION", "PATTERN_IN_USE",
        violations=[("address.spec.prefix", 'matches the same as address "news"')]),
    # --- what a file declares is the file's
    Row("update_of_the_file", LISTENERS + "UpdateListener",
        {"listener": {"name": "listeners/plain", "spec": {"idleTimeout": "3s"}}},
        **read_only("listener", "listeners/plain")),
    Row("deletion_of_the_file", LISTENERS + "DeleteListener", {"name": "listeners/plain"},
        **read_only("listener", "listeners/plain")),
    Row("another_profile_than_the_file", TLS + "UpdateTlsProfile",
        {"tlsProfile": {"name": "tlsProfiles/service", "spec": {"ciphers": "HIGH"}}},
        **read_only("TLS profile", "tlsProfiles/service")),
    Row("the_router_of_the_file", "RouterService/UpdateRouter",
        {"router": {"spec": {"drainTimeout": "3s"}}},
        "FAILED_PRECONDITION", "READ_ONLY_SOURCE",
        {"resource_name": "router", "field": "router.spec.drain_timeout",
         "place": "{place of drain_timeout}"},
        text="router.spec.drain_timeout: comes from {place of drain_timeout}; change it there, the "
             "file is read again"),
    Row("the_router_while_it_runs", "RouterService/UpdateRouter",
        {"router": {"spec": {"maxConnections": 5, "coreDumps": True}}},
        "FAILED_PRECONDITION", "RESTART_REQUIRED",
        {"resource_name": "router", "field": "router.spec.core_dumps"},
        text="router.spec.core_dumps: cannot be changed while the router runs; change it in the "
             "configuration file and restart"),
    # --- what is named is not there
    Row("no_such_router", "RouterService/UpdateRouter", {"router": {"name": "other"}},
        "NOT_FOUND", "NOT_FOUND", text='there is no "other"; the router is "router"'),
    Row("no_such_listener", LISTENERS + "GetListener", {"name": "listeners/none"},
        **unknown("LISTENER", "", "listeners", "made, plain, secured")),
    Row("no_such_listener_to_update", LISTENERS + "UpdateListener",
        {"listener": {"name": "listeners/none", "spec": {"idleTimeout": "3s"}}},
        **unknown("LISTENER", "", "listeners", "made, plain, secured")),
    Row("no_such_listener_to_delete", LISTENERS + "DeleteListener", {"name": "listeners/none"},
        **unknown("LISTENER", "", "listeners", "made, plain, secured")),
    Row("no_such_profile", LISTENERS + "CreateListener", listener(tlsProfile="tlsProfiles/none"),
        **unknown("TLS_PROFILE", "listener.spec.tls_profile", "tlsProfiles", "service, used")),
    Row("no_such_user_store", LISTENERS + "CreateListener", listener(userStore="userStores/none"),
        **unknown("USER_STORE", "listener.spec.user_store", "userStores", "")),
    # --- somebody was faster
    Row("it_is_there", LISTENERS + "CreateListener", listener("made", idleTimeout="1s"),
        "ALREADY_EXISTS", "LISTENER_EXISTS",
        {"resource_name": "listeners/made", "current_etag": "{etag}"},
        text='listener "made" is there already, and is another; its etag is {etag}'),
    Row("its_name_is_there", LISTENERS + "CreateListener",
        {"listenerId": "next", "listener": {"legacyName": "Made/By Hand", "spec": {"port": 0}}},
        "ALREADY_EXISTS", "LEGACY_NAME_IN_USE", {"resource_name": "listeners/made"},
        violations=[("listener.legacy_name", '"Made/By Hand" is the name of listener "made"')]),
    Row("it_is_another_by_now", LISTENERS + "UpdateListener",
        {"listener": {"name": "listeners/made", "etag": "old", "spec": {"idleTimeout": "3s"}}},
        "ABORTED", "ETAG_MISMATCH", {"resource_name": "listeners/made", "current_etag": "{etag}"},
        text='listener "made" has been changed meanwhile: its etag is {etag}; read it again'),
    Row("it_is_another_to_delete", LISTENERS + "DeleteListener",
        {"name": "listeners/made", "etag": "old"},
        "ABORTED", "ETAG_MISMATCH", {"resource_name": "listeners/made", "current_etag": "{etag}"}),
    Row("the_router_is_another_by_now", "RouterService/UpdateRouter",
        {"router": {"etag": "old", "spec": {"maxConnections": 5}}},
        "ABORTED", "ETAG_MISMATCH",
        {"resource_name": "router", "current_etag": "{etag of the router}"},
        text="the router has been changed meanwhile: its etag is {etag of the router}; read it "
             "again"),
    # --- the request is wrong
    Row("values_of_the_router", "RouterService/UpdateRouter",
        {"router": {"spec": {"maxConnections": 1000001, "memoryBudgetBytes": 1}}},
        "INVALID_ARGUMENT", "INVALID_CONFIGURATION",
        violations=[("router.spec.max_connections", "1000001 is not in 0..1000000"),
                    ("router.spec.memory_budget_bytes", "{too few bytes}")]),
    Row("no_router_given", "RouterService/UpdateRouter", {},
        **bad_field("router", "is required")),
    Row("a_mask_of_the_router", "RouterService/UpdateRouter",
        {"router": {}, "updateMask": "spec.nothing"},
        **bad_field("update_mask", 'there is no field "spec.nothing"')),
    Row("values", LISTENERS + "CreateListener", listener(port=70000, maxFrameSize=1),
        "INVALID_ARGUMENT", "INVALID_CONFIGURATION",
        violations=[("listener.spec.port", "70000 is not in 0..65535"),
                    ("listener.spec.max_frame_size", "1 is not in 512..1048576")]),
    Row("nothing_given", LISTENERS + "CreateListener", {"listenerId": "next"},
        **bad_field("listener", "is required")),
    Row("a_host_is_missing", "ConnectorService/CreateConnector",
        {"connectorId": "next", "connector": {"spec": {}}},
        **bad_field("connector.spec.host", "is required", "INVALID_CONFIGURATION")),
    Row("an_id", LISTENERS + "CreateListener", listener("A!"),
        **bad_field("listener_id", '"A!" is not 1 to 63 of a-z, 0-9, "." and "-", with a letter '
                                   'or digit at both ends')),
    Row("a_name", LISTENERS + "GetListener", {"name": "connectors/x"},
        **bad_field("name", '"connectors/x" is not of the form "listeners/{id}"')),
    Row("a_mask", LISTENERS + "UpdateListener",
        {"listener": {"name": "listeners/made"}, "updateMask": "spec.nothing"},
        **bad_field("update_mask", 'there is no field "spec.nothing"')),
    Row("a_request_id", LISTENERS + "DeleteListener", {"name": "listeners/made", "requestId": "x"},
        **bad_field("request_id", "is no UUID")),
    Row("a_request_id_of_another_call", LISTENERS + "CreateListener",
        {**listener("made"), "requestId": UUID},
        **bad_field("request_id", "was that of another call", "REQUEST_ID_REUSED")),
    Row("a_page_token", LISTENERS + "ListListeners", {"pageToken": "x"},
        **bad_field("page_token", "is none that a listing gave")),
    Row("a_page_size", LISTENERS + "ListListeners", {"pageSize": -1},
        **bad_field("page_size", "must not be negative")),
    Row("an_order", LISTENERS + "ListListeners", {"orderBy": "nothing"},
        **bad_field("order_by", 'there is no field "nothing"')),
    Row("a_filter", LISTENERS + "ListListeners", {"filter": "spec.port = "},
        **bad_field("filter", "at 13: expected a value, not the end", "INVALID_FILTER")),
    Row("a_drain", "RouterService/Drain", {"timeout": "-1s"}, stream=True,
        **bad_field("timeout", "is not in 0s..1h", "INVALID_FIELD")),
    # --- watches
    Row("a_filter_of_a_watch", LISTENERS + "WatchListeners", {"filter": "("}, stream=True,
        **bad_field("filter", "at 2: expected a field, not the end", "INVALID_FILTER")),
    Row("a_heartbeat", LISTENERS + "WatchListeners", {"heartbeat": "0.1s"}, stream=True,
        **bad_field("heartbeat", "100ms is neither 0s nor in 1s..24h")),
    Row("a_token_of_another_life", LISTENERS + "WatchListeners", {"resumeToken": "x"},
        "OUT_OF_RANGE", "RESUME_TOKEN_EXPIRED", stream=True,
        text="the resume_token is not known any more; watch anew without it"),
    # --- certificates
    Row("no_such_file", TLS + "CreateTlsProfile", profile("/none.crt", "{key}"),
        **bad_field("tls_profile.spec.certificate_file", "/none.crt: No such file or directory",
                    "FILE_UNREADABLE")),
    Row("no_certificate_in_it", TLS + "CreateTlsProfile", profile("{key}", "{key}"),
        **bad_field("tls_profile.spec.certificate_file", "no PEM certificates found",
                    "INVALID_CERTIFICATE")),
    Row("a_profile_with_a_key_of_another", TLS + "CreateTlsProfile",
        profile("{certificate}", "{other.key}"),
        **bad_field("tls_profile.spec.private_key_file", MISMATCH, "KEY_MISMATCH")),
    Row("a_profile_with_a_key_of_another_later", TLS + "UpdateTlsProfile",
        {"tlsProfile": {"name": "tlsProfiles/used", "spec": {"privateKeyFile": "{other.key}"}}},
        **bad_field("tls_profile.spec.private_key_file", MISMATCH, "KEY_MISMATCH")),
    Row("a_bundle_with_a_key_of_another", "RouterService/ApplyConfig",
        bundle("{certificate}", "{other.key}"),
        **bad_field("tls_profiles[next].private_key_file", MISMATCH, "KEY_MISMATCH")),
    Row("a_profile_that_has_expired", TLS + "CreateTlsProfile", profile("{old.crt}", "{old.key}"),
        **expired("tls_profile.spec.certificate_file")),
    Row("a_profile_that_would_have_expired", TLS + "CreateTlsProfile",
        profile("{old.crt}", "{old.key}", validateOnly=True),
        **expired("tls_profile.spec.certificate_file")),
    Row("a_profile_that_has_expired_later", TLS + "UpdateTlsProfile",
        {"tlsProfile": {"name": "tlsProfiles/used", "spec": {
            "certificateFile": "{old.crt}", "privateKeyFile": "{old.key}"}}},
        **expired("tls_profile.spec.certificate_file")),
    Row("a_bundle_that_has_expired", "RouterService/ApplyConfig",
        bundle("{old.crt}", "{old.key}"), **expired("tls_profiles[next].certificate_file")),
    Row("no_key_of_it", TLS + "CreateTlsProfile",
        {"tlsProfileId": "next", "tlsProfile": {"spec": {"certificateFile": "{certificate}"}}},
        "INVALID_ARGUMENT", "INVALID_CONFIGURATION",
        violations=[("tls_profile.spec.certificate_file", "needs private_key_file")]),
    Row("a_key_of_another", TLS + "RotateCertificate", rotation("server", "other"),
        "INVALID_ARGUMENT", "KEY_MISMATCH", {"resource_name": "tlsProfiles/used"},
        violations=[("inline.private_key", "does not belong to the certificate (CN=localhost)")],
        text="inline.private_key: does not belong to the certificate (CN=localhost); {stays}"),
    Row("a_certificate_that_has_expired", TLS + "RotateCertificate", rotation("old", "old"),
        "FAILED_PRECONDITION", "CERTIFICATE_EXPIRED", {"resource_name": "tlsProfiles/used"},
        violations=[("inline.certificate", "CN=old has expired")],
        text="inline.certificate: CN=old has expired; {stays}"),
    Row("no_certificate", TLS + "RotateCertificate",
        {"name": "tlsProfiles/used", "inline": {"certificate": "x", "privateKey": "y"}},
        "INVALID_ARGUMENT", "INVALID_CERTIFICATE", {"resource_name": "tlsProfiles/used"},
        violations=[("inline.certificate", "no PEM certificates found")],
        text="inline.certificate: no PEM certificates found; {stays}"),
    Row("an_inline_certificate_for_files", TLS + "RotateCertificate",
        rotation("other", "other", "tlsProfiles/service"),
        "FAILED_PRECONDITION", "READ_ONLY_SOURCE",
        {"resource_name": "tlsProfiles/service", "place": "{certificate}"},
        text='TLS profile "service" is read from {certificate}; replace the files there, they are '
             "watched"),
    Row("no_such_profile_to_rotate", TLS + "RotateCertificate",
        {"name": "tlsProfiles/none", "files": {}},
        **unknown("TLS_PROFILE", "name", "tlsProfiles", "service, used")),
    Row("no_such_profile_with_sessions", TLS + "ListTlsSessions", {"parent": "tlsProfiles/none"},
        **unknown("TLS_PROFILE", "parent", "tlsProfiles", "service, used")),
    Row("sessions_of_no_profile", TLS + "ListTlsSessions", {"parent": "listeners/plain"},
        **bad_field("parent", '"listeners/plain" is not of the form "tlsProfiles/{id}"')),
    Row("sessions_of_nothing", TLS + "ListTlsSessions", {}, **bad_field("parent", "is required")),
    Row("a_filter_of_sessions", TLS + "ListTlsSessions",
        {"parent": "tlsProfiles/-", "filter": "active = yes"},
        **bad_field("filter", 'at 10: "yes" is not true or false, as "active" has it',
                    "INVALID_FILTER")),
    Row("nothing_to_rotate_to", TLS + "RotateCertificate", {"name": "tlsProfiles/used"},
        **bad_field("files", "either files or inline is required", "INVALID_FIELD")),
    Row("no_such_listener_to_trace", "TraceService/TraceFrames", {"owner": "listeners/none"},
        **unknown("LISTENER", "", "listeners", "made, plain, secured"), stream=True),
    Row("no_such_connector_to_trace", "TraceService/TraceFrames", {"owner": "connectors/none"},
        **unknown("CONNECTOR", "", "connectors", ""), stream=True),
    Row("no_such_connection_to_trace", "TraceService/TraceFrames",
        {"connection": "connections/4711000"}, "NOT_FOUND", "CONNECTION_NOT_FOUND",
        {"name": "connections/4711000"}, stream=True),
    Row("no_such_users", "UserService/CreateUserStore",
        {"userStoreId": "next", "userStore": {"spec": {"directory": "/none"}}},
        **bad_field("user_store.spec.directory", "/none: No such file or directory",
                    "INVALID_CONFIGURATION")),
]


class Errors(unittest.TestCase):
    """One router: with a file, and with what was made over the API."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        cert, key = certificates.issue("server", "/CN=localhost")
        certificates.issue("other", "/CN=other")
        certificates.issue("old", "/CN=old", days=-1)
        cls.router = Router(
            {"plain": {}}, addresses=[{"name": "news", "prefix": "news"}],
            tls_profiles=[{"name": "service", "certificate_file": cert, "private_key_file": key}])
        cls.taken = socket.create_server(("127.0.0.1", 0))
        cls.api = Api(f"unix:{cls.router.socket()}")
        port = free_port()
        made = cls.api.call(
            LISTENERS + "CreateListener", listenerId="made",
            listener={"legacyName": "Made/By Hand", "spec": {"host": "127.0.0.1", "port": port}})
        cls.api.call(TLS + "CreateTlsProfile", tlsProfileId="used", tlsProfile={
            "spec": {"certificateFile": cert, "privateKeyFile": key}})
        cls.api.call(LISTENERS + "CreateListener", requestId=UUID,
                     **listener("secured", tlsProfile="tlsProfiles/used"))
        cls.facts = {"made port": port, "taken": cls.taken.getsockname()[1],
                     "etag": made.listener.etag, "certificate": cert, "key": key}
        for name in ("server", "other", "old"):
            for end in ("crt", "key"):
                with open(certificates.path(f"{name}.{end}"), encoding="ascii") as file:
                    cls.facts[f"{name}.{end} in PEM"] = file.read()
                cls.facts[f"{name}.{end}"] = certificates.path(f"{name}.{end}")
        active = cls.api.call(TLS + "GetTlsProfile", name="tlsProfiles/used").status.active
        day = active.not_after.ToDatetime().date()
        cls.facts["stays"] = (f"the running certificate (CN=localhost, expires {day}) stays in "
                              "use")
        with open(cls.router.config_file, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for name in ("listeners/plain", "tlsProfiles/service"):
            # Where the resource begins: the line of its first key.
            at = next(number for number, line in enumerate(lines)
                      if line.strip().rstrip(",") == f'"name": "{name.split("/")[1]}"')
            while lines[at].strip() != "{":
                at -= 1
            cls.facts[f"place of {name}"] = f"{cls.router.config_file}:{at + 1}"
        at = next(number for number, line in enumerate(lines) if '"drain_timeout"' in line)
        cls.facts["place of drain_timeout"] = f"{cls.router.config_file}:{at + 1}"
        workers = 1 if harness.WORKERS == "auto" else int(harness.WORKERS)
        cls.facts["too few bytes"] = (f"1 is less than 16777216 for each of {workers} workers; 0 "
                                      "lets the router choose")
        cls.facts["etag of the router"] = cls.api.call("RouterService/GetRouter").etag

    @classmethod
    def tearDownClass(cls):
        cls.api.close()
        cls.taken.close()
        status = cls.router.close()
        cls.certificates.close()
        if status != 0:
            raise AssertionError(f"trunkd ended with status {status}:\n{cls.router.log()}")

    def filled(self, value):
        """With the facts of this world in place of their names."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.filled(each) for each in value)
        return self.with_facts(value) if isinstance(value, str) else value

    def with_facts(self, text):
        for name, fact in self.facts.items():
            text = text.replace("{" + name + "}", str(fact))
        return text

    def there(self):
        """All resources and the router, as they are."""
        methods = ["RouterService/GetRouter"] + [f"{service}/List{kind}" for service, kind in (
            ("ListenerService", "Listeners"), ("ConnectorService", "Connectors"),
            ("TlsService", "TlsProfiles"), ("AddressService", "Addresses"),
            ("UserService", "UserStores"))]
        return {method: self.api.call(method).SerializeToString(deterministic=True)
                for method in methods}

    def error_of(self, row):
        fields = self.filled(row.fields)
        with self.assertRaises((ApiError, grpc.RpcError)) as caught:
            if row.stream:
                list(self.api.stream(row.method, **fields))
            else:
                self.api.call(row.method, **fields)
        error = caught.exception
        return error if isinstance(error, ApiError) else ApiError(error)

    def check(self, row):
        before = self.there()
        error = self.error_of(row)
        self.assertEqual((error.code, error.reason), (row.code, row.reason), str(error))
        self.assertEqual(error.metadata, self.filled(row.metadata))
        self.assertEqual(error.violations, self.filled(row.violations))
        self.assertEqual(error.preconditions, self.filled(row.preconditions))
        if row.text:
            self.assertEqual(error.text, self.filled(row.text))
        self.assertEqual(self.there(), before)

    def test_an_expired_certificate_is_taken_where_it_may(self):
        expiring = self.filled(profile("{old.crt}", "{old.key}", allowExpired=True))
        made = self.api.call(TLS + "CreateTlsProfile", **expiring).tls_profile
        self.addCleanup(self.api.call, TLS + "DeleteTlsProfile", name=made.name)
        self.assertEqual(made.status.active.subject, "CN=old")
        # The one in force may stay.
        self.api.call(TLS + "UpdateTlsProfile",
                      tlsProfile={"name": made.name, "spec": {"uidFormat": "n"}})

    def test_a_duration_that_is_none(self):
        for nanos in (1_500_000_000, -5):
            request = message(f"{PACKAGE}.CreateListenerRequest", **listener("next"))
            request.listener.spec.idle_timeout.seconds = 10
            request.listener.spec.idle_timeout.nanos = nanos
            with self.subTest(nanos=nanos), self.assertRaises(ApiError) as caught:
                self.api.send(LISTENERS + "CreateListener", request)
            self.assertEqual(caught.exception.violations,
                             [("listener.spec.idle_timeout",
                               f"{nanos} nanoseconds are not in 0..999999999")])
        self.there()

    def test_a_change_that_cannot_be_kept(self):
        state = os.path.join(self.router.directory, "state")
        router = Router({"plain": {}}, control={"state_directory": state})
        self.addCleanup(router.close)
        api = Api(f"unix:{router.socket()}")
        self.addCleanup(api.close)
        api.call(LISTENERS + "CreateListener", **listener("kept"))
        shutil.rmtree(state)
        with self.assertRaises(ApiError) as caught:
            api.call(LISTENERS + "CreateListener", **listener("lost"))
        error = caught.exception
        self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "STATE_NOT_WRITTEN"))
        self.assertIn("nothing was changed", error.text)
        names = [each.name for each in api.call(LISTENERS + "ListListeners").listeners]
        self.assertEqual(names, ["listeners/kept", "listeners/plain"])


for each in ROWS:
    setattr(Errors, f"test_{each.name}", lambda self, row=each: self.check(row))


if __name__ == "__main__":
    unittest.main()
