"""What trunkctl tells as it happens, beside clients that work."""

import contextlib
import re
import signal
import unittest

from proton import Message

import harness
from harness import RouterTest
from terminal import Terminal


class Live(RouterTest):
    CONFIG = {"router": {"drain_timeout": "60s"}}

    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket())

    def trunkctl(self, command, status=0):
        ended, output, errors = self.terminal.pipe(f"trunkctl {command}")
        self.assertEqual(ended, status, output + errors)
        return output + errors

    def number_of(self, client):
        """Of a connection."""
        container = client.connection.container
        rows = self.trunkctl(f"get connections --no-headers --filter 'container = \"{container}\"'")
        self.assertEqual(len(rows.splitlines()), 1, rows)
        return rows.split()[0]

    def seen_while_sending(self, command, address):
        """What a command that ends by itself tells while messages are sent."""
        client = self.connect()
        client.receiver(address, credit=1_000_000)
        sender = client.sender(address)
        number = self.number_of(client)
        with self.terminal.start(command.format(number=number), columns=300) as running:

            def is_over():
                if sender.credit > 0:
                    sender.send(Message(body="sunny").encode())
                return running.process.poll() is not None

            self.world.wait(is_over, command)
            seen, status = running.end()
        self.assertEqual(status, 0, seen)
        # Without what is told of those that were above the rate.
        return number, [line for line in seen.splitlines() if not line.startswith("trunkctl: ")]

    def test_a_watch_goes_on_with_what_changes(self):
        with self.terminal.start("trunkctl get addresses -w --filter 'name:watched'") as watch, \
                self.terminal.start("trunkctl watch addresses -o json") as programs, \
                self.terminal.start("trunkctl events -w --limit 1") as events:
            programs.wait_for('"synced"')
            events.wait_for("T.*Z ")
            self.trunkctl("create address watched prefix=watched")
            self.trunkctl("create address other prefix=other")
            watch.wait_for("added +watched")
            self.trunkctl("set address watched distribution=multicast")
            watch.wait_for("modified +watched +watched +- +multicast")
            self.trunkctl("delete address watched")
            seen = watch.wait_for("deleted +watched")
            self.assertNotIn("other", seen)
            # Those that come later stand below the others.
            starts = {line.index("watched") for line in seen.splitlines()[1:]}
            self.assertEqual(len(starts), 1, seen)
            programs.wait_for('"deleted":{"name":"addresses/watched"')
            events.wait_for("resource.deleted addresses/watched: deleted over the API")
            watch.type("\x03")
            self.assertNotEqual(watch.end()[1], 0)

    def test_the_log_is_followed(self):
        self.trunkctl("create address before prefix=before")
        with self.terminal.start("trunkctl logs -f --limit 1 --module control", 300) as logs:
            logs.wait_for("addresses/before|resource=before")
            self.trunkctl("create address logged prefix=logged")
            seen = logs.wait_for("resource=\\S*logged.*\n")
            line = seen.splitlines()[-1]
            self.assertRegex(line, r'^\S+Z info control "api" .* identity=local ')
            self.assertNotIn("= ", line)  # nothing is told of what is empty

    def test_messages_are_tapped(self):
        number, lines = self.seen_while_sending(
            "trunkctl tap tapped/# --limit 2 --body-bytes 20", "tapped/a")
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, rf"Z tapped/a \d+ bytes from connections/{number}/links/\d+ "
                                   rf'to connections/{number}/links/\d+.* body=".*sunny')

    def test_frames_are_traced(self):
        number, lines = self.seen_while_sending("trunkctl trace {number} --limit 50", "traced")
        self.assertEqual(len(lines), 50)
        for line in lines:
            self.assertRegex(line, rf"Z connections/{number} (->|<-) 0 (@\w+\(\d+\)|\(empty\))")
        self.assertTrue(any("@transfer" in line for line in lines), lines)

    def test_rates_are_told(self):
        _, lines = self.seen_while_sending("trunkctl top --once", "busy")
        self.assertRegex(lines[0], r"^\d+ connections?, \d+ producers?, \d+ consumers?; busiest ")
        self.assertTrue(any(re.match(r"busy +\d", line) for line in lines), lines)

    def test_a_link_is_disabled_and_enabled(self):
        receiver = self.connect().receiver("paused")
        number = self.number_of(receiver.client)
        link = self.trunkctl(f"get links {number} --no-headers").split()[0]
        sender = self.connect().sender("paused")
        self.world.wait(lambda: sender.credit > 0, "credit")
        self.assertRegex(self.trunkctl(f"disable link {link}"), rf"^{link} disabled: .*, address "
                         "paused\n$")
        self.assertIn("disabled", self.trunkctl(f"get links {number} --no-headers").split())
        self.assertIn(link, self.trunkctl("get links --filter 'state = disabled'"))
        self.assertIn("goes to nobody: the links of all who receive from it are disabled",
                      self.trunkctl("explain address paused"))
        sender.send("x")
        self.world.barrier(receiver.client, sender.client)
        self.assertEqual(receiver.received, [])
        self.assertIn(f"{link} enabled: ", self.trunkctl(f"enable link {link}"))
        self.world.wait(lambda: receiver.received, "the message")
        self.assertIn("enabled", self.trunkctl(f"get links --filter 'name = \"{link}\"'"))
        self.trunkctl("disable link", status=2)
        self.trunkctl(f"disable link {number}", status=1)
        receiver.client.close()
        self.trunkctl(f"enable link {link}", status=3)

    def test_what_is_there_is_told_as_yaml(self):
        receiver = self.connect().receiver("told")
        self.world.barrier(receiver.client)
        number = self.number_of(receiver.client)
        for kind, line in (("connections", f"- name: connections/{number}"),
                           (f"links {number}", "  address: told"),
                           ("routes", "- name: routes/told"), ("listeners", "listeners:")):
            self.assertIn(line, self.trunkctl(f"get {kind} -o yaml").splitlines())
        path = "jsonpath={.peer_open.max_frame_size}"
        size = self.trunkctl(f"get connection connections/{number} -o {path}")
        self.assertRegex(size, r"^\d+\n$")

    def test_terminals_obey_no_names_of_others(self):
        client = self.connect()
        client.receiver("x\x1b]0;t\x07\nlisteners/y")
        self.world.barrier(client)
        mine = f"--filter 'address:\"listeners/y\"'"
        for form in ("name", "csv", "jsonpath=.address", "json", "yaml", "table"):
            seen, status = self.terminal.run(f"trunkctl get routes {mine} -o {form}")
            self.assertEqual(status, 0, seen)
            self.assertIn("listeners/y", seen)
            self.assertNotRegex(seen, r"[\x00-\x09\x0b-\x1f\x7f]")
        # Programs get what is there; but a name is a line.
        self.assertIn("x\x1b]0;t\x07\nlisteners/y", self.trunkctl(f"get routes {mine} -o csv"))
        self.assertEqual(self.trunkctl(f"get routes {mine} -o name"),
                         "routes/x?]0;t??listeners/y\n")

    def test_links_and_connections_are_closed(self):
        client = self.connect()
        receiver = client.receiver("closed")
        number = self.number_of(client)
        link = self.trunkctl(f"get links {number} --no-headers").split()[0]
        self.assertIn(", address closed", self.trunkctl(f"close link {link} --reason 'too slow'"))
        self.world.wait(lambda: receiver.detached is not None, "detach")
        self.assertIn("too slow", str(receiver.detached))
        self.trunkctl(f"close connection {number} --reason maintenance")
        self.world.wait(lambda: client.closed is not None, "close")
        self.assertIn("maintenance", str(client.closed))
        self.trunkctl(f"close link {link}", status=3)


