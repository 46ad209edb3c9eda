"""Measures what changes over the API do to messages at a fixed rate. Undisturbed and changed runs
are interleaved, each against a trunkd of its own; prints one table of medians.

Two generators send unsettled messages over eight connections, half of them TLS; they end with an
error if one of their connections is dropped, and say at the end what was lost or came twice. Then
listeners, addresses and connectors are created, changed and deleted, one call after the other, each
kept in the state directory; among them the certificate of the TLS listener is rotated. Undisturbed
runs last as long. The longest turn of a worker is what trunkd logs when it stops. Exit status 1 if
anything was lost, left unsettled or came twice.

The router has a processor more than it has workers: for all that is not a worker.
"""

import argparse
import itertools
import os
import re
import subprocess
import sys
import time

import harness

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from api_client import Api  # noqa: E402

COLUMNS = [
    ("messages/s", 10, 0, "per_second"), ("p50 us", 8, 1, "p50_us"), ("p99 us", 8, 1, "p99_us"),
    ("TLS p99", 8, 1, "tls_p99_us"), ("p99 ratio", 9, 2, "p99_ratio"),
    ("TLS ratio", 9, 2, "tls_p99_ratio"), ("turn ms", 8, 2, "longest_turn_ms"),
    ("lost", 5, 0, "lost"), ("twice", 5, 0, "repeated"), ("calls/s", 8, 0, "calls_per_second"),
    ("call p99 ms", 11, 1, "call_p99_ms"), ("rotate ms", 9, 1, "rotation_max_ms"),
    ("seconds", 8, 2, "seconds"),
]
LIMITS = {"p99_ratio": ("<=", 1.5), "tls_p99_ratio": ("<=", 1.5), "longest_turn_ms": ("<=", 5),
          "lost": ("<=", 0), "unsettled": ("<=", 0), "repeated": ("<=", 0),
          "rotation_max_ms": ("<=", 200)}
PAIRS = 2  # of connections, per generator
PROFILE = "tlsProfiles/rotated"


