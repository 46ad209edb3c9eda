"""One cell of the matrix: a program runs a behaviour, and the runner plays the world around it."""

import os
import re
import signal
import subprocess
import threading
import time

from stage import IDLE_SECONDS, OwnRouter

# Longest wait for one cell; the programs give up a little earlier and say what they waited for.
PATIENCE = 120.0


class Failed(Exception):
    """What a cell did not show."""


class Program:
    """A client's process, its output gathered as it comes."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment)
        self.deadline = time.monotonic() + PATIENCE
        self._changed = threading.Condition()
        self._text = {"stdout": b"", "stderr": b""}
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True)
                         for name in self._text]
        for reader in self._readers:
            reader.start()

    def _read(self, name):
        pipe = getattr(self.process, name)
        while data := os.read(pipe.fileno(), 65536):
            with self._changed:
                self._text[name] += data
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def text(self, name="stdout"):
        return self._text[name].decode(errors="replace")

    def wait_for_line(self, line):
        with self._changed:
            while f"{line}\n" not in self.text():
                if not self._readers[0].is_alive() and f"{line}\n" not in self.text():
                    raise Failed(f"ends before it says {line}")
                if time.monotonic() > self.deadline:
                    raise Failed(f"does not say {line}")
                self._changed.wait(1.0)

    def tell(self, line):
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its status says why it has ended

    def result(self):
        """Waits for the end; returns what it printed."""
        try:
            self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failed(f"does not end; {self.complaint()}") from None
        for reader in self._readers:
            reader.join(5)
        if self.process.returncode != 0:
            raise Failed(f"status {self.process.returncode}: {self.complaint()}")
        return self.text()

    def complaint(self):
        said = self.text("stderr").strip() or self.text().strip() or "it said nothing"
        return said.split("\n")[-1][:300]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited in vain for {what}")
        threading.Event().wait(0.05)


def leave_alone(program, _):
    """Three time-outs without a message: only heartbeats can keep the connection open."""
    threading.Event().wait(3 * IDLE_SECONDS)
    program.tell("go")


def silence(program, own):
    """The process is stopped until the router has hung up, then reads what it was told."""
    program.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not own.is_connected(), "the end of the silent connection")
    program.process.send_signal(signal.SIGCONT)


def stop(_, own):
    own.router.terminate()


def restart(_, own):
    own.router.close()
    own.start()


ACTS = {act.__name__: act for act in (leave_alone, silence, stop, restart)}


def run(column, row, stage, environment, trace):
    """Raises Failed if the client does not show the row. With `trace` all it says is printed."""
    own = OwnRouter(row) if row.act else None
    peer = program = None
    try:
        url = own.url() if own else stage.url(row)
        address = f"{row.address}{row.name}/{column.name}"
        common = ["--url", url, "--address", address]
        if row.name in column.needs_peer:
            peer = Program([*column.peer, "answer", *common, "--outcome", row.name], environment)
            peer.wait_for_line("ready")
            common.append("--peer")
        program = Program([*column.command, row.behaviour, *common, *stage.arguments(row)],
                          environment)
        if own:
            program.wait_for_line("ready")
            ACTS[row.act](program, own)
        said = program.result()
        if not re.search(row.says, said):
            raise Failed(f"says {said.strip()[-200:]!r}, not {row.says}")
    finally:
        for process in (program, peer):
            if process:
                process.close()
                if trace:
                    print(process.text("stderr"), process.text(), flush=True)
        if own:
            own.router.close()
