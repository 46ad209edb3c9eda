"""What the tables share: a router and a relay of their own, pinned generators, medians, rows."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# A generator's thread above this share of a core may have been what limited the figure.
GENERATOR_LIMIT = 0.9
# Share of the time that generator or router wanted a processor which others had: a noisy machine.
WAIT_LIMIT = 0.05


def add_options(parser, tools):
    """--trunkd, one option per tool, and where they run."""
    for tool in ("trunkd", *tools):
        parser.add_argument(f"--{tool}", required=True)
    parser.add_argument("--workers", type=int, default=1, help="worker threads of trunkd")
    parser.add_argument("--router-cpus", type=cpu_list, help="default: one for each worker")
    parser.add_argument("--generator-cpus", type=cpu_list, help="default: up to two of the others")
    parser.add_argument("--limits", action="store_true", help="targets beside the figures")


def cpu_list(text):
    return [int(cpu) for cpu in text.split(",")]


def place(options):
    """Completes where things run: the router on the first processors, generators on others."""
    cpus = sorted(os.sched_getaffinity(0))
    options.router_cpus = options.router_cpus or cpus[:options.workers]
    rest = [cpu for cpu in cpus if cpu not in options.router_cpus] or cpus
    options.generator_cpus = options.generator_cpus or rest[:2]


def pinned(cpus, command):
    return ["taskset", "-c", ",".join(map(str, cpus))] + command


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    """A trunkd with its own folder and ports, ready when constructed. `users` are names; all have
    the password "a password"."""

    def __init__(self, trunkd, workers, cpus, levels="", users=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
        self.port, self.tls_port = free_port(), free_port()
        self.ca = str(self.folder / "ca.crt")
        self.socket = str(self.folder / "control.sock")
        make_certificates(self.folder)
        store, logins = "", ""
        if users:
            (self.folder / "users").mkdir(mode=0o700)
            for user in users:
                (self.folder / "users" / user).write_text("a password")
                (self.folder / "users" / user).chmod(0o600)
            store = "user_stores: [{name: users, directory: users}]"
            logins = ", user_store: users, sasl_mechanisms: [SCRAM-SHA-256, ANONYMOUS]"
        config = self.folder / "trunkline.yaml"
        config.write_text(f"""
router: {{id: bench, workers: {workers}, core_dumps: true}}  # or only root sees its files
log: {{levels: {{default: warning{levels}}}}}
control: {{socket: {self.folder}/control.sock, state_directory: state}}
{store}
tls_profiles:
  - {{name: bench, certificate_file: tls.crt, private_key_file: tls.key}}
listeners:
  - {{name: plain, host: 127.0.0.1, port: {self.port}{logins}}}
  - {{name: tls, host: 127.0.0.1, port: {self.tls_port}, tls_profile: bench}}
""")
        self.log_path = self.folder / "log"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.log_path, "wb") as log:
            notify.bind(str(self.folder / "notify"))
            self.process = subprocess.Popen(
                pinned(cpus, [trunkd, "--config", str(config)]), stdout=log, stderr=log,
                env=dict(os.environ, NOTIFY_SOCKET=str(self.folder / "notify")))
            self.wait_ready(notify)
        self.quiet_sockets = self.sockets()

    def wait_ready(self, notify):
        """As a service manager does: a connection to look at the port would be one that failed."""
        notify.settimeout(0.1)
        while self.process.poll() is None:
            try:
                if notify.recv(4096) == b"READY=1":
                    return
            except TimeoutError:
                pass  # looks after the process again
        log = self.log()
        shutil.rmtree(self.folder)
        sys.exit(f"trunkd ended before it was ready:\n{log}")

    def arguments(self, case):
        if "--tls" in case:
            rest = [a for a in case if a != "--tls"]
            return rest + ["--port", str(self.tls_port), "--ca", self.ca]
        return case + ["--port", str(self.port)]

    def sockets(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_quiet(self):
        """Until the last clients are gone: they would count where the next are placed."""
        deadline = time.monotonic() + 10
        while self.sockets() > self.quiet_sockets:
            if time.monotonic() > deadline:
                sys.exit("clients of the last run are still there: the next would be elsewhere")
            time.sleep(0.01)

    def rss_mib(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """Ends it, and returns what it logged. The process must have been well to the end."""
        died = self.process.poll()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait()
        log = self.log()
        shutil.rmtree(self.folder)
        if died is not None or status != 0:
            raise RuntimeError(f"trunkd ended with {status}:\n{log[-4000:]}")
        return log


class Relay:
    def __init__(self, binary, cpus):
        self.port, self.port_b = free_port(), free_port()
        self.process = subprocess.Popen(
            pinned(cpus[:1], [binary, str(self.port), str(self.port_b)]), stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def arguments(self, case):
        return case + ["--port", str(self.port), "--port-b", str(self.port_b)]

    def wait_quiet(self):
        pass  # pairs connections by their order, whatever else is there

    def stop(self):
        self.process.terminate()
        self.process.wait()


def stop_all(peers):
    with contextlib.ExitStack() as stack:
        for peer in peers:
            stack.callback(peer.stop)


def figures(line):
    """{key: number} of a tool's line."""
    return {key: float(value) for key, value in (pair.split("=") for pair in line.split())}


def start(cpus, command):
    """A tool that runs beside others; its line is read by `finish`."""
    return subprocess.Popen(pinned(cpus, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


def send(options, port):
    """Messages of 64 B at options.rate, until they are finished."""
    load = start(options.generator_cpus[:1], [
        options.loadgen, "--port", str(port), "--senders", "2", "--receivers", "2", "--size", "64",
        "--rate", str(options.rate), "--warmup", "1", "--until-eof", "--address", "load"])
    if load.stdout.readline() != "measuring\n":
        finish(load)
    return load


def finish(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(process.args)} ended with {process.returncode}")
    return figures(out.splitlines()[-1])


def kill(processes):
    """Those that are left when something failed."""
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def medians(rounds):
    return {key: median(rounds, key) for key in rounds[0]} if rounds else {}


def verdicts(row, limits):
    """Targets beside figures. `limits`: {key: (">=" or "<=", target)}."""
    words = []
    for key, (relation, target) in limits.items():
        if key in row:
            kept = row[key] <= target if relation == "<=" else row[key] >= target
            verdict = "kept" if kept else "MISSED"
            words.append(f"{key} {row[key]:.2f} {relation} {target:g} {verdict}")
    return words


def doubts(row):
    """What makes the figures of a row doubtful."""
    words = []
    if row["generator_cores"] > GENERATOR_LIMIT:
        words.append("the generator was the limit")
    for who in ("generator", "router"):
        if row.get(f"{who}_waited", 0) > WAIT_LIMIT:
            words.append(f"NOISY: {who} waited {row[f'{who}_waited']:.0%}")
    return words


class Table:
    """`columns`: (heading, width, digits, key). The first cell is the name, the last one notes."""

    def __init__(self, columns, name_width=38):
        self.columns, self.name_width = columns, name_width
        headings = (f"{heading:>{width}}" for heading, width, _, _ in columns)
        print(f"{'case':{name_width}}", *headings)

    def row(self, name, row, notes=()):
        cells = [f"{row[key]:{width}.{digits}f}" if key in row else f"{'-':>{width}}"
                 for _, width, digits, key in self.columns]
        print(f"{name:{self.name_width}}", *cells, " " + "; ".join(notes) if notes else "",
              flush=True)
