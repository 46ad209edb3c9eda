"""What is the same for every command: help, versions, files, streams that are closed."""

import json
import os
import unittest

from clients import World
from harness import Router
from terminal import Terminal

SECTION = '{"addresses": [{"name": "json", "prefix": "json"}]}'
COMMANDS = ("get", "certs rotate", "config check", "log-level set", "help")


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.router = Router()
        cls.addClassCleanup(cls.router.close)
        cls.terminal = Terminal(cls.router.directory, TRUNKLINE_ENDPOINT=cls.router.socket(),
                                TRUNKLINE_AMQP_URL=cls.router.url())
        for name, text in (("empty", ""), ("blank", " \n"), ("comment", "# nothing\n"),
                           ("section.json", SECTION)):
            with open(os.path.join(cls.router.directory, name), "w", encoding="ascii") as file:
                file.write(text)
        os.mkdir(os.path.join(cls.router.directory, "folder"))

    def ends(self, status, command, given=""):
        """Output and errors of a command that ends so; nothing waits for anything."""
        ended, output, errors = self.terminal.pipe(f"timeout 20 trunkctl {command}", given)
        self.assertEqual(ended, status, output + errors)
        return output, errors

    def says(self, status, command, error, given=""):
        output, errors = self.ends(status, command, given)
        self.assertEqual((output, errors), ("", f"trunkctl{error}\n"))


class Help(Usage):
    def test_a_command_and_an_option_say_the_same(self):
        self.assertEqual(self.ends(0, "help"), self.ends(0, "--help"))
        for command in COMMANDS:
            told = self.ends(0, f"help {command}")
            self.assertEqual(told, self.ends(0, f"{command} --help"))
            self.assertTrue(told[0].startswith(f"Usage: trunkctl {command} "), told)
        self.assertEqual(self.ends(0, "help get listeners"), self.ends(0, "help get"))

    def test_of_commands_that_begin_alike(self):
        told, _ = self.ends(0, "help certs")
        self.assertEqual(told, self.ends(0, "certs --help")[0])
        for command in ("certs list", "certs rotate", "certs check", "certs sessions"):
            self.assertIn(f"\n  {command} ", told)
        self.assertNotIn("config", told)

    def test_of_a_command_that_there_is_not(self):
        self.says(2, "help gte", ' help: no command "gte"; see trunkctl help --help')
        self.says(2, "gte --help", ': no command "gte"; see trunkctl --help')
        self.says(2, "creat --help",
                  ': no command "creat"; did you mean "create"?; see trunkctl --help')


class Versions(Usage):
    def test_of_this_program_without_a_router(self):
        told, _ = self.ends(0, "--version --endpoint /nowhere.sock")
        self.assertRegex(told, r"^trunkctl \d+\.\d+\.\d+\n$")
        self.assertEqual(self.ends(0, "get --version")[0], told)
        self.assertTrue(self.ends(0, "version")[0].startswith(told + "trunkd "))


class Files(Usage):
    def test_a_folder_is_refused(self):
        for command in ("apply -f folder", "config check folder", "config diff folder"):
            words = " ".join(command.split()[:-1]).removesuffix(" -f")
            self.says(2, command, f" {words}: folder: is a folder; name a file in it; "
                                  f"see trunkctl {words} --help")

    def test_a_file_with_nothing_in_it_is_refused(self):
        for file in ("empty", "blank", "comment", "/dev/null"):
            self.says(1, f"apply -f {file}", f": {file}: holds nothing")
        self.says(1, "apply -f -", ": standard input: holds nothing")

    def test_a_pipe_is_as_good_as_a_file(self):
        given = SECTION.replace("json", "piped")
        self.assertIn("1 created", self.ends(0, f"apply -f <(echo '{given}')")[0])
        self.assertIn("1 created", self.ends(0, "apply -f /dev/stdin",
                                             SECTION.replace("json", "stdin"))[0])

    def test_json_may_be_of_both_kinds(self):
        self.assertIn("addresses/json  created", self.ends(0, "apply -f section.json")[0])
        given = '{"addresses": [{"name": "addresses/json", "spec": {"prefix": "json"}}]}'
        self.assertIn("addresses/json  unchanged", self.ends(0, "apply -f -", given)[0])
        self.says(1, "apply -f -", ': standard input:1:30: listeners[a].prot: unknown key; did you '
                                   'mean "port"?', '{"listeners": [{"name": "a", "prot": 1}]}')


