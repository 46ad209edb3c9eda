"""What the programs of the matrix talk to: certificates, users, routers."""

import os
import shutil
import unittest.mock

import realm
from harness import Certificates, Router, free_port

IDLE_SECONDS = 2.0
ADDRESSES = [
    {"prefix": "multicast", "distribution": "multicast"},
    {"prefix": "balanced", "distribution": "balanced"},
    {"prefix": "unavailable", "distribution": "unavailable"},
]


class Stage:
    """The router that most rows share, and what is needed for more of them."""

    def __init__(self):
        self.certificates = Certificates()
        self.words = {**self._issue(), **self._passwords()}
        path = self.certificates.path
        server = {"certificate_file": path("server.crt"), "private_key_file": path("server.key"),
                  "ca_file": path("ca.crt")}
        other = {"certificate_file": path("other.crt"), "private_key_file": path("other.key")}
        profiles = [
            {"name": "old", **server, "protocols_max": "tls12"},
            {"name": "new", **server, "protocols_min": "tls13"},
            {"name": "any", **server},
            {"name": "other", **other},
        ]
        stores = [{"name": "clients", "directory": self.users, "realm": "interop"}]
        authenticated = {"user_store": "clients", "require_sasl": True}
        self.router = Router({
            "plain": {},
            "anonymous": {"sasl_mechanisms": ["ANONYMOUS"]},
            "small": {"max_message_size": 10_000},
            "tls12": {"tls_profile": "old"},
            "tls13": {"tls_profile": "new"},
            "wrong-host": {"tls_profile": "other"},
            "mutual": {"tls_profile": "any", "tls_client_auth": "require", "require_sasl": True,
                       "sasl_mechanisms": ["EXTERNAL"]},
            "users": {"tls_profile": "any", **authenticated},
            "users-plaintext": {"sasl_mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-1"],
                                **authenticated},
        }, addresses=ADDRESSES, tls_profiles=profiles, user_stores=stores)
        # Failed logins slow down all of their peer's, so these have a router of their own.
        self.strict = Router({"intruders": {"tls_profile": "any", **authenticated}},
                             tls_profiles=profiles, user_stores=stores)
        self._start_realm(profiles)

    def _start_realm(self, profiles):
        """A router that takes tickets, and what programs need in their environment to get one."""
        self.realm = self.kerberos = None
        self.environment = {}
        self.lacks = realm.missing()
        if self.lacks:
            return
        self.realm = realm.Realm()
        self.realm.add("router", "router")
        self.realm.start()
        self.environment = self.realm.env
        with unittest.mock.patch.dict(os.environ, self.environment):
            self.kerberos = Router({"tickets": {"tls_profile": "any", "require_sasl": True,
                                                "sasl_mechanisms": ["GSSAPI"]}},
                                   tls_profiles=profiles)

    def absent(self, row):
        """Why nobody can be shown this row here; empty: all can."""
        return f"not run (needs {self.lacks})" if row.listener == "tickets" and self.lacks else ""

    def _issue(self):
        certificates = self.certificates
        certificates.issue("server", "/CN=localhost", "DNS:localhost,IP:127.0.0.1,IP:::1")
        certificates.issue("other", "/CN=elsewhere.example", "DNS:elsewhere.example")
        certificates.issue("client", "/O=Works/CN=client")
        certificates.authority("stranger-ca")
        certificates.issue("stranger", "/CN=stranger", authority="stranger-ca")
        words = {f"{who}.{kind}": certificates.path(f"{who}.{kind}")
                 for who in ("client", "stranger") for kind in ("crt", "key")}
        words.update({name: certificates.path(f"{name}.crt") for name in ("ca", "stranger-ca")})
        return words

    def _passwords(self):
        """The router's users, and files with the passwords that clients give."""
        self.users = self.certificates.path("users")
        os.mkdir(self.users, 0o700)
        words = {"right": "open, Sesame!", "wrong": "open, barley"}
        for name, password in words.items():
            with open(self.certificates.path(name), "w", encoding="utf-8") as file:
                file.write(password)
        shutil.copy(self.certificates.path("right"), os.path.join(self.users, "ann"))
        return {name: self.certificates.path(name) for name in words}

    def url(self, row):
        router = {"intruders": self.strict, "tickets": self.kerberos}.get(row.listener, self.router)
        port = router.port(row.listener)
        if "--ca" in row.options:
            return f"amqps://localhost:{port}"
        return f"amqp://127.0.0.1:{port}"

    def arguments(self, row):
        """The row's options with the words filled in: {ca} is the file of that certificate."""
        return [self.words.get(option[1:-1], option) if option.startswith("{") else option
                for option in row.options]

    def close(self):
        routers = (self.router, self.strict, self.kerberos)
        statuses = [router.close() for router in routers if router is not None]
        if self.realm is not None:
            self.realm.close()
        self.certificates.close()
        return max(statuses, key=abs)


class OwnRouter:
    """A router of one cell, which may be stopped and come back at the same port."""

    def __init__(self, row):
        idle = f"{IDLE_SECONDS:g}s" if row.listener == "idle" else "0s"
        self._fields = {"port": free_port(), "idle_timeout": idle}
        self.start()

    def start(self):
        self.router = Router({"plain": self._fields})

    def url(self):
        return self.router.url()

    def is_connected(self):
        """Whether a client is connected, by the kernel's table of sockets."""
        port = f":{self._fields['port']:04X}"
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file]
        return any(row[1].endswith(port) and row[3] == "01" for row in rows)

