"""The screens of golden/, each a session with a router of its own."""

import os
import unittest

import harness
from clients import World, ssl_client
from harness import Certificates, Router
from terminal import Terminal

ADDRESSES = [{"name": "news", "prefix": "news", "distribution": "multicast"},
             {"name": "jobs", "pattern": "jobs/#"}]

APPLIED = """\
listeners:
- name: extra
  labels: {team: billing}
  host: 127.0.0.1
  port: 0
  max_connections: 10
addresses:
- name: orders
  prefix: orders
- name: jobs
  pattern: jobs/#
"""


# Somebody who is faster than the one who edits.
FASTER = """\
trunkctl set listener extra max_connections=9
sed -i 's/max_connections: .*/max_connections: 8/' "$1"
"""

# An editor to which Ctrl-C is a command.
INTERRUPTED = """\
trap 'sed -i "s/max_connections: .*/max_connections: 6/" "$1"' INT
kill -INT 0
"""


def text_of(*files):
    """The texts of files, by their names without folders."""
    texts = {}
    for file in files:
        with open(file, encoding="ascii") as opened:
            texts[os.path.basename(file)] = opened.read()
    return texts


class Sessions(unittest.TestCase):
    def session(self, name, listeners=None, files=None, ready="", before=None, **config):
        """`ready` is a command, which is repeated until it has an output; `before` is called with
        the router and a terminal."""
        config.setdefault("router", {})["id"] = "east"
        router = Router({"amqp": {}} if listeners is None else listeners, **config)
        self.addCleanup(router.close)
        for file, text in (files or {}).items():
            with open(os.path.join(router.directory, file), "w", encoding="ascii") as out:
                out.write(text)
            os.chmod(out.name, 0o600)
        amqp = {"TRUNKLINE_AMQP_URL": router.url("amqp")} if listeners is None else {}
        terminal = Terminal(router.directory, TRUNKLINE_ENDPOINT=router.socket(), **amqp)
        if ready:
            harness.until(lambda: terminal.pipe(ready)[1], lambda: ready)
        if before is not None:
            before(router, terminal)
        terminal.check(self, name)
        return router

    def test_resources_are_seen(self):
        self.session("get.txt", addresses=ADDRESSES)

    def test_resources_are_made_changed_and_taken_away(self):
        self.session("change.txt", addresses=ADDRESSES)

    def test_the_router_is_changed(self):
        self.session("router-settings.txt")

    def test_mistakes_are_explained(self):
        self.session("mistakes.txt")

    def test_forms_of_output(self):
        self.session("forms.txt", addresses=ADDRESSES)

    def test_colours_are_for_terminals(self):
        self.session("colours.txt")

    def test_help_is_there(self):
        self.session("help.txt")

    def test_the_manual_is_built_in(self):
        self.session("explain.txt")

    def test_routers_have_names(self):
        self.session("contexts.txt")

    def test_files_are_compared(self):
        self.session("config.txt")

    def test_resources_are_edited(self):
        self.session("edit.txt", addresses=ADDRESSES,
                     files={"faster.sh": FASTER, "interrupted.sh": INTERRUPTED})

    def test_files_are_applied(self):
        self.session("apply.txt", addresses=ADDRESSES[:1], files={"new.yaml": APPLIED})

    def test_certificates_are_rotated_and_checked(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        names = "DNS:localhost,DNS:*.example.com,IP:127.0.0.1"
        files = text_of(*certificates.issue("one", "/CN=one", names, days=90),
                        *certificates.issue("two", "/CN=two", names, days=20),
                        *certificates.issue("other", "/CN=other", "DNS:other.host", days=90))
        self.session("certs.txt", files=files)

    def test_expired_certificates_are_taken_where_it_is_said(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        files = text_of(*certificates.issue("old", "/CN=old", days=-1),
                        *certificates.issue("older", "/CN=older", days=-1))
        self.session("expired.txt", files=files)

    def test_tls_sessions_are_seen_across_a_rotation(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        world = World()
        self.addCleanup(world.close)
        cert, key = certificates.issue("one", "/CN=one", "DNS:localhost", days=90)
        profile = {"certificate_file": cert, "private_key_file": key}

        def dial(router, name):
            client = world.connect(router.url("amqps", "amqps", "localhost"), wait=False,
                                   ssl_domain=ssl_client(ca=certificates.path("ca.crt")))
            client.connection.container = name
            world.wait(lambda: client.opened, name)

        def rotate(router, terminal):
            dial(router, "old-a")
            dial(router, "old-b")
            new = certificates.issue("two", "/CN=two", "DNS:localhost", days=90)
            os.replace(new[1], key)
            os.replace(new[0], cert)
            ended, output, errors = terminal.pipe("trunkctl certs rotate service")
            self.assertEqual(ended, 0, output + errors)
            dial(router, "new")

        self.session("sessions.txt",
                     {"amqps": {"tls_profile": "service", "idle_timeout": "10m"}}, before=rotate,
                     tls_profiles=[{"name": "service", **profile}, {"name": "idle", **profile}])

    def test_messages_are_sent_and_received(self):
        self.session("traffic.txt", addresses=[
            {"name": "gone", "prefix": "gone", "distribution": "unavailable"}])

    def test_a_router_that_is_well_is_looked_at(self):
        self.session("doctor.txt")

    def test_a_router_that_is_not_well_is_looked_at(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)

        def profile(name, days):
            cert, key = certificates.issue(name, f"/CN={name}", "DNS:localhost", days=days)
            return {"name": name, "certificate_file": cert, "private_key_file": key}

        broker = {"name": "broker", "host": "127.0.0.1", "port": harness.free_port(),
                  "backoff": {"failed": "10m"}}
        self.session("doctor-findings.txt", tls_profiles=[profile("old", -1), profile("soon", 20)],
                     connectors=[broker, {"name": "spare", "host": "127.0.0.1", "enabled": False}],
                     ready="trunkctl events --filter 'type = connector.failed'")

    def test_what_happens_is_told(self):
        self.session("live.txt", addresses=ADDRESSES)

    def test_the_router_is_seen_and_stopped(self):
        router = self.session("router.txt")
        self.assertEqual(router.wait_for_exit(), 0)

    def test_certificates_are_seen(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        cert, key = certificates.issue("service", "/CN=localhost", "DNS:localhost")
        folder = os.path.dirname(cert)
        self.assertEqual(folder, certificates.directory)
        self.session("tls.txt", {"amqps": {"tls_profile": "service"}},
                     tls_profiles=[{"name": "service", "certificate_file": cert,
                                    "private_key_file": key}])


if __name__ == "__main__":
    unittest.main()