class Restart(RouterTest):
    """A router that comes back: with its configuration file, and without what the API made."""

    CONFIG = {"router": {"id": "east"}}

    def setUp(self):
        super().setUp()
        self.terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket())

    def make(self, address):
        ended, output, errors = self.terminal.pipe(
            f"trunkctl create address {address} prefix={address}")
        self.assertEqual(ended, 0, output + errors)

    def end(self, how):
        self.router.process.send_signal(how)
        self.router.wait_for_exit()
        self.router.forget_log()

    def begin(self):
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])

    def test_who_watches_is_told_of_the_router_that_comes_back(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            with self.terminal.start("exec trunkctl get addresses -w") as people, \
                    self.terminal.start("exec trunkctl watch addresses -o json") as programs, \
                    self.terminal.start("exec trunkctl events -w", 200) as events:
                self.make("before")
                people.wait_for("added +before")
                programs.wait_for('"added".*addresses/before')
                events.wait_for("resource.created addresses/before")
                self.end(how)
                # They have noticed, and wait.
                for each in (people, programs, events):
                    each.wait_for("trunkctl: the router is away; trying again\n")
                self.begin()
                self.make("after")
                # A program sees where it begins anew, and that all has been told.
                programs.wait_for('"added".*addresses/after')
                programs.wait_for('(?s)"synced".*"synced"')
                people.wait_for("added +after")
                seen = events.wait_for("resource.created addresses/after")
                # None of what happened before they were back is left out, or told twice.
                self.assertEqual(seen.count("listener.up listeners/plain"), 2, seen)
                self.assertEqual(seen.count("resource.created addresses/before"), 1, seen)
                for each in (people, programs, events):
                    self.assertIn("what has happened meanwhile is not known; told anew", each.seen)
                    self.assertIsNone(each.process.poll())
                    each.type("\x03")
                    self.assertNotEqual(each.end()[1], 0)
            self.end(signal.SIGTERM)
            self.begin()

    def test_what_belongs_to_one_life_of_a_router_ends_with_it(self):
        commands = ("logs -f", "tap", "trace listeners/plain", "top")
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(self.terminal.start(f"trunkctl {command}"))
                       for command in commands]
            running[0].wait_for("Z info")
            running[3].wait_for("busiest")
            for what in ('"messages are looked at"', '"frames are looked at"'):
                self.router.wait_for_line(lambda line, what=what: what in line, what)
            self.end(signal.SIGTERM)
            for each in running:
                seen, status = each.end()
                self.assertIn("trunkctl: the router is stopping (STOPPING)\n", seen)
                self.assertEqual(status, 6, seen)
            self.begin()

    def test_there_must_be_a_router_at_first(self):
        self.end(signal.SIGTERM)
        for command in ("get addresses -w", "events -w", "logs -f", "top"):
            ended, output, errors = self.terminal.pipe(f"trunkctl {command}")
            self.assertEqual((ended, output), (6, ""), errors)
            self.assertIn("no answer from", errors)
        self.begin()


class Drain(RouterTest):
    CONFIG = {"router": {"drain_timeout": "60s"}}

    def test_a_drain_has_a_time_of_its_own_and_says_what_was_given_up(self):
        terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket())
        client = self.connect()
        receiver = client.receiver("kept", outcome=None)
        sender = client.sender("kept")
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send(b"kept")
        self.world.wait(lambda: receiver.received, "message")
        with terminal.start("trunkctl drain --timeout 1s") as running:
            self.world.wait(lambda: running.process.poll() is not None, "drain")
            seen, status = running.end()
        self.assertIn("draining: 1 connection, 1 message unsettled", seen)
        self.assertTrue(seen.endswith("time is up: 1 message given up\n"), seen)
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
