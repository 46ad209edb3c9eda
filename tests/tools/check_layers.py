"""Holds every include of router/ and control/ against the layering rule (router/README.md).

A folder may include itself and what its row allows: whole folders ("router/base") or single
headers. Third-party headers are allowed by prefix, for the folders or single files named.
"""

import pathlib
import re
import subprocess
import sys

BASE = ["router/base"]
VALUES = ["router/amqp/types.h", "router/amqp/sections.h"]
FACADE = ["router/router.h", "router/specs.h", "router/observe.h", "router/metrics.h",
          "router/probe.h", "router/snapshot.h", "router/trace.h"]
ALLOWED = {
    "router/base": [],
    "router/amqp": BASE,
    "router/tls": BASE,
    "router/sasl": BASE,
    "router/core": BASE + VALUES + ["router/amqp/performatives.h"],
    "router/mesh": BASE + ["router/amqp/types.h", "router/core/ids.h", "router/core/address.h",
                           "router/core/route_table.h", "router/core/load.h",
                           "router/core/outbox.h"],
    "router/conn": BASE + ["router/amqp", "router/tls", "router/sasl", "router/core"],
    "router/net": BASE + FACADE + ["router/amqp", "router/tls", "router/sasl", "router/core",
                                   "router/mesh", "router/conn"],
    "router": BASE + FACADE + ["router/net", "router/core", "router/tls", "router/sasl"],
    "control/config": FACADE + ["router/base", "router/tls/bundle.h", "router/tls/context.h",
                                "router/tls/identity.h", "router/sasl/mechanisms.h", "proto"],
    "control/legacy": ["router/base", "router/sasl/mechanisms.h", "control/config"],
    "control/certs": FACADE + ["router/base", "router/tls/bundle.h", "router/tls/context.h",
                               "control/config", "proto"],
    "control/users": FACADE + ["router/base", "router/sasl/users.h", "router/sasl/library.h",
                               "control/config", "proto"],
    "control/reconcile": FACADE + ["router/base", "router/sasl/users.h", "control/config",
                                   "control/certs", "control/users", "proto"],
    "control/http": ["router/base", "router/tls/context.h", "router/tls/accept.h"],
    "control/metrics": FACADE + ["router/base", "control/http"],
    "control/api": FACADE + ["router/base", "router/tls/bundle.h", "control/config",
                             "control/certs", "control/store", "proto"],
    "control/store": FACADE + ["router/base", "router/sasl/users.h",
                               "router/sasl/library.h", "router/sasl/kerberos.h",
                               "router/sasl/mechanisms.h", "control/config", "control/certs",
                               "control/users", "control/legacy", "control/reconcile", "proto"],
    "control/cli": ["router/base", "control/config", "control/api/kind.h",
                    "control/api/method_table.h", "proto"],
    "control/daemon": FACADE + ["router/base", "router/tls/bundle.h", "router/tls/context.h",
                                "router/sasl/library.h", "control/config", "control/legacy",
                                "control/certs", "control/users", "control/reconcile",
                                "control/store", "control/metrics",
                                "control/http", "control/api", "proto"],
}
FACADE_HEADERS = {"router/router.h", "router/specs.h", "router/observe.h",
                  "router/metrics.h", "router/probe.h", "router/snapshot.h",
                  "router/trace.h"}  # see base only

# The server's files that know gRPC.
GRPC = ["control/cli/channel.cc", "control/api/server.cc",
        "control/api/conversation.h", "control/api/conversation.cc",
        "control/api/credentials.h", "control/api/credentials.cc", "control/api/channelz.cc"]

# trunkctl's own AMQP client.
PROTON = ["control/cli/amqp_client.cc", "control/cli/amqp_convert.h",
          "control/cli/amqp_convert.cc"]

EVERYWHERE = ("absl/",)
THIRD_PARTY = {
    "proton/": ["router/amqp/value.cc", "router/amqp/value.h", *PROTON],
    "openssl/": ["router/tls", "router/sasl/scram_keys.cc"],
    "boost/": ["router/net", "control/http"],
    "prometheus/": ["control/metrics"],
    "sasl/": ["router/sasl", "control/cli/amqp_convert.cc"],
    "google/protobuf/": ["control"],
    "yaml-cpp/": ["control/config"],
    "grpcpp/": GRPC,
    "grpc/": GRPC,
}
# System headers that only net/ (and the daemon) may use: threads, sockets, clocks.
NET_ONLY = re.compile(r"^(thread|mutex|condition_variable|chrono|sys/socket\.h|sys/epoll\.h|"
                      r"sys/eventfd\.h|netinet/.*|arpa/.*|netdb\.h)$")
NET_ONLY_EXEMPT = ("router/net/", "router/router.cc", "router/base/affine.h", "router/base/log",
                   "router/sasl/scram_keys.h", "router/tls/system_trust.cc", "control/")
INCLUDE = re.compile(r'^#include\s+([<"])([^">]+)[">]')


def under(name, prefixes):
    return any(name == p or name.startswith(p + "/") or name.startswith(p) and p.endswith("/")
               for p in prefixes)


def problem(path, quoted, header):
    folder = str(pathlib.PurePath(path).parent)
    if header.startswith(("router/", "control/", "proto/", "tests/")):
        allowed = BASE + list(FACADE_HEADERS) if path in FACADE_HEADERS else ALLOWED.get(folder)
        if allowed is None:
            return "folder has no row in check_layers.py"
        own = str(pathlib.PurePath(header).parent) == folder and path not in FACADE_HEADERS
        return None if own or under(header, allowed) else f"may not include {header}"
    for prefix, folders in THIRD_PARTY.items():
        if header.startswith(prefix):
            return None if under(path, folders) else f"may not use {prefix}"
    if NET_ONLY.match(header) and not path.startswith(NET_ONLY_EXEMPT):
        return f"may not use <{header}>: threads, sockets and clocks live in router/net"
    if quoted and not header.startswith(EVERYWHERE):
        return f"unknown header {header}"
    return None


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    files = subprocess.run(["git", "ls-files", "router/*.h", "router/*.cc", "control/*.h",
                            "control/*.cc"], cwd=root, check=True, capture_output=True,
                           text=True).stdout.split()
    found = []
    for path in files:
        if not (root / path).exists():
            continue
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and (why := problem(path, match[1] == '"', match[2])):
                found.append(f"{path}:{number}: {why}")
    print("\n".join(found) or f"{len(files)} files keep the layering rule")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
