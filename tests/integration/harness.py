"""Runs the real trunkd for one test class: configuration, ports, log, certificates, stop.

Nothing here sleeps: readiness is read from the log.
"""

import errno
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

# Set by run.py.
TRUNKD = ""
CLIENTS = ""
# Worker threads of routers whose test does not say how many: a number, or "auto".
WORKERS = os.environ.get("TRUNKLINE_WORKERS", "auto")
# Longest wait for anything; generous because sanitizer builds and shared machines are slow.
PATIENCE = 60.0


# Not those that the system gives to clients, who would take one between its choice and its use; and
# each process of tests begins elsewhere.
_ports = None
_ports_of = None  # process


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago: for listeners that must know theirs beforehand."""
    global _ports, _ports_of
    if _ports_of != os.getpid():
        _ports_of = os.getpid()
        first = _ports_of * 523 % 20000
        _ports = itertools.cycle([*range(10000 + first, 30000), *range(10000, 10000 + first)])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in _ports:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def until(condition, what):
    """Waits for what nobody tells: looks again and again, and returns what `condition` gives once
    that is something. `what` is called for more to say where it never is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for: {what()}")
        time.sleep(0.02)


class Router:
    """One trunkd process. `listeners` maps names to the fields of a listener; port 0 and 127.0.0.1
    unless they say otherwise. `config` has the other keys of trunkline.yaml."""

    def __init__(self, listeners=None, **config):
        self.prepare(listeners if listeners is not None else {"plain": {}})
        config["listeners"] = [
            {"host": "127.0.0.1", "port": 0, "name": name, **fields}
            for name, fields in self._wanted.items()
        ]
        config["router"] = {
            "id": "tested",
            "drain_timeout": "2s",
            "workers": WORKERS,
            **config.get("router", {}),
        }
        # Not where a router of this machine's may have it.
        config["control"] = {"socket": os.path.join(self.directory, "control.sock"),
                             **config.get("control", {})}
        self.config_file = os.path.join(self.directory, "trunkline.yaml")
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)  # JSON is YAML
        self.start([TRUNKD, "--config", self.config_file])

    @classmethod
    def without_configuration(cls):
        """As somebody who just types trunkd."""
        router = cls.__new__(cls)
        router.prepare({})
        router.start([TRUNKD])
        return router

    def prepare(self, listeners):
        self.directory = tempfile.mkdtemp(prefix="trunkline-test-")
        self.lines = []
        self._changed = threading.Condition()
        self._ports = {}
        self._wanted = listeners

    def start(self, command):
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.directory
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        for name in self._wanted:
            self._ports[name] = self._bound_port(name)
        if self._wanted:
            self.wait_for_line(lambda line: '"ready"' in line, "that it is ready")

    def forget_log(self):
        """Before the next start, once the process has ended."""
        self._reader.join()
        self.lines.clear()

    def _read_log(self):
        for raw in self.process.stderr:
            with self._changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append("(end of log)")
            self._changed.notify_all()

    def wait_for_line(self, wanted, what):
        """The first log line for which `wanted` gives something, and that."""
        deadline = time.monotonic() + PATIENCE
        seen = 0
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    found = wanted(line)
                    if found:
                        return found
                seen = len(self.lines)
                ended = self.lines and self.lines[-1] == "(end of log)"
                if ended or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(f"trunkd does not say {what}:\n{self.log()}")

    def _bound_port(self, name):
        def port_of(line):
            if "listening" not in line or not re.search(rf"\b{re.escape(name)}\b", line):
                return None
            found = re.search(r"(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):(\d+)", line)
            return int(found.group(1)) if found else None

        return self.wait_for_line(port_of, f"where {name} listens")

    def port(self, name="plain"):
        return self._ports[name]

    def url(self, name="plain", scheme="amqp", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port(name)}"

    def _api(self, pattern):
        return self.wait_for_line(lambda line: re.search(rf"\bAPI\b.*\b{pattern}", line),
                                  "where its API is").group(1)

    def socket(self):
        """Where the API is on this machine."""
        return self._api("socket=(\\S+)")

    def api_port(self):
        return int(self._api("tcp_port=([0-9]+)"))

    def metrics_port(self):
        """Where it serves metrics."""
        line = self.wait_for_line(
            lambda line: line if "serving metrics" in line else None, "where it serves metrics"
        )
        return int(line.rsplit(":", 1)[1])

    def log(self, last=200):
        return "\n".join(self.lines[-last:])

    def resident_kib(self, field="VmRSS"):
        """Memory of the process from /proc; VmHWM is its peak."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M).group(1))

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_for_exit(self, seconds=None):
        """The exit status. Fails if the process does not end."""
        try:
            return self.process.wait(PATIENCE if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"trunkd does not end:\n{self.log()}") from None

    def close(self):
        """Ends the process, if it has not, and returns its status; the log stays readable."""
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(PATIENCE / 2)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)  # leaves a trace of where it hangs
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
        self._reader.join(10)
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return self.process.returncode


class RouterTest(unittest.TestCase):
    """Tests of one class share a router, started from LISTENERS and CONFIG. Each has a World of
    clients and an address of its own."""

    LISTENERS = {"plain": {}}
    CONFIG = {}
    router = None

    @classmethod
    def setUpClass(cls):
        cls.router = Router(cls.LISTENERS, **cls.CONFIG)

    @classmethod
    def tearDownClass(cls):
        status = cls.router.close()
        if status != 0:
            raise AssertionError(f"trunkd ended with status {status}:\n{cls.router.log()}")

    def setUp(self):
        from clients import World  # not before run.py knows that Proton is there

        self.world = World()
        self.addCleanup(self.world.close)
        self.address = self.id().rsplit(".", 1)[-1]

    def connect(self, listener="plain", **options):
        return self.world.connect(self.router.url(listener), **options)


class Certificates:
    """An authority and what it issues, made by the openssl command in a directory of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="trunkline-certs-")
        self._serial = 1000
        self.authority("ca")

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=self.directory, check=True, capture_output=True
        )

    def _key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-out", f"{name}.key")

    def authority(self, name):
        """Makes name.crt and name.key, self-signed."""
        self._key(name)
        self.openssl("req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}",
                      "-days", "2", "-out", f"{name}.crt",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        return self.path(f"{name}.crt")

    def issue(self, name, subject, alternative_names="", authority="ca", days=2):
        """Makes name.crt and name.key; returns their paths."""
        self._key(name)
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject,
                      "-out", f"{name}.csr")
        extensions = "basicConstraints=CA:FALSE\n"
        if alternative_names:
            extensions += f"subjectAltName={alternative_names}\n"
        with open(self.path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(extensions)
        self._serial += 1
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt",
                      "-CAkey", f"{authority}.key", "-set_serial", str(self._serial),
                      "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        return self.path(f"{name}.crt"), self.path(f"{name}.key")

    def serial(self, name):
        """The number of a certificate, in hex."""
        out = subprocess.run(["openssl", "x509", "-in", f"{name}.crt", "-noout", "-serial"],
                             cwd=self.directory, check=True, capture_output=True, text=True)
        return out.stdout.strip().split("=")[1]

    def encrypt_key(self, name, password):
        """Makes name.enc.key, the key of `name` under a password."""
        self.openssl("pkcs8", "-topk8", "-in", f"{name}.key", "-passout", f"pass:{password}",
                      "-out", f"{name}.enc.key")
        return self.path(f"{name}.enc.key")
