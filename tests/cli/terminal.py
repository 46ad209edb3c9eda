"""Runs commands as somebody at a terminal, and holds what is seen there against a file.

A file of golden/ is a session: a line "$ COMMAND" is run by bash, with trunkctl on the path, and
the lines behind it are what the terminal shows. "[status N]" follows a command that fails. What
differs from run to run is masked, digit by digit, so that columns stay where they are.
"""

import difflib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import harness

# Set by run.py.
TRUNKCTL = ""
UPDATE = False

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
COLUMNS = 120

# In this order; each digit (or hex digit) becomes one N.
VARIABLE = [
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    r"\b[0-9a-f]{16}\b",
    r"\b[0-9a-f]{64}\b",
    r"(?<=127\.0\.0\.1:)\d+",
    r"(?<=\bin )\d+(?=d\b)",  # days left, of which a second may be gone
    r"(?<=expires )\d{4}-\d\d-\d\d",
]


def masked(text, directory):
    text = text.replace(directory, "DIR")
    text = text.replace("\033", "\\e").replace("\r", "\\r")
    for pattern in VARIABLE:
        text = re.sub(pattern, lambda found: re.sub(r"[0-9a-f]", "N", found.group()), text)
    # Ages stand last in their lines, so their width moves nothing.
    text = re.sub(r"(?<=  )\d+[smhd]$", "Ns", text, flags=re.M)
    text = re.sub(r"\bup \d+[smhd]\b", "up Ns", text)
    text = re.sub(r"\b\d+\.\d{3}(?=/| ms|[,}])", "N.NNN", text)  # milliseconds
    text = re.sub(r"\d+ of \d+ are open", "N of N are open", text)  # descriptors
    return re.sub(r"(?<![\d.])\d+\.\d+\.\d+(?![\d.])", "N.N.N", text)


class Terminal:
    """A person at a terminal, beside a router."""

    def __init__(self, directory, **environment):
        self.directory = directory
        self.environment = {
            "HOME": directory, "TMPDIR": directory,
            "PATH": f"{os.path.dirname(TRUNKCTL)}:/usr/bin:/bin",
            "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **environment,
        }
        # A build with a sanitizer is told what to leave out.
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def start(self, command, columns=COLUMNS):
        """A command at work."""
        return Running(command, self.directory, self.environment, columns)

    def run(self, command, columns=COLUMNS, typed=""):
        """What is seen, and the exit status."""
        with self.start(command, columns) as running:
            if typed:
                running.type(typed)
            return running.end()

    def pipe(self, command, given=""):
        """Status, output and errors of a command in a script, where there is no terminal."""
        done = subprocess.run(["bash", "-c", command], cwd=self.directory, env=self.environment,
                              input=given, capture_output=True, text=True, check=False,
                              timeout=harness.PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def transcript(self, commands):
        parts = []
        for command in commands:
            screen, status = self.run(command)
            parts.append(f"$ {command}\n{masked(screen, self.directory)}")
            if status != 0:
                parts.append(f"[status {status}]\n")
        return "".join(parts)

    def check(self, test, name):
        """Runs the session of golden/NAME anew, and fails `test` where it is another."""
        path = os.path.join(GOLDEN, name)
        with open(path, encoding="utf-8") as file:
            wanted = file.read()
        commands = [line[2:] for line in wanted.splitlines() if line.startswith("$ ")]
        seen = self.transcript(commands)
        if UPDATE:
            with open(path, "w", encoding="utf-8") as file:
                file.write(seen)
            return
        if seen != wanted:
            difference = difflib.unified_diff(wanted.splitlines(), seen.splitlines(), path, "seen",
                                              lineterm="")
            test.fail("\n".join(difference))


class Running:
    """A command in a terminal of its own."""

    def __init__(self, command, directory, environment, columns):
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        # What is typed is not to be seen twice.
        mode = termios.tcgetattr(inside)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(inside, termios.TCSANOW, mode)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-c", command], cwd=directory, env=environment,
            stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal)

    def type(self, text):
        os.write(self._terminal, text.encode())

    def _read(self, deadline):
        """False: there will be no more."""
        ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing more is seen:\n{self.seen}")
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # EIO: the last of the programs has ended
            return False
        self.seen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def wait_for(self, pattern):
        """Until something is seen; returns all that has been."""
        deadline = time.monotonic() + harness.PATIENCE
        while not re.search(pattern, self.seen):
            if not self._read(deadline):
                raise AssertionError(f"ended without {pattern!r}:\n{self.seen}")
        return self.seen

    def end(self):
        deadline = time.monotonic() + harness.PATIENCE
        while self._read(deadline):
            pass
        return self.seen, self.process.wait(harness.PATIENCE)