def generators(options, router):
    """Both, warm and measuring from now on: plain text, TLS."""
    started = []
    for case in ([], ["--tls"]):
        started.append(harness.start(options.generator_cpus[:1], [
            options.loadgen, *router.arguments(case), "--senders", str(PAIRS), "--receivers",
            str(PAIRS), "--size", "64", "--rate", str(options.rate // 2), "--until-eof", "--check",
            "--warmup", str(options.warmup), "--pid", str(router.process.pid), "--address",
            "tls" if case else "plain"]))
    for each in started:
        if each.stdout.readline() != "measuring\n":
            harness.finish(each)
    return started


def calls(port):
    """Endless: create, change, change again, delete, of every kind."""
    for number in itertools.count():
        name = f"changing-{number}"
        kinds = [
            ("Listener", {"host": "127.0.0.1", "port": 0, "tlsProfile": PROFILE},
             {"idleTimeout": "30s"}, {"host": "127.0.0.2"}),
            ("Address", {"prefix": name}, {"distribution": "DISTRIBUTION_MULTICAST"},
             {"prefix": name + "-b"}),
            ("Connector", {"host": "127.0.0.1", "port": port}, {"linkCapacity": 100},
             {"maxFrameSize": 4096}),
        ]
        for kind, spec, *changes in kinds:
            service = f"{kind}Service"
            full = f"{'addresse' if kind == 'Address' else kind.lower()}s/{name}"
            field = kind.lower()
            yield f"{service}/Create{kind}", {f"{field}Id": name, field: {"spec": spec}}
            for change in changes:
                yield f"{service}/Update{kind}", {field: {"name": full, "spec": change}}
            yield f"{service}/Delete{kind}", {"name": full}


def change(options, router, api):
    """All calls, and rotations among them; how long they took."""
    taken, rotations = [], []
    every = options.calls // options.rotations if options.rotations else options.calls + 1
    for number, (method, fields) in enumerate(itertools.islice(calls(router.port),
                                                               options.calls), 1):
        start = time.monotonic()
        api.call(method, **fields)
        taken.append(time.monotonic() - start)
        if number % every == 0:
            rotations.append(rotate(router, api))
        time.sleep(options.pause)
    taken.sort()
    row = {"call_p99_ms": 1e3 * taken[len(taken) * 99 // 100],
           "calls_per_second": len(taken) / sum(taken)}
    return row | ({"rotation_max_ms": 1e3 * max(rotations)} if rotations else {})


def rotate(router, api):
    """To the other of two certificates; seconds."""
    router.certificates.reverse()
    certificate, key = router.certificates[0]
    start = time.monotonic()
    answer = api.call("TlsService/RotateCertificate", name=PROFILE,
                      inline={"certificate": certificate, "privateKey": key})
    assert answer.changed
    return time.monotonic() - start


def prepare(router, api):
    """A TLS listener whose certificate can be rotated: on it are the generator's connections."""
    def read(name):
        return (router.folder / name).read_text()

    subprocess.run(["bash", "-c", "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                    "-nodes -keyout next.key -out next.csr -subj /CN=localhost -addext "
                    "subjectAltName=DNS:localhost && openssl x509 -req -in next.csr -CA ca.crt "
                    "-CAkey ca.key -CAcreateserial -days 30 -copy_extensions copy -out next.crt"],
                   cwd=router.folder, check=True, capture_output=True)
    # The first is in force.
    router.certificates = [(read("tls.crt"), read("tls.key")), (read("next.crt"), read("next.key"))]
    api.call("TlsService/CreateTlsProfile", tlsProfileId="rotated", tlsProfile={
        "spec": {"certificateFile": str(router.folder / "tls.crt"),
                 "privateKeyFile": str(router.folder / "tls.key")}})
    router.tls_port = harness.free_port()
    api.call("ListenerService/CreateListener", listenerId="rotated", listener={
        "spec": {"host": "127.0.0.1", "port": router.tls_port, "tlsProfile": PROFILE}})


def measure(options, seconds):
    """One run: with changes if `seconds` is None, else undisturbed for so long."""
    router = harness.Router(options.trunkd, options.workers, options.router_cpus,
                            levels=", net: info, router: info")
    left = []
    try:
        api = Api(f"unix:{router.socket}", patience=30)
        prepare(router, api)
        left = generators(options, router)
        start = time.monotonic()
        changed = {}
        if seconds is None:
            changed = change(options, router, api)
        else:
            time.sleep(seconds)
        changed["seconds"] = time.monotonic() - start
        for each in left:
            each.stdin.close()
        plain, tls = (harness.figures(each.stdout.read().splitlines()[-1]) for each in left)
        for each in left:
            if each.wait() != 0:
                raise SystemExit(f"{' '.join(each.args)} ended with {each.returncode}")
        api.close()
    finally:
        harness.kill(left)
        log = router.stop()
    row = plain | {"tls_p99_us": tls["p99_us"]} | changed
    for key in ("per_second", "lost", "unsettled", "repeated"):
        row[key] = plain[key] + tls[key]
    turns = [int(us) for us in re.findall(r"longest_turn_us\W+(\d+)", log)]
    return row | ({"longest_turn_ms": max(turns) / 1e3} if turns else {})


def worst(rounds, keys):
    """What must never be, counts whenever it was."""
    return {key: max(each[key] for each in rounds) for key in keys if key in rounds[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    harness.add_options(parser, ["loadgen"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rotations", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0, help="seconds between two calls")
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    options.router_cpus = options.router_cpus or cpus[:options.workers + 1]
    harness.place(options)
    # The caller runs where the generator does not.
    os.sched_setaffinity(0, options.generator_cpus[-1:])

    table = harness.Table(COLUMNS)
    calm, changed = [], []
    for _ in range(options.rounds):
        changed.append(measure(options, None))
        calm.append(measure(options, changed[-1]["seconds"]))
    never = ("lost", "unsettled", "repeated", "longest_turn_ms", "rotation_max_ms")
    quiet = harness.medians(calm) | worst(calm, never)
    row = harness.medians(changed) | worst(changed, never)
    for key in ("p99", "tls_p99"):
        if quiet[f"{key}_us"] > 0:
            row[f"{key}_ratio"] = row[f"{key}_us"] / quiet[f"{key}_us"]
    notes = harness.verdicts(row, LIMITS) if options.limits else []
    notes += harness.doubts(row)
    table.row(f"64 B at {options.rate:,}/s, 8 connections", quiet, harness.doubts(quiet))
    table.row(f"with {options.calls:,} calls, {options.rotations:,} rotations", row, notes)
    print(f"workers {options.workers}; router on {options.router_cpus}, messages on "
          f"{options.generator_cpus[:1]}, calls from {options.generator_cpus[-1:]}; medians of "
          f"{options.rounds} interleaved runs, of turns, rotations and losses the worst")
    sys.exit(1 if any(row[key] for key in ("lost", "unsettled", "repeated")) else 0)


if __name__ == "__main__":
    main()
