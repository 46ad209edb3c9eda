"""send, receive, ping and bench: AMQP clients of their own, against the real trunkd."""

import json
import os
import re
import socket
import unittest

from clients import ACCEPTED, RELEASED, REJECTED, World
from harness import Certificates, Router
from proton import Condition
from terminal import Terminal


class Traffic(unittest.TestCase):
    """What is common: a router, and commands against it."""

    LISTENERS = {"plain": {}}
    CONFIG = {}

    @classmethod
    def setUpClass(cls):
        cls.router = Router(cls.LISTENERS, addresses=[
            {"name": "gone", "prefix": "gone", "distribution": "unavailable"}], **cls.CONFIG)
        cls.addClassCleanup(cls.router.close)

    def setUp(self):
        self.terminal = Terminal(self.router.directory, TRUNKLINE_ENDPOINT=self.router.socket(),
                                 TRUNKLINE_AMQP_URL=self.router.url())
        self.address = self.id().rsplit(".", 1)[-1]

    def ends(self, status, command, given=""):
        """Output and errors of a command that ends so."""
        ended, output, errors = self.terminal.pipe(f"trunkctl {command}", given)
        self.assertEqual(ended, status, output + errors)
        return output, errors

    def good(self, command, given=""):
        output, errors = self.ends(0, command, given)
        self.assertEqual(errors, "")
        return output

    def beside(self, **receiver):
        """Somebody else who consumes the test's address, and the world he lives in."""
        world = World()
        self.addCleanup(world.close)
        return world, world.connect(self.router.url()).receiver(self.address, **receiver)

    def seen(self, command, world):
        """What a terminal shows of a command that ends while others do their work; its status."""
        with self.terminal.start(f"trunkctl {command}") as running:
            world.wait(lambda: running.process.poll() is not None, command)
            return running.end()

    def file(self, name, content):
        path = os.path.join(self.router.directory, name)
        with open(path, "w" if isinstance(content, str) else "wb") as file:
            file.write(content)
        return path