class Streams(Usage):
    """That are closed, and so may be given to something else by the system."""

    def test_a_closed_input_is_told(self):
        for command in ("apply -f -", "config check -", "config diff -", "send x",
                        "certs rotate x --cert - --key section.json"):
            self.says(1, f"{command} <&-", ": standard input: is closed")

    def test_who_does_not_read_it_does_not_miss_it(self):
        for command in ("status", "get listeners", "--help", "apply -f section.json", "doctor",
                        "ping -n 1"):
            self.ends(0, f"{command} <&-")

    def test_a_closed_output_is_told(self):
        for command in ("get listeners", "get listeners -o json", "events", "events -w", "logs",
                        "status", "doctor", "--help", "--version", "help get", "version",
                        "completion bash", "manual", "explain listener", "config show",
                        "top --once", "apply -f section.json", "ping -n 1", "get listeners -w",
                        "log-level list", "certs list -o json"):
            output, errors = self.ends(1, f"{command} >&-")
            self.assertRegex(errors, "^trunkctl: the standard output cannot be written", command)
            self.assertEqual(len(errors.splitlines()), 1, errors)

    def test_all_of_them_closed(self):
        self.assertEqual(self.terminal.pipe("timeout 20 trunkctl status <&- >&- 2>&-"), (1, "", ""))
        self.assertEqual(self.terminal.pipe("timeout 20 trunkctl gte <&- >&- 2>&-"), (2, "", ""))


class Forms(Usage):
    """Every form of everything that can be listed."""

    def test_of_what_a_router_has(self):
        world = World()
        self.addCleanup(world.close)
        client = world.connect(self.router.url())
        client.receiver("forms")
        self.ends(0, "create connector spare host=127.0.0.1 enabled=false")
        self.ends(0, "create address spare prefix=spare")
        for kind in ("listeners", "connectors", "addresses", "connections", "links", "routes"):
            for form in ("table", "wide", "yaml", "csv", "name", "jsonpath={.name}"):
                output, _ = self.ends(0, f"get {kind} -o {form}")
                self.assertNotEqual(output, "", f"{kind} as {form}")
            self.assertTrue(json.loads(self.ends(0, f"get {kind} -o json")[0]), kind)

    def test_of_what_belongs_to_others(self):
        world = World()
        self.addCleanup(world.close)
        world.connect(self.router.url()).receiver("owned")
        link = self.ends(0, "get links -o name --filter 'address = owned'")[0].strip()
        connection = link.partition("/links/")[0]
        for whose in (connection, connection.partition("/")[2]):
            self.assertIn(link, self.ends(0, f"get links {whose} -o name")[0])
        self.assertEqual(self.ends(0, f"get link {link} -o name")[0], link + "\n")
        self.says(2, "get links 1 2", ' get: give one that they are of, not "1" and others; '
                                      "see trunkctl get --help")


class Completion(Usage):
    def completed(self, *words):
        line = " ".join(("trunkctl", *words))
        ask = (f"source <(trunkctl completion bash); COMP_WORDS=({line} ''); "
               f"COMP_CWORD={len(words) + 1}; _trunkctl; echo \"${{COMPREPLY[*]}}\"")
        ended, output, errors = self.terminal.pipe(ask)
        self.assertEqual((ended, errors), (0, ""))
        return output.split()

    def test_of_commands_and_what_follows_them(self):
        self.assertIn("help", self.completed())
        self.assertEqual(self.completed("certs"), ["list", "sessions", "rotate", "check"])
        self.assertIn("certs", self.completed("help"))
        self.assertIn("tls-sessions", self.completed("get"))
        self.assertIn("listeners", self.completed("get"))
        self.assertNotIn("links", self.completed("set"))
        self.assertEqual(self.completed("get", "listeners"), ["plain"])


if __name__ == "__main__":
    unittest.main()
