"""trunkd as a process, as users' scripts see it: process_test.py TRUNKD SAMPLES [TEST...]"""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TRUNKD = SAMPLES = None
LISTENER = "listeners:\n  - {name: amqp, host: 127.0.0.1, port: %s}\n"
DEADLINE = 20  # seconds until a step counts as failed


class Trunkd:
    """A running trunkd; its log is read line by line as it comes."""

    def __init__(self, *arguments, env=None):
        self.lines = []
        self.process = subprocess.Popen([TRUNKD, *arguments], stderr=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(env or {})))

    def until(self, pattern):
        """The first line from here on that holds the pattern."""
        signal.alarm(DEADLINE)
        try:
            for line in self.process.stderr:
                self.lines.append(line)
                found = re.search(pattern, line)
                if found:
                    return found
        finally:
            signal.alarm(0)
        raise AssertionError(f"no {pattern!r} in:\n{''.join(self.lines)}")

    def end(self, *signals):
        for each in signals:
            self.process.send_signal(each)
        try:
            rest = self.process.communicate(timeout=DEADLINE)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self.lines += rest.splitlines(True)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.process.stderr.close()


HEADER = b"AMQP\x03\x01\x00\x00"


def connect(port):
    """A SASL header there and back proves that somebody serves the port."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=DEADLINE) as s:
        s.sendall(HEADER)
        return s.recv(8)


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text, name="trunkline.yaml"):
        file = self.folder / name
        file.write_text(text)
        return str(file)

    def run_trunkd(self, *arguments):
        return subprocess.run([TRUNKD, *arguments], capture_output=True, text=True,
                              timeout=DEADLINE, cwd=self.folder)

    def start(self, *arguments, env=None):
        trunkd = Trunkd(*arguments, env=env)
        self.addCleanup(trunkd.close)
        return trunkd

    def certificate(self, name="tls", ca=True):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                        "-days", "30", "-keyout", f"{name}.key", "-out", f"{name}.crt"],
                       cwd=self.folder, check=True, capture_output=True)
        if ca:
            shutil.copy(self.folder / f"{name}.crt", self.folder / "ca.crt")

    # --- command line

    def test_version_is_alone_on_a_line(self):
        for option in ("-v", "--version"):
            result = self.run_trunkd(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, r"\A\d+\.\d+\.\d+\n\Z")

    def test_help_goes_to_stdout(self):
        result = self.run_trunkd("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--check-config FILE", result.stdout)

    def test_unknown_options_are_told_in_one_line(self):
        for arguments, error in ((["--nonsense"], 'unknown option "--nonsense"'),
                                 (["stray"], 'stray argument "stray"'),
                                 (["--config"], "--config: no value")):
            result = self.run_trunkd(*arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertEqual(result.stderr, f"trunkd: {error}; see trunkd --help\n")

    def users(self):
        """What the samples and README.md name: users and a password."""
        (self.folder / "users").mkdir()
        for secret in ("users/admin", "broker.password", "qdrouterd.sasldb"):
            (self.folder / secret).write_text("sesame\n")
            (self.folder / secret).chmod(0o600)
        (self.folder / "access.yaml").write_text("admin: ['cn:root']\n")

    def test_every_sample_is_good(self):
        self.certificate()
        self.users()
        (self.folder / "sasl2").mkdir()
        names = [sample.relative_to(SAMPLES) for pattern in ("*.yaml", "**/*.conf")
                 for sample in sorted(pathlib.Path(SAMPLES).glob(pattern))]
        self.assertGreaterEqual(len(names), 8)
        for name in names:
            text = (pathlib.Path(SAMPLES) / name).read_text()
            self.write(text.replace("/etc/trunkline", str(self.folder)), name)
        for name in names:
            if name.parent.name:  # read by another one
                continue
            result = self.run_trunkd("--check-config", str(name))
            self.assertEqual((result.returncode, result.stderr), (0, ""), name)

    def test_the_configuration_in_the_readme_is_good(self):
        self.certificate()
        self.users()
        readme = (pathlib.Path(SAMPLES).parents[2] / "README.md").read_text()
        examples = re.findall(r"^```yaml\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
        self.assertGreaterEqual(len(examples), 1)
        for example in examples:
            result = self.run_trunkd("--check-config", self.write(example))
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_bad_configuration_is_told_with_its_place(self):
        file = self.write("listeners:\n  - name: amqp\n    prot: 5672\n")
        for option in ("--check-config", "--config"):
            result = self.run_trunkd(option, file)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "")
            self.assertEqual(result.stderr, f"{file}:3:5: listeners[amqp].prot: unknown key; "
                                            'did you mean "port"?\n')

    def test_a_missing_configuration_is_told(self):
        result = self.run_trunkd("--config", "missing.yaml")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "missing.yaml: No such file or directory\n")

    def test_bad_certificates_are_told_with_their_place(self):
        self.certificate()
        self.certificate("other", ca=False)
        file = self.write("tls_profiles:\n  - name: service\n    certificate_file: tls.crt\n"
                          "    private_key_file: other.key\n")
        result = self.run_trunkd("--check-config", file)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr,
                         f"^{file}:4:23: tls_profiles\\[service\\].private_key_file: the private "
                         "key in .*other.key does not belong to the certificate in .*tls.crt "
                         r"\(CN=.*\)\n$")

    def test_a_configuration_that_serves_nobody_is_warned_of(self):
        for text in ("listeners: []\n", "router: {id: a}\n"):
            result = self.run_trunkd("--check-config", self.write(text))
            self.assertEqual(result.returncode, 0)
            self.assertIn("neither listeners nor connectors", result.stderr)

    def test_an_open_key_is_warned_of(self):
        self.certificate()
        os.chmod(self.folder / "tls.key", 0o644)
        file = self.write("tls_profiles:\n  - name: service\n    certificate_file: tls.crt\n"
                          "    private_key_file: tls.key\n")
        result = self.run_trunkd("--check-config", file)
        self.assertEqual(result.returncode, 0)
        self.assertIn("is readable by every user", result.stderr)

    # --- life

    def test_serves_and_ends_with_zero_on_each_stop_signal(self):
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            trunkd = self.start("--config", self.write(LISTENER % 0))
            port = trunkd.until(r"ready.*listening=127\.0\.0\.1:(\d+)")[1]
            self.assertEqual(connect(port), HEADER)
            self.assertEqual(trunkd.end(each), 0, "".join(trunkd.lines))
            self.assertIn('"stopped"', trunkd.lines[-1])

    def test_a_second_signal_ends_a_drain(self):
        trunkd = self.start("-c", self.write(LISTENER % 0 + "router: {drain_timeout: 1h}\n"))
        port = trunkd.until(r"ready.*listening=127\.0\.0\.1:(\d+)")[1]
        with socket.create_connection(("127.0.0.1", int(port))) as client:
            client.sendall(HEADER)
            client.recv(8)
            trunkd.process.send_signal(signal.SIGTERM)
            trunkd.until("draining")
            self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_taken_port_is_told_and_ends_with_one(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            trunkd = self.start("--config", self.write(LISTENER % port))
            self.assertEqual(trunkd.end(), 1)
        log = "".join(trunkd.lines)
        self.assertIn("listeners[amqp]: cannot listen on", log)
        self.assertIn(f"127.0.0.1:{port}", log)

    def test_log_format_and_levels(self):
        file = self.write(LISTENER % 0 + "log: {format: json, levels: {net: error}}\n")
        trunkd = self.start("--config", file)
        trunkd.until('"ready"')
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)
        records = [json.loads(line) for line in trunkd.lines]
        self.assertEqual({r["module"] for r in records} & {"net"}, set())
        self.assertIn("ready", {r["message"] for r in records})
        quiet = self.start("--config", file, "--log-level", "error", "--log-format", "text",
                           env={"NOTIFY_SOCKET": self.manager().getsockname()})
        self.ready()
        self.assertEqual(quiet.end(signal.SIGTERM), 0)
        self.assertEqual(quiet.lines, [])

    # --- a log file

    def lines_of(self, name, pattern):
        """Of a log file, once there is one that holds the pattern."""
        limit = time.monotonic() + DEADLINE
        while True:
            file = self.folder / name
            lines = file.read_text().splitlines() if file.exists() else []
            if any(re.search(pattern, line) for line in lines):
                return lines
            self.assertLess(time.monotonic(), limit, f"no {pattern!r} in {name}: {lines}")
            select.select([], [], [], 0.01)

    def test_the_log_goes_to_a_file_that_is_opened_again(self):
        config = self.write("log: {file: one.log}\nrouter: {id: r}\n")
        trunkd = self.start("--config", config)
        self.lines_of("one.log", '"ready"')
        self.assertEqual((self.folder / "one.log").stat().st_mode & 0o027, 0)
        (self.folder / "one.log").rename(self.folder / "one.log.1")
        trunkd.process.send_signal(signal.SIGHUP)
        self.lines_of("one.log", "reloaded")
        self.assertIn('"ready"', "".join(self.lines_of("one.log.1", '"ready"')))
        # To another; one that cannot be opened is told there; and back to standard error.
        self.write("log: {file: other.log}\nrouter: {id: r}\n")
        self.lines_of("other.log", "reloaded")
        self.write("log: {file: missing/one.log}\nrouter: {id: r}\n")
        self.lines_of("other.log", "the log stays where it was.*missing/one.log: No such file")
        self.write("router: {id: r}\n")
        trunkd.until('"reloaded"')
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_log_file_that_cannot_be_opened_is_told(self):
        os.mkfifo(self.folder / "fifo")
        for name, why in ((".", "Is a directory"), ("fifo", "No such device or address"),
                          ("missing/x.log", "No such file or directory")):
            told = self.run_trunkd("--config", self.write(f"log: {{file: {name}}}\n"))
            self.assertEqual(told.returncode, 1)
            self.assertRegex(told.stderr, rf"^trunkd: log\.file: .*{name}: {why}\n$")

    # --- the service manager

    def manager(self):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.settimeout(DEADLINE)
        self.notify.bind(str(self.folder / "notify"))
        return self.notify

    def ready(self):
        while self.notify.recv(4096) != b"READY=1":
            pass

    def test_the_service_manager_is_told(self):
        trunkd = self.start("--config", self.write(LISTENER % 0),
                            env={"NOTIFY_SOCKET": self.manager().getsockname()})
        self.assertEqual(self.notify.recv(4096), b"READY=1")
        self.assertEqual(self.notify.recv(4096), b"STATUS=1 listener, 0 connections")
        trunkd.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.notify.recv(4096), b"RELOADING=1")
        self.assertEqual(self.notify.recv(4096), b"READY=1")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)
        self.assertEqual(self.notify.recv(4096), b"STOPPING=1\nSTATUS=draining\n"
                                                 b"EXTEND_TIMEOUT_USEC=40000000")

    def test_the_service_manager_waits_for_a_long_drain(self):
        trunkd = self.start("--config", self.write(LISTENER % 0 + "router: {drain_timeout: 1h}\n"),
                            env={"NOTIFY_SOCKET": self.manager().getsockname()})
        self.ready()
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)
        while not (told := self.notify.recv(4096)).startswith(b"STOPPING=1"):
            pass
        self.assertIn(b"EXTEND_TIMEOUT_USEC=3610000000", told)

    # --- reload

    def test_a_reload_adds_and_removes_listeners(self):
        file = self.write(LISTENER % 0)
        trunkd = self.start("--config", file)
        first = trunkd.until(r'"listening".*address=127\.0\.0\.1:(\d+)')[1]
        trunkd.until("ready")
        self.write(LISTENER.replace("amqp", "other") % 0)
        trunkd.process.send_signal(signal.SIGHUP)
        second = trunkd.until(r'"listening" listener=other address=127\.0\.0\.1:(\d+)')[1]
        trunkd.until("reloaded")
        self.assertEqual(connect(second), HEADER)
        with self.assertRaises(OSError):
            connect(first)
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_bad_file_changes_nothing(self):
        file = self.write(LISTENER % 0)
        trunkd = self.start("--config", file)
        port = trunkd.until(r"ready.*listening=127\.0\.0\.1:(\d+)")[1]
        self.write("listeners: [{name: other, port: x}]\n")
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until(r'listeners\[other\]\.port: .*is not a whole number')
        trunkd.until("not reloaded")
        self.write("")  # as it is while somebody copies another one in place
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("holds nothing")
        trunkd.until("not reloaded")
        os.remove(file)
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("No such file")
        trunkd.until("not reloaded")
        self.assertEqual(connect(port), HEADER)
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_file_that_cannot_be_applied_changes_nothing(self):
        file = self.write(LISTENER % 0)
        trunkd = self.start("--config", file)
        port = trunkd.until(r"ready.*listening=127\.0\.0\.1:(\d+)")[1]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.write(LISTENER % taken.getsockname()[1])
            trunkd.process.send_signal(signal.SIGHUP)
            trunkd.until("listeners/amqp: cannot listen on .*: Address already in use")
            trunkd.until("not reloaded")
            self.assertEqual(connect(port), HEADER)
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("reloaded.*changed=1")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_new_certificates_come_into_force_by_a_reload(self):
        self.certificate()
        file = self.write("tls_profiles:\n  - {name: service, certificate_file: tls.crt, "
                          "private_key_file: tls.key}\nlisteners:\n  - {name: amqps, "
                          "host: 127.0.0.1, port: 0, tls_profile: service}\n")
        trunkd = self.start("--config", file)
        first = trunkd.until(r"certificate in force.*sha256=(\w+)")[1]
        trunkd.until("ready")
        self.certificate()
        trunkd.process.send_signal(signal.SIGHUP)
        self.assertNotEqual(trunkd.until(r"certificate in force.*sha256=(\w+)")[1], first)
        trunkd.until("reloaded")
        (self.folder / "tls.crt").write_text("garbage")
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until(r"tls_profiles\[service\]\.certificate_file: ")
        trunkd.until("not reloaded")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_authorities_of_an_expired_certificate_are_reloaded(self):
        self.certificate()
        subprocess.run(["openssl", "x509", "-in", "tls.crt", "-signkey", "tls.key", "-days", "-1",
                        "-out", "old.crt"], cwd=self.folder, check=True, capture_output=True)
        file = self.write("tls_profiles:\n  - {name: service, certificate_file: old.crt, "
                          "private_key_file: tls.key, ca_file: ca.crt}\nlisteners:\n  - "
                          "{name: amqps, host: 127.0.0.1, port: 0, tls_profile: service}\n")
        trunkd = self.start("--config", file)
        trunkd.until("ready")
        self.certificate("other")
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until('"reloaded"')
        self.certificate()
        subprocess.run(["openssl", "x509", "-in", "tls.crt", "-signkey", "tls.key", "-days", "-1",
                        "-out", "old.crt"], cwd=self.folder, check=True, capture_output=True)
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("not reloaded")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_core_dumps_are_warned_of_and_need_a_restart(self):
        file = self.write(LISTENER % 0)
        trunkd = self.start("--config", file)
        trunkd.until("ready")
        self.write(LISTENER % 0 + "router: {core_dumps: true}\n")
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until(r"yaml:3:22: router\.core_dumps: .*passwords")
        trunkd.until("router section need a restart")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    # --- watched files

    def test_a_file_that_is_written_or_replaced_is_read_by_itself(self):
        file = self.write(LISTENER % 0)
        trunkd = self.start("--config", file)
        trunkd.until("ready")
        self.write(LISTENER.replace("amqp", "written") % 0)
        trunkd.until("configuration file has changed")
        trunkd.until('"listening" listener=written ')
        trunkd.until("reloaded.*changed=2")
        os.rename(self.write(LISTENER.replace("amqp", "renamed") % 0, "new.yaml"), file)
        port = trunkd.until(r'"listening" listener=renamed address=127\.0\.0\.1:(\d+)')[1]
        trunkd.until("reloaded.*changed=2")
        self.assertEqual(connect(port), HEADER)
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_new_version_of_a_config_map_is_read_by_itself(self):
        for version, name in (("..1", "amqp"), ("..2", "second")):
            (self.folder / version).mkdir()
            self.write(LISTENER.replace("amqp", name) % 0, f"{version}/trunkline.yaml")
        os.symlink("..1", self.folder / "..data")
        os.symlink("..data/trunkline.yaml", self.folder / "trunkline.yaml")
        trunkd = self.start("--config", str(self.folder / "trunkline.yaml"))
        trunkd.until("ready")
        os.symlink("..2", self.folder / "..next")
        os.rename(self.folder / "..next", self.folder / "..data")
        trunkd.until('"listening" listener=second ')
        trunkd.until("reloaded")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_bad_file_is_told_once(self):
        (self.folder / "users").mkdir()
        (self.folder / "users" / "a").write_text("sesame")
        users = "user_stores: [{name: all, directory: users}]\n"
        file = self.write(LISTENER % 0 + users)
        trunkd = self.start("--config", file)
        port = trunkd.until(r"ready.*listening=127\.0\.0\.1:(\d+)")[1]
        self.write(LISTENER % "x")
        trunkd.until(r"trunkline\.yaml:2:41: listeners\[amqp\]\.port: .*is not a whole number")
        trunkd.until("not reloaded")
        self.look_twice(trunkd)
        self.assertEqual("".join(trunkd.lines).count("not reloaded"), 1)
        self.assertEqual(connect(port), HEADER)
        self.write(LISTENER % 0 + users)
        trunkd.until("reloaded.*changed=0")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_a_qdrouterd_conf_is_watched_too(self):
        text = "router {\n  mode: standalone\n}\nlistener {\n  name: %s\n  host: 127.0.0.1\n" \
               "  port: 0\n  saslMechanisms: ANONYMOUS\n}\n"
        trunkd = self.start("--config", self.write(text % "one", "qdrouterd.conf"))
        trunkd.until("ready")
        self.write(text % "two", "qdrouterd.conf")
        trunkd.until('"listening" listener=two ')
        trunkd.until("reloaded")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def test_watching_can_be_switched_off(self):
        (self.folder / "users").mkdir()
        (self.folder / "users" / "a").write_text("sesame")
        text = LISTENER + "user_stores: [{name: all, directory: users}]\n" \
                          "router: {watch_config: %s}\n"
        trunkd = self.start("--config", self.write(text % (0, "false")))
        trunkd.until("ready")
        self.write(text.replace("amqp", "other") % (0, "true"))
        self.look_twice(trunkd)
        self.assertNotIn("has changed", "".join(trunkd.lines))
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("reloaded.*changed=2")
        self.write(text % (0, "true"))
        trunkd.until("reloaded.*changed=2")  # switched on again
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)

    def look_twice(self, trunkd):
        """Returns when files have been looked at twice more: so often were the users."""
        for password in ("one", "two more"):
            (self.folder / "users" / "a").write_text(password)
            trunkd.until("users in force")

    def test_without_a_file_a_reload_does_nothing(self):
        # Port 5672 may be taken on this machine; then trunkd says so, and that is tested above.
        try:
            socket.create_server(("127.0.0.1", 5672)).close()
        except OSError:
            self.skipTest("127.0.0.1:5672 is taken")
        trunkd = self.start()
        trunkd.until(r"serving clients of this machine.*amqp://127\.0\.0\.1:5672")
        self.assertEqual(connect(5672), HEADER)
        trunkd.process.send_signal(signal.SIGHUP)
        trunkd.until("nothing to reload")
        self.assertEqual(trunkd.end(signal.SIGTERM), 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    TRUNKD, SAMPLES = (str(pathlib.Path(a).resolve()) for a in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
