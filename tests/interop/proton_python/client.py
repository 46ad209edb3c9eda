"""Proton's Python binding for the interop matrix: client.py BEHAVIOUR --url URL …

What each behaviour does is told in tests/interop/README.md. The links are those of
tests/integration/clients.py, which is all Proton; its exit status says whether all was as it must.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "integration"))

import harness  # noqa: E402
from clients import ACCEPTED, MODIFIED, REJECTED, RELEASED, Client, World, ssl_client  # noqa: E402
from proton import Condition, Message, symbol  # noqa: E402
from proton.reactor import Backoff  # noqa: E402

OUTCOMES = {"accept": ACCEPTED, "reject": REJECTED, "release": RELEASED, "modify": MODIFIED}


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def pattern(size):
    """The body of large messages: byte i is 7 i + i / 256."""
    block = bytes((7 * i + (i >> 8)) & 255 for i in range(65536))
    return (block * (size // 65536 + 1))[:size]


class Program:
    def __init__(self, options):
        self.options = options
        self.address = options.address
        self.world = World()

    def dial(self, wait=True, **more):
        options = self.options
        if options.ca:
            more["ssl_domain"] = ssl_client(ca=options.ca, certificate=options.cert or None,
                                            key=options.key or None)
        if options.user:
            more["user"] = options.user
            with open(options.password_file, encoding="utf-8") as file:
                more["password"] = file.read()
        if options.mechanism:
            more["allowed_mechs"] = options.mechanism
            more["sasl_enabled"] = True
            more["allow_insecure_mechs"] = True
        return self.world.connect(options.url, wait=wait, **more)

    def wait(self, condition, what):
        self.world.wait(condition, what)

    def exchange(self, client, address, bodies):
        """Messages from the client to itself, accepted, whole and in order."""
        receiver = client.receiver(address, credit=len(bodies))
        sender = client.sender(address)
        sender.send_all(bodies)
        self.wait(lambda: len(sender.outcomes) == len(bodies), "the outcomes")
        check(sender.states == [ACCEPTED] * len(bodies), f"outcomes: {sender.states[:10]}")
        check(receiver.bodies == bodies, "bodies differ")

    # Each behaviour of the matrix is a method of its name.

    def login(self):
        self.exchange(self.dial(), self.address, ["logged in"])

    def refused(self):
        client = self.dial(wait=False)
        self.wait(lambda: client.gone or client.opened, "the refusal")
        check(not client.opened, "connected")
        print(client.error, client.closed)

    def presettled(self):
        client = self.dial()
        receiver = client.receiver(self.address)
        sender = client.sender(self.address, settled=True)
        sender.send_all([str(i) for i in range(100)], settled=True)
        self.wait(lambda: len(receiver.received) == 100, "the messages")
        check(all(received.settled for received in receiver.received), "not settled")
        check(receiver.bodies == [str(i) for i in range(100)], "bodies differ")

    def unsettled(self):
        self.exchange(self.dial(), self.address, [str(i) for i in range(10_000)])

    def accept(self):
        self.outcome("accept")

    def reject(self):
        outcome = self.outcome("reject")
        check((outcome.condition, outcome.description) == ("interop:refused", "not today"),
              f"error {outcome.condition} {outcome.description}")

    def release(self):
        self.outcome("release")

    def modify(self):
        outcome = self.outcome("modify")
        check(outcome.failed and outcome.undeliverable, "flags")
        check(outcome.annotations == {symbol("x-opt-why"): "later"}, outcome.annotations)

    def settle(self, received, kind):
        details = {}
        if kind == "reject":
            details["condition"] = Condition("interop:refused", "not today")
        if kind == "modify":
            details.update(failed=True, undeliverable=True,
                           annotations={symbol("x-opt-why"): "later"})
        received.settle(OUTCOMES[kind], **details)

    def outcome(self, kind):
        client = self.dial()
        receiver = client.receiver(self.address, outcome=None)
        sender = client.sender(self.address)
        sender.send_all(["one"])
        self.wait(lambda: receiver.received, "the message")
        self.settle(receiver.received[0], kind)
        self.wait(lambda: sender.outcomes, "the outcome")
        outcome = sender.outcomes["1"]
        check(outcome.state == OUTCOMES[kind], outcome)
        return outcome

    def answer(self):
        """Not of the matrix: the other side of clients that cannot give such outcomes."""
        receiver = self.dial().receiver(self.address, outcome=None)
        print("ready", flush=True)
        self.wait(lambda: receiver.received, "the message")
        self.settle(receiver.received[0], self.options.outcome)
        self.wait(lambda: receiver.client.closed or receiver.client.gone, "the end")

    def request_reply(self):
        server, client = self.dial(), self.dial()
        requests = server.receiver(self.address)
        replies_out = server.sender(None)
        replies = client.receiver(None, dynamic=True)
        reply_to = replies.link.remote_source.address
        check(reply_to, "no dynamic address")
        out = client.sender(self.address)
        self.wait(lambda: out.credit >= 10 and replies_out.credit >= 10, "credit")
        for i in range(10):
            out.send(Message(f"ask {i}", reply_to=reply_to, correlation_id=str(i)))
        self.wait(lambda: len(requests.received) == 10, "the requests")
        for request in requests.received:
            message = request.message
            replies_out.send(Message(message.body.upper(), address=message.reply_to,
                                     correlation_id=message.correlation_id))
        self.wait(lambda: len(replies.received) == 10, "the replies")
        check([(r.message.correlation_id, r.body) for r in replies.received]
              == [(str(i), f"ASK {i}") for i in range(10)], "replies differ")

    def anonymous(self):
        client = self.dial()
        receivers = [client.receiver(f"{self.address}/{i}") for i in range(2)]
        sender = client.sender(None)
        offered = sender.link.connection.remote_offered_capabilities
        check(offered is not None and "ANONYMOUS-RELAY" in str(offered), f"offered: {offered}")
        self.wait(lambda: sender.credit >= 2, "credit")
        for i in range(2):
            sender.send(Message(str(i), address=f"{self.address}/{i}"))
        self.wait(lambda: all(receiver.received for receiver in receivers), "the messages")
        check([receiver.bodies for receiver in receivers] == [["0"], ["1"]], "wrong receivers")

    def body(self):
        client = self.dial()
        receiver = client.receiver(self.address)
        sender = client.sender(self.address)
        data = pattern(self.options.size)
        self.stream(sender, Message(data, inferred=True).encode())
        self.wait(lambda: sender.outcomes, "the outcome")
        check(sender.states == [ACCEPTED], sender.states)
        # Not decoded: the library's decoder needs more stack than there is for 100 MiB.
        check(receiver.received[0].data.endswith(data), "bodies differ")

    def stream(self, sender, encoded):
        """Sends a message piece by piece: what the library holds unsent costs it dearly."""
        self.wait(lambda: sender.credit > 0, "credit")
        sender.begin()
        for at in range(0, len(encoded), 1 << 16):
            sender.link.stream(encoded[at: at + (1 << 16)])
            self.wait(lambda: sender.link.session.outgoing_bytes < 1 << 18, "room")
        sender.link.advance()

    def drain(self):
        client = self.dial()
        receiver = client.receiver(self.address, credit=10)
        sender = client.sender(self.address)
        sender.send_all(["0", "1", "2"])
        self.wait(lambda: len(receiver.received) == 3, "the messages")
        receiver.link.drain(0)
        self.wait(lambda: receiver.link.credit == 0 and not receiver.link.draining(), "the drain")
        receiver.link.drain_mode = False
        receiver.flow(2)
        sender.send_all(["3", "4"])
        self.wait(lambda: len(receiver.received) == 5, "what came after the drain")

    def links(self):
        client = self.dial()
        addresses = [f"{self.address}/{i}" for i in range(150)]
        receivers = [client.receiver(address, wait=False) for address in addresses]
        senders = [client.sender(address, wait=False) for address in addresses]
        self.wait(lambda: all(sender.credit for sender in senders), "credit on every link")
        for address, sender in zip(addresses, senders):
            sender.send(address)
        self.wait(lambda: all(receiver.received for receiver in receivers), "every message")
        check([receiver.bodies for receiver in receivers] == [[a] for a in addresses], "mixed up")

    def multicast(self):
        client = self.dial()
        receivers = [client.receiver(self.address) for _ in range(3)]
        sender = client.sender(self.address)
        bodies = [str(i) for i in range(10)]
        sender.send_all(bodies)
        self.wait(lambda: all(len(r.received) == 10 for r in receivers), "every copy")
        self.wait(lambda: len(sender.outcomes) == 10, "the outcomes")
        check(all(receiver.bodies == bodies for receiver in receivers), "copies differ")

    def balanced(self):
        client = self.dial()
        receivers = [client.receiver(self.address, credit=100) for _ in range(2)]
        sender = client.sender(self.address)
        bodies = [str(i) for i in range(100)]
        sender.send_all(bodies)
        self.wait(lambda: sum(len(r.received) for r in receivers) == 100, "every message")
        check(sorted(sum((r.bodies for r in receivers), []), key=int) == bodies, "not each once")
        check(all(receiver.received for receiver in receivers), "one got nothing")

    def kinds(self):
        client = self.dial()
        receiver = client.receiver(self.address)
        sender = client.sender(self.address)
        for kind, body in (("data", b"\x00\x01\xff"), ("value", {"a": [1, None, True, 2.5, "ü"]}),
                           ("sequence", [1, "two", None]), ("null", None)):
            sent = self.message_of(kind, body)
            sender.send_all([sent])
            self.wait(lambda: receiver.received, "the message")
            got = receiver.received.pop().message
            for field in ("durable", "priority", "ttl", "id", "user_id", "subject", "reply_to",
                          "correlation_id", "content_type", "group_id", "group_sequence",
                          "annotations", "properties", "inferred", "body"):
                check(getattr(got, field) == getattr(sent, field),
                      f"{kind}: {field}: {getattr(got, field)} for {getattr(sent, field)}")

    @staticmethod
    def message_of(kind, body):
        message = Message(body, durable=True, priority=7, id="an id", user_id=b"me", subject="all",
                          reply_to="back", correlation_id=42, content_type="x/y", group_id="g",
                          group_sequence=3, inferred=kind in ("data", "sequence"))
        message.ttl = 60
        message.annotations = {symbol("x-opt-a"): "b"}
        message.properties = {"text": "ü", "number": 7, "yes": True, "real": 0.5, "none": None}
        return message

    def heartbeats(self):
        client = self.dial()
        self.ready_until_told(client)
        check(not client.gone and client.closed is None, "closed")
        self.exchange(client, self.address, ["still here"])

    def ready_until_told(self, client):
        """Goes on with the protocol until the runner writes a line."""
        print("ready", flush=True)
        os.set_blocking(0, False)
        self.wait(lambda: client.gone or told(), "the runner")

    def closed(self):
        client = self.dial()
        client.receiver(self.address)
        print("ready", flush=True)
        self.wait(lambda: client.gone or client.closed, "the close")
        print(client.closed, client.error)

    def reconnect(self):
        client = Reconnecting(self.world)
        client.connection = self.world.container.connect(
            self.options.url, handler=client, reconnect=Backoff(initial=0.05, max_delay=0.2))
        self.wait(lambda: client.opens == 1, "the first connection")
        receiver, sender = client.receiver(self.address), client.sender(self.address)
        print("ready", flush=True)
        self.wait(lambda: client.opens == 2, "the second connection")
        self.world.barrier(client)
        sender.send_all(["again"])
        self.wait(lambda: receiver.received, "the message")

    def unavailable(self):
        client = self.dial()
        for probe in (client.sender(self.address), client.receiver(self.address)):
            self.wait(lambda: probe.detached is not None, "the refusal")
            print(type(probe).__name__.lower(), *probe.detached)

    def too_large(self):
        client = self.dial()
        client.receiver(self.address)
        sender = client.sender(self.address)
        sender.send_all([Message(pattern(self.options.size), inferred=True)])
        self.wait(lambda: sender.outcomes or client.closed, "the refusal")
        print(sender.outcomes.get("1"), client.closed)


def told():
    try:
        return os.read(0, 100) != b""
    except BlockingIOError:
        return False


class Reconnecting(Client):
    """A connection that the library dials again, with the links it had."""

    def __init__(self, world):
        super().__init__(world)
        self.opens = 0

    def on_connection_remote_open(self, event):
        super().on_connection_remote_open(event)
        self.opens += 1

    def on_connection_remote_close(self, event):
        """The library dials again where the program has not closed its side and the transport
        has ended, so it is hung up here."""
        event.transport.close_head()



def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("behaviour")
    for name in ("url", "address", "user", "password-file", "mechanism", "ca", "cert", "key",
                 "outcome"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--size", type=int, default=0)
    options = parser.parse_args()
    harness.PATIENCE = 110.0
    program = Program(options)
    try:
        getattr(program, options.behaviour)()
    except AssertionError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    program.world.close()


if __name__ == "__main__":
    main()