class SendAndReceive(Traffic):
    def test_what_is_sent_is_received(self):
        # The sender waits for the receiver: there is credit only then.
        with self.terminal.start(f"trunkctl receive {self.address} -n 5") as receiver:
            sent = self.good(f"send {self.address} --body hello --count 2")
            self.assertEqual(sent, "2 messages sent: 2 accepted\n")
            sent = self.good(f"send {self.address} -o json", "one\n\nlast")
            self.assertEqual(json.loads(sent), {
                "sent": 3, "accepted": 3, "rejected": 0, "released": 0, "modified": 0,
                "unknown": 0, "unsettled": 0})
            self.assertEqual(receiver.end(), ("hello\nhello\none\n\nlast\n", 0))

    def test_lines_may_be_typed(self):
        with self.terminal.start(f"trunkctl receive {self.address} -n 1") as receiver, \
                self.terminal.start(f"trunkctl send {self.address}") as sender:
            sender.wait_for("each line is a message; Ctrl-D ends\n")
            sender.type("hello\n\x04")
            self.assertTrue(sender.end()[0].endswith("\n1 message sent: 1 accepted\n"))
            self.assertEqual(receiver.end(), ("hello\n", 0))

    def test_messages_have_what_the_options_say(self):
        binary = self.file("body", b"\xff\x00")
        with self.terminal.start(f"trunkctl receive {self.address} -n 2 -o json") as receiver:
            self.good(f"send {self.address} --body 'a \"b\"' --subject s --ttl 1m --durable "
                      f"-p k=v -p n==1")
            self.good(f"send {self.address} --body-file {binary} --settled")
            lines, status = receiver.end()
        self.assertEqual(status, 0)
        first, second = [json.loads(line) for line in lines.splitlines()]
        self.assertLessEqual(first.pop("ttl_ms"), 60000)
        self.assertEqual(first, {"subject": "s", "durable": True, "body": 'a "b"',
                                 "properties": {"k": "v", "n": "=1"}})
        self.assertEqual(second, {"body_base64": "/wA="})

    def test_a_table_has_subjects_and_properties(self):
        with self.terminal.start(f"trunkctl receive {self.address} -n 1 -o table") as receiver:
            self.good(f"send {self.address} --body hello --subject s -p k=v")
            self.assertEqual(receiver.end(), ("SUBJECT  PROPERTIES  BODY\n"
                                              "s        k=v         hello\n", 0))

    def test_a_terminal_does_not_obey_messages(self):
        with self.terminal.start(f"trunkctl receive {self.address} -n 1") as receiver:
            self.good(f"send {self.address} --body $'a\\033[2Jb'")
            self.assertEqual(receiver.end(), ("a?[2Jb\n", 0))

    def test_what_cannot_be_printed_is_left_to_others(self):
        with self.terminal.start(f"trunkctl receive {self.address} > /dev/full") as full, \
                self.terminal.start(f"trunkctl send {self.address} --body x") as sender:
            seen, status = full.end()
            self.assertIn("standard output cannot be written: No space left", seen)
            self.assertEqual(status, 1)
            self.assertNotIn("1 accepted", sender.end()[0])

    def test_no_more_is_taken_than_asked_for(self):
        world = World()
        self.addCleanup(world.close)
        with self.terminal.start(f"trunkctl receive {self.address} -n 1") as receiver:
            sender = world.connect(self.router.url()).sender(self.address)
            world.wait(lambda: sender.credit > 1, "credit")
            sender.send("x")
            sender.send("y")
            world.wait(lambda: len(sender.outcomes) == 2, "outcomes")
            self.assertEqual(sender.states, [ACCEPTED, RELEASED])
            self.assertEqual(receiver.end(), ("x\n", 0))

    def test_rejected_is_told_with_the_reason(self):
        world, receiver = self.beside(outcome=None)
        with self.terminal.start(f"trunkctl send {self.address} --body x -n 3") as sender:
            world.wait(lambda: len(receiver.received) == 3, "messages")
            for received in receiver.received[:2]:
                received.settle(REJECTED, condition=Condition("shop:sold-out", "no apples"))
            receiver.received[2].settle(ACCEPTED)
            world.wait(lambda: sender.process.poll() is not None, "the end")
            self.assertEqual(sender.end(), (
                "rejected: no apples (shop:sold-out)\n"
                "3 messages sent: 1 accepted, 2 rejected\n"
                "trunkctl: 2 of 3 messages not accepted\n", 1))

    def test_released_is_no_success(self):
        world, _ = self.beside(outcome=RELEASED)
        seen, status = self.seen(f"send {self.address} --body x", world)
        self.assertEqual(status, 1)
        self.assertIn("1 message sent: 1 released\n", seen)

    def test_no_outcome_in_time(self):
        world, _ = self.beside(outcome=None)
        seen, status = self.seen(f"send {self.address} --body x --timeout 2s", world)
        self.assertEqual(status, 1)
        self.assertIn("1 message sent: 1 unsettled\ntrunkctl: no outcome of 1 message", seen)

    def test_nobody_to_take_it(self):
        output, errors = self.ends(1, f"send {self.address} --body x --timeout 300ms")
        self.assertEqual(output, "")
        self.assertIn("no credit", errors)

    def test_silence_ends_a_receiver(self):
        self.assertEqual(self.good(f"receive {self.address} --timeout 100ms"), "")
        _, errors = self.ends(1, f"receive {self.address} -n 1 --timeout 100ms")
        self.assertIn("0 of 1 message came", errors)

    def test_interrupted_in_order(self):
        with self.terminal.start(f"exec trunkctl receive {self.address}") as receiver:
            self.good(f"send {self.address} --body seen")
            receiver.wait_for("seen")
            receiver.type("\x03")
            self.assertEqual(receiver.end()[1], 0)
        # It has closed its link: nobody is there.
        _, errors = self.ends(1, f"send {self.address} --body x --timeout 100ms")
        self.assertIn("no credit", errors)

    def test_rate_is_not_exceeded(self):
        # Eleven at twenty per second: the last is due after half a second.
        command = (f"trunkctl receive {self.address} -n 11 > /dev/null & "
                   f"time -p trunkctl send {self.address} --body x -n 11 --rate 20; wait")
        status, output, errors = self.terminal.pipe(command)
        self.assertEqual((status, output), (0, "11 messages sent: 11 accepted\n"))
        self.assertGreaterEqual(float(re.search(r"real ([\d.]+)", errors).group(1)), 0.5)

    def test_an_address_that_is_not_served(self):
        for command in ("send gone --body x", "receive gone", "bench gone", "ping gone"):
            _, errors = self.ends(3, command)
            self.assertIn("amqp:not-found", errors)

    def test_unreachable(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            url = f"--url amqp://127.0.0.1:{port}"
            _, errors = self.ends(6, f"send x --body x {url} --timeout 1s")
            self.assertIn(f"no answer from amqp://127.0.0.1:{port}", errors)
        for command in ("send x --body x", "receive x", "ping", "bench x"):
            _, errors = self.ends(6, f"{command} {url}")
            self.assertIn("Connection refused", errors)

    def test_usage(self):
        for wrong in ("send", "send a b", "send a --count 0 --body x", "send a --body x --rate x",
                      "send a --body x --body-file y", "send a --body x -p novalue",
                      "send a --body x --url http://x", "receive", "receive a -o xml",
                      "receive a --credit 0", "ping a b", "ping --answer", "bench",
                      "bench a --size 15", "bench a --connections 101",
                      "send a --body x --url amqp://u:secret@h", "send a --body x --user u"):
            _, errors = self.ends(2, wrong)
            self.assertNotIn("secret", errors)

    def test_help_says_how_one_can_log_in(self):
        for command in ("send", "receive", "ping", "bench"):
            self.assertRegex(self.good(f"{command} --help"), r"SASL mechanisms here: .*PLAIN")


class Pings(Traffic):
    def test_the_router_itself(self):
        seen = self.good("ping --count 3 --interval 10ms")
        self.assertRegex(seen, r"(?s)^PING amqp://.*\n1: [\d.]+ ms\n2: .*3: [\d.]+ ms\n"
                               r"3 sent, 3 answered; min/avg/max [\d./]+ ms\n$")

    def test_who_answers(self):
        with self.terminal.start(f"exec trunkctl ping {self.address} --answer") as service:
            told = json.loads(self.good(f"ping {self.address} -n 5 --interval 10ms -o json"))
            self.assertEqual((told["sent"], told["answered"]), (5, 5))
            self.assertLessEqual(told["min_ms"], told["avg_ms"])
            self.assertLessEqual(told["avg_ms"], told["max_ms"])
            service.type("\x03")
            self.assertEqual(service.end()[1], 0)
            self.assertIn("5 answered", service.seen)

    def test_nobody_answers(self):
        seen, errors = self.ends(1, f"ping {self.address} -n 2 --interval 10ms --timeout 100ms")
        self.assertEqual(seen, f"PING {self.address}\n1: nobody takes it\n2: nobody takes it\n"
                               "2 sent, 0 answered\n")
        self.assertIn("no answer", errors)

    def test_taken_but_not_answered(self):
        world, _ = self.beside()
        seen, status = self.seen(f"ping {self.address} -n 1 --timeout 2s", world)
        self.assertEqual(status, 1)
        self.assertIn("1: no answer\n", seen)

    def test_not_taken(self):
        for outcome, text in ((REJECTED, "rejected: "), (RELEASED, "not taken")):
            world, receiver = self.beside(outcome=outcome)
            seen, status = self.seen(f"ping {self.address} -n 1", world)
            self.assertEqual(status, 1)
            self.assertIn(f"1: {text}", seen)
            receiver.client.close()

    def test_interrupted_it_says_how_it_was(self):
        with self.terminal.start("exec trunkctl ping --interval 10ms") as ping:
            ping.wait_for("3: ")
            ping.type("\x03")
            self.assertRegex(ping.end()[0], r"sent, \d+ answered")
            self.assertEqual(ping.process.returncode, 0)


class Benches(Traffic):
    def test_counts(self):
        told = json.loads(self.good(f"bench {self.address} -n 1000 --connections 3 -o json"))
        self.assertEqual([told[name] for name in
                          ("connections", "size", "sent", "received", "accepted", "not_accepted")],
                         [3, 100, 1000, 1000, 1000, 0])
        self.assertGreater(told["received_per_second"], 0)
        self.assertLessEqual(told["p50_ms"], told["p99_ms"])
        self.assertLessEqual(told["p999_ms"], told["max_ms"])

    def test_for_a_while(self):
        told = json.loads(self.good(f"bench {self.address} --duration 1s --rate 200 -o json"))
        # It may be late on a busy machine, and never early.
        self.assertGreater(told["sent"], 0)
        self.assertLessEqual(told["sent"], 201)
        self.assertEqual(told["sent"], told["received"])

    def test_as_people_see_it(self):
        for settled, outcomes in (("", "10 accepted, 0 not"), (" --settled", "none: sent settled")):
            seen, status = self.terminal.run(
                f"trunkctl bench {self.address} -n 10 --size 5000{settled}")
            self.assertEqual(status, 0, seen)
            self.assertRegex(seen, r"1 connection, 5000 bytes in each message\n")
            self.assertRegex(seen, r"Received +10 messages, \d+/s, [\d.]+ MB/s\n")
            self.assertIn(outcomes, seen)
            self.assertRegex(seen, r"Latency +p50 [\d.]+ ms, p99 ")

    def test_messages_of_others_stay_theirs(self):
        with self.terminal.start(f"trunkctl send {self.address} --body theirs") as sender:
            _, errors = self.ends(1, f"bench {self.address} --rate 1")
            self.assertIn("others send to this address", errors)
            seen, _ = sender.end()
            self.assertIn("1 released", seen)


class Logins(Traffic):
    """Users with passwords, over TLS."""

    @classmethod
    def setUpClass(cls):
        cls.certificates = certificates = Certificates()
        cls.addClassCleanup(certificates.close)
        cert, key = certificates.issue("server", "/CN=localhost", "DNS:localhost")
        certificates.issue("client", "/CN=client")
        certificates.authority("other-ca")
        users = certificates.path("users")
        os.mkdir(users)
        with open(os.path.join(users, "alice"), "w", encoding="ascii") as file:
            file.write("geheim")
        cls.LISTENERS = {
            "plain": {},
            "users": {"tls_profile": "server", "user_store": "clients", "require_sasl": True},
            "bare": {"user_store": "clients", "require_sasl": True, "sasl_mechanisms": ["PLAIN"],
                     "allow_insecure_plain": True},
            "mutual": {"tls_profile": "server", "tls_client_auth": "require",
                       "require_sasl": True, "sasl_mechanisms": ["EXTERNAL"]}}
        cls.CONFIG = {
            "tls_profiles": [{"name": "server", "certificate_file": cert, "private_key_file": key,
                              "ca_file": certificates.path("ca.crt")}],
            "user_stores": [{"name": "clients", "directory": users}]}
        super().setUpClass()

    def at(self, listener, ca="ca.crt", host="localhost"):
        return (f"--url {self.router.url(listener, 'amqps', host)} "
                f"--ca-file {self.certificates.path(ca)}")

    def test_a_password_from_a_file_over_tls(self):
        password = self.file("password", "geheim\n")
        told = json.loads(self.good(f"ping -n 1 -o json {self.at('users')} --user alice "
                                    f"--password-file {password} --sasl-mechanisms PLAIN"))
        self.assertEqual(told["answered"], 1)
        self.assertEqual(json.loads(self.good(
            f"ping -n 1 -o json {self.at('users')} --user alice --password-file {password}"
        ))["answered"], 1)

    def test_a_password_from_the_environment(self):
        self.terminal.environment["TRUNKLINE_AMQP_PASSWORD"] = "geheim"
        self.assertIn("1 answered", self.good(f"ping -n 1 {self.at('users')} --user alice"))

    def test_a_wrong_password_is_denied_and_not_told(self):
        password = self.file("wrong", "secret-one")
        output, errors = self.ends(5, f"send x --body x {self.at('users')} --user alice "
                                      f"--password-file {password}")
        self.assertIn("refuses the login", errors)
        self.assertNotIn("secret-one", output + errors)

    def test_nobody_is_denied_where_users_are_wanted(self):
        self.ends(5, f"send x --body x {self.at('users')}")

    def test_a_password_is_never_sent_as_it_is_without_tls(self):
        password = self.file("password", "geheim")
        _, errors = self.ends(5, f"ping -n 1 --url {self.router.url('bare')} --user alice "
                                 f"--password-file {password}")
        self.assertIn("PLAIN is never spoken without TLS", errors)

    def test_a_certificate_of_our_own(self):
        path = self.certificates.path
        self.assertIn("1 answered", self.good(
            f"ping -n 1 {self.at('mutual')} --certificate-file {path('client.crt')} "
            f"--private-key-file {path('client.key')}"))
        self.ends(6, f"ping -n 1 {self.at('mutual')}")

    def test_files_that_are_no_certificates(self):
        none = self.file("none.pem", "no certificate")
        url = self.router.url("users", "amqps", "localhost")
        _, errors = self.ends(1, f"ping -n 1 --url {url} --ca-file {none}")
        self.assertTrue(errors)

    def test_the_peer_is_verified(self):
        password = self.file("password", "geheim")
        user = f"--user alice --password-file {password}"
        for peer in (self.at("users", ca="other-ca.crt"), self.at("users", host="127.0.0.1")):
            _, errors = self.ends(6, f"ping -n 1 {peer} {user}")
            self.assertIn("certificate", errors)


if __name__ == "__main__":
    unittest.main()
