"""Measures trunkd against a plain TCP relay, interleaved, and prints one table of medians.

Figures per message: CPU of the whole router process (user + system, all threads, from schedstat).
The relay is the floor: the same bytes, no thought. A round is valid when the relay's 64 B figure
and the generator's own CPU are within the limits printed below the table.
"""

import argparse
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

RELAY_LIMIT_US = 0.08
GENERATOR_LIMIT = 0.9

# name, generator arguments, against the relay too
CASES = [
    ("64 B unsettled 4->4", ["--size", "64"], True),
    ("64 B pre-settled 4->4", ["--size", "64", "--settled"], True),
    ("64 B unsettled 1->1", ["--size", "64", "--senders", "1", "--receivers", "1"], True),
    ("64 B unsettled 4->4, one address", ["--size", "64", "--one-address"], False),
    ("1 KiB unsettled 4->4", ["--size", "1024"], True),
    ("64 KiB at 15,000/s", ["--size", "65536", "--rate", "15000"], True),
    ("64 B at 40,000/s", ["--size", "64", "--rate", "40000"], True),
    ("1 KiB TLS 1.3 4->4", ["--size", "1024", "--tls"], False),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(cpu, command):
    return ["taskset", "-c", str(cpu)] + command if os.cpu_count() > 1 else command


def wait_ready(process, notify):
    """Waits as a service manager does; a connection just to look would be logged as failed."""
    notify.settimeout(0.1)
    while process.poll() is None:
        try:
            if notify.recv(4096) == b"READY=1":
                return
        except TimeoutError:
            pass  # looks after the process again
    sys.exit(f"{process.args} ended before it was ready")


def make_certificates(folder):
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=bench CA")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-copy_extensions", "copy", "-out", "tls.crt")


class Router:
    def __init__(self, trunkd, folder, cpu):
        self.port, self.tls_port = free_port(), free_port()
        make_certificates(folder)
        self.ca = str(folder / "ca.crt")
        config = folder / "trunkline.yaml"
        config.write_text(f"""
router: {{id: bench}}
log: {{levels: {{default: warning}}}}
tls_profiles:
  - {{name: bench, certificate_file: tls.crt, private_key_file: tls.key}}
listeners:
  - {{name: plain, host: 127.0.0.1, port: {self.port}}}
  - {{name: tls, host: 127.0.0.1, port: {self.tls_port}, tls_profile: bench}}
""")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(folder / "notify"))
            self.process = subprocess.Popen(
                pinned(cpu, [trunkd, "--config", str(config)]),
                env=dict(os.environ, NOTIFY_SOCKET=str(folder / "notify")))
            wait_ready(self.process, notify)

    def arguments(self, case):
        if "--tls" in case:
            rest = [a for a in case if a != "--tls"]
            return rest + ["--port", str(self.tls_port), "--ca", self.ca]
        return case + ["--port", str(self.port)]


class Relay:
    def __init__(self, binary, cpu):
        self.port, self.port_b = free_port(), free_port()
        self.process = subprocess.Popen(
            pinned(cpu, [binary, str(self.port), str(self.port_b)]), stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def arguments(self, case):
        return case + ["--port", str(self.port), "--port-b", str(self.port_b)]


def run(generator, peer, case, seconds, cpu):
    command = [generator, *peer.arguments(case), "--pid", str(peer.process.pid), "--seconds",
               str(seconds)]
    out = subprocess.run(pinned(cpu, command), check=True, capture_output=True, text=True).stdout
    return {key: float(value) for key, value in (pair.split("=") for pair in out.split())}


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


# heading, width, digits, key; keys with "relay " are of the relay
COLUMNS = [
    ("messages/s", 11, 0, "per_second"), ("CPU us", 8, 3, "cpu_us"),
    ("relay us", 8, 3, "relay cpu_us"), ("ratio", 6, 2, "ratio"), ("p50 us", 8, 1, "p50_us"),
    ("p99 us", 8, 1, "p99_us"), ("p99.9 us", 9, 1, "p999_us"),
    ("relay p99", 9, 1, "relay p99_us"), ("gen cores", 9, 3, "generator_cores"),
    ("RSS MiB", 8, 1, "rss_mib"),
]


def print_row(name, mine, floor):
    figures = {key: median(mine, key) for key in mine[0]}
    figures |= {f"relay {key}": median(floor, key) for key in (floor[0] if floor else [])}
    if floor:
        figures["ratio"] = figures["cpu_us"] / figures["relay cpu_us"]
    cells = [f"{figures[key]:{width}.{digits}f}" if key in figures else f"{'-':>{width}}"
             for _, width, digits, key in COLUMNS]
    print(f"{name:34}", *cells, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trunkd", required=True)
    parser.add_argument("--loadgen", required=True)
    parser.add_argument("--relay", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--router-cpu", type=int, default=0)
    parser.add_argument("--generator-cpu", type=int, default=1)
    options = parser.parse_args()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
    router = Router(options.trunkd, folder, options.router_cpu)
    relay = Relay(options.relay, options.router_cpu)
    try:
        print(f"{'case':34}", *(f"{heading:>{width}}" for heading, width, _, _ in COLUMNS))
        for name, case, against_relay in CASES:
            if options.only not in name:
                continue
            mine, floor = [], []
            for _ in range(options.rounds):
                for peer, rounds in ((router, mine), (relay, floor)):
                    if peer is router or against_relay:
                        rounds.append(run(options.loadgen, peer, case, options.seconds,
                                          options.generator_cpu))
            print_row(name, mine, floor)
        print(f"valid if the relay needs at most {RELAY_LIMIT_US} us at 64 B and the generator at "
              f"most {GENERATOR_LIMIT} cores; latencies mean something at a fixed rate only")
    finally:
        for peer in (router, relay):
            peer.process.send_signal(signal.SIGTERM)
            peer.process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
