"""What leaves is what came: every legal encoding, every size."""

import hashlib
import itertools

from proton import Message, symbol

from amqp_bytes import (LIST0, NULL, listed, mapped, section, str8, str32, sym8, sym32, vbin8,
                        vbin32)
from clients import ACCEPTED
from harness import RouterTest


def body_variants():
    """Bare messages with their names: bodies of all kinds, odd but legal encodings."""
    value = section("value", str8("text"))
    yield "one data section", section("data", vbin8(b"abc"))
    yield "several data sections", b"".join(
        section("data", vbin8(part)) for part in (b"one", b"", b"three"))
    yield "data of both widths", section("data", vbin8(b"a")) + section("data", vbin32(b"b"))
    yield "a sequence", section("sequence", listed(b"\x54\x01", b"\x54\x02"))
    yield "several sequences", section("sequence", listed(b"\x54\x01")) + section(
        "sequence", LIST0) + section("sequence", listed(b"\x55\xff", wide=True))
    yield "a value", value
    yield "a null value", section("value", NULL)
    yield "a described value", section("value", b"\x00" + sym8("x:odd") + listed(str8("in")))
    yield "an array", section("value", b"\xe0\x05\x03\x54\x01\x02\x03")
    yield "a nested map", section("value", mapped(str8("k"), mapped(str8("l"), LIST0), wide=True))
    yield "a footer", value + section("footer", mapped(sym8("x-sum"), b"\x80" + bytes(8)))
    yield "a footer behind data", section("data", vbin8(b"a")) + section(
        "footer", mapped(sym8("x"), str8("y")))
    yield "wide strings", section("value", str32("short"))
    yield "an empty data section", section("data", vbin32(b""))
    properties = section("properties", listed(str8("id"), vbin8(b"user"), str8("elsewhere")))
    yield "properties", properties + value
    yield "wide properties", section("properties", listed(
        str32("id"), vbin32(b"u"), str32("to"), wide=True)) + value
    yield "empty properties", section("properties", LIST0) + value
    yield "application properties", section("application-properties", mapped(
        str8("a"), b"\x41", str8("b"), b"\x56\x00", str8("c"), b"\x71\x00\x00\x00\x07")) + value
    yield "wide application properties", section(
        "application-properties", mapped(str32("a"), b"\x42", wide=True)) + value
    for form in ("ulong", "sym8", "sym32"):
        yield f"descriptors as {form}", section(
            "properties", listed(str8("id")), form) + section("data", vbin8(b"x"), form)
    yield "no body at all", properties


def head_variants():
    """Sections before the bare message, as a client may send them."""
    yield "nothing", b""
    yield "a header", section("header", listed(b"\x41", b"\x50\x07"))
    yield "an empty header", section("header", LIST0)
    yield "a wide header", section("header", listed(
        b"\x56\x01", b"\x50\x04", b"\x70\x00\x00\x03\xe8", b"\x42", b"\x70\x00\x00\x00\x02",
        wide=True))
    yield "delivery annotations", section(
        "delivery-annotations", mapped(sym8("x-hop"), str8("here")))
    for form in ("ulong", "sym8", "sym32"):
        yield f"a header with {form}", section("header", listed(b"\x42"), form)


class Bytes(RouterTest):
    CONFIG = {"addresses": [{"prefix": "multicast", "distribution": "multicast"}]}

    def carry(self, messages, address=None, settled=False, receivers=1):
        """Sends bytes and returns what each receiver got."""
        address = address or self.address
        receiving = [self.connect().receiver(address, credit=len(messages))
                     for _ in range(receivers)]
        sender = self.connect().sender(address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send_all(messages, settled=settled)
        self.world.wait(lambda: all(len(r.received) == len(messages) for r in receiving),
                        "all messages")
        if not settled:
            self.world.wait(lambda: len(sender.outcomes) == len(messages), "all outcomes")
            self.assertEqual(set(sender.states), {ACCEPTED})
        return [[bytes(each.data) for each in receiver.received] for receiver in receiving]

    def test_every_kind_of_body_is_untouched(self):
        names, messages = zip(*body_variants())
        for settled in (False, True):
            (received,) = self.carry(messages, f"{self.address}/{settled}", settled)
            for name, sent, got in zip(names, messages, received):
                self.assertEqual(got, sent, name)

    def test_every_kind_of_head_is_passed_on(self):
        value = section("value", str8("text"))
        names, heads = zip(*head_variants())
        messages = [head + value for head in heads]
        (received,) = self.carry(messages)
        for name, sent, got in zip(names, messages, received):
            self.assertEqual(got, sent, name)

    def test_heads_and_bodies_in_all_combinations(self):
        messages = [head + body for (_, head), (_, body)
                    in itertools.product(head_variants(), body_variants())]
        (received,) = self.carry(messages)
        for sent, got in zip(messages, received):
            self.assertEqual(got, sent)

    def test_copies_are_as_untouched_as_originals(self):
        messages = [body for _, body in body_variants()]
        for received in self.carry(messages, "multicast/bytes", receivers=3):
            self.assertEqual(received, messages)

    def test_own_annotations_pass_in_their_order(self):
        value = section("value", str8("text"))
        annotations = section("message-annotations", mapped(
            sym8("x-opt-b"), str8("1"), sym8("x-opt-a"), str32("2"), sym32("x-other"), b"\x41"))
        (received,) = self.carry([annotations + value])
        self.assertTrue(received[0].endswith(value))
        message = Message()
        message.decode(received[0])
        self.assertEqual(list(message.annotations.items()),
                         [("x-opt-b", "1"), ("x-opt-a", "2"), ("x-other", True)])

    def test_annotations_of_routers_are_removed(self):
        value = section("value", str8("text"))
        annotations = section("message-annotations", mapped(
            sym8("x-opt-qd.trace"), listed(str8("0/elsewhere")), sym8("mine"), str8("stays"),
            sym8("x-opt-qd.ingress"), str8("0/elsewhere")))
        (received,) = self.carry([annotations + value])
        message = Message()
        message.decode(received[0])
        self.assertEqual(dict(message.annotations), {"mine": "stays"})
        self.assertTrue(received[0].endswith(value))

    def test_messages_of_a_client_library_are_understood_alike(self):
        sent = Message(
            body={"list": [1, 2.5, None, True], "binary": b"\x00\xff"}, id="m-1", subject="all",
            reply_to="back", correlation_id=7, content_type="x/y", ttl=60, priority=9,
            durable=True, group_id="g", group_sequence=3, user_id=b"someone",
            properties={"colour": "red", "weight": 3}, annotations={symbol("x-mine"): [1, 2]},
            instructions={symbol("x-hop"): "h"})
        (received,) = self.carry([sent.encode()])
        got = Message()
        got.decode(received[0])
        for field in ("body", "id", "subject", "reply_to", "correlation_id", "content_type",
                      "ttl", "priority", "durable", "group_id", "group_sequence", "user_id",
                      "properties", "annotations", "instructions"):
            self.assertEqual(getattr(got, field), getattr(sent, field), field)

    def test_anonymous_messages_are_untouched_too(self):
        receiver = self.connect().receiver(self.address, credit=1000)
        sender = self.connect().sender(None)
        self.world.wait(lambda: sender.credit > 0, "credit")
        to = [section("properties", listed(NULL, NULL, str8(self.address))),
              section("properties", listed(NULL, NULL, str32(self.address), wide=True)),
              section("properties", listed(NULL, NULL, str8(self.address)), "ulong"),
              section("properties", listed(NULL, NULL, str8(self.address)), "sym8")]
        heads = [head for _, head in head_variants()]
        messages = [head + each + section("data", vbin8(b"x"))
                    for head, each in itertools.product(heads, to)]
        sender.send_all(messages)
        self.world.wait(lambda: len(sender.outcomes) == len(messages), "all outcomes")
        self.assertEqual(set(sender.states), {ACCEPTED})
        self.assertEqual([bytes(each.data) for each in receiver.received], messages)

    def test_tags_of_any_length_pass(self):
        receiver = self.connect().receiver(self.address)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        for size in (1, 2, 31, 32):
            delivery = sender.link.delivery("t" * size)
            sender.link.stream(section("data", vbin8(b"x")))
            sender.link.advance()
            self.world.wait(lambda: delivery.tag in sender.outcomes, "the outcome")
        self.assertEqual(len(receiver.received), 4)


class Annotations(RouterTest):
    LISTENERS = {name: {"strip_annotations": name} for name in ("none", "in", "out", "both")}

    def annotations(self, sender_at, receiver_at, sent):
        """What a receiver sees of a message with these annotations."""
        receiver = self.connect(receiver_at).receiver(self.address)
        sender = self.connect(sender_at).sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send(Message("text", annotations=sent))
        self.world.wait(lambda: receiver.received, "the message")
        receiver.client.close()
        return dict(receiver.received[0].message.annotations or {})

    def test_the_way_is_shown_to_who_wants_it(self):
        for receiver_at, shown in (("none", True), ("in", True), ("out", False), ("both", False)):
            seen = self.annotations("both", receiver_at, {symbol("mine"): 1})
            self.assertEqual(seen.pop("mine"), 1)
            if shown:
                self.assertEqual(seen["x-opt-qd.ingress"], "0/tested")
                self.assertEqual(list(seen["x-opt-qd.trace"]), ["0/tested"])
            else:
                self.assertEqual(seen, {})

    def test_the_way_so_far_is_believed_to_who_may_tell(self):
        way = {symbol("x-opt-qd.ingress"): "0/before", symbol("x-opt-qd.trace"): ["0/before"]}
        for sender_at, believed in (("none", True), ("out", True), ("in", False), ("both", False)):
            seen = self.annotations(sender_at, "none", way)
            trace = ["0/before", "0/tested"] if believed else ["0/tested"]
            self.assertEqual(list(seen["x-opt-qd.trace"]), trace, sender_at)
            self.assertEqual(seen["x-opt-qd.ingress"], "0/before" if believed else "0/tested")


class Limits(RouterTest):
    LISTENERS = {"plain": {}, "limited": {"max_message_size": 10_000}}

    def message_of(self, size):
        return section("data", vbin32(bytes(size - 8)))

    def test_messages_up_to_the_limit_pass(self):
        receiver = self.connect().receiver(self.address)
        sender = self.connect("limited").sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send(self.message_of(10_000))
        self.world.wait(lambda: len(receiver.received) == 1, "the message")
        self.assertEqual(len(receiver.received[0].data), 10_000)

    def test_one_byte_more_is_rejected(self):
        for size in (10_001, 100_000, 3_000_000):
            receiver = self.connect().receiver(self.address)
            sender = self.connect("limited").sender(self.address)
            self.world.wait(lambda: sender.credit > 0, "credit")
            tag = sender.send(self.message_of(size))
            self.world.wait(lambda: sender.client.closed is not None, "the close")
            self.assertEqual(sender.outcomes[tag].condition, "amqp:link:message-size-exceeded")
            self.assertEqual(sender.client.closed,
                             ("amqp:connection:forced", "Message size exceeded"))
            self.assertEqual(receiver.received, [])
            receiver.client.close()


class Sizes(RouterTest):
    LISTENERS = {
        "plain": {},
        "small": {"max_frame_size": 512},
        "large": {"max_frame_size": 65536},
    }

    def carry(self, body, sender_at="plain", receiver_at="plain", settled=False, **options):
        """Sends one message of that body and returns the bytes sent and received."""
        receiver = self.connect(receiver_at, **options).receiver(self.address)
        sender = self.connect(sender_at, **options).sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        message = section("data", vbin32(body))
        tag = sender.send(message, settled=settled)
        self.world.wait(lambda: receiver.received, "the message")
        if not settled:
            self.world.wait(lambda: tag in sender.outcomes, "the outcome")
            self.assertEqual(sender.outcomes[tag].state, ACCEPTED)
        sender.client.close()
        receiver.client.close()
        return message, bytes(receiver.received[0].data)

    def test_one_mebibyte(self):
        body = bytes(range(256)) * 4096
        for settled in (False, True):
            sent, got = self.carry(body, settled=settled)
            self.assertEqual(got, sent)

    def test_sizes_around_frames_and_buffers(self):
        for power in (9, 12, 14, 16, 17):
            for size in range((1 << power) - 70, (1 << power) + 5, 5):
                sent, got = self.carry(bytes(i % 251 for i in range(size)))
                self.assertEqual(got, sent)

    def test_frames_of_any_size_on_either_side(self):
        body = bytes(range(256)) * 1024
        for sender_at, receiver_at in itertools.product(("small", "large", "plain"), repeat=2):
            for own_limit in (512, 65536):
                sent, got = self.carry(body, sender_at, receiver_at, max_frame_size=own_limit)
                self.assertEqual(got, sent, (sender_at, receiver_at, own_limit))

    def test_frame_limits_are_told(self):
        for listener, limit in (("small", 512), ("plain", 16384), ("large", 65536)):
            client = self.connect(listener)
            self.assertEqual(client.transport.remote_max_frame_size, limit)


class Streams(RouterTest):
    """Messages that nobody holds as a whole."""

    def stream(self, sender, size, goes_on=lambda: True):
        """Sends one data section of `size` bytes piece by piece; returns its digest and tag. The
        test's own memory stays small: it waits for what it sent to leave."""
        digest = hashlib.sha256()
        piece = bytes(range(256)) * 1024
        delivery = sender.begin()
        head = section("data", b"\xb0" + size.to_bytes(4, "big"))
        digest.update(head)
        sender.link.stream(head)
        left = size
        while left > 0:
            self.world.wait(
                lambda: sender.link.session.outgoing_bytes < 1 << 20 or not goes_on(), "room")
            if not goes_on():
                break
            part = piece[: min(left, len(piece))]
            digest.update(part)
            sender.link.stream(part)
            left -= len(part)
        if left == 0:
            sender.link.advance()
        return digest.hexdigest(), delivery

    def test_a_hundred_mebibytes(self):
        digest = hashlib.sha256()
        receiver = self.connect().receiver(self.address, sink=digest.update)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        before = self.router.resident_kib()
        sent, delivery = self.stream(sender, 100 << 20)
        self.world.wait(lambda: delivery.tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[delivery.tag].state, ACCEPTED)
        self.assertEqual(digest.hexdigest(), sent)
        self.assertEqual(len(receiver.received), 1)
        # Cut through, not stored: the peak is a few windows, far below the message.
        self.assertLess(self.router.resident_kib("VmHWM") - before, 40 << 10)

    def test_a_hundred_mebibytes_pre_settled(self):
        digest = hashlib.sha256()
        receiver = self.connect().receiver(self.address, sink=digest.update)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        # The settled flag is of the delivery, and Proton sends it with the first frame.
        sent, delivery = self.stream(sender, 100 << 20)
        delivery.settle()
        self.world.wait(lambda: receiver.received, "the message")
        self.assertEqual(digest.hexdigest(), sent)

    def test_a_slow_receiver_slows_the_sender(self):
        client = self.connect()
        session = client.session(incoming_bytes=65536)
        digest = hashlib.sha256()
        receiver = client.receiver(self.address, session=session, sink=digest.update)
        receiver.reading = False
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        before = self.router.resident_kib()
        turns = itertools.count()

        def take_some():
            if next(turns) % 3 == 0:
                receiver.read()
            return True

        sent, delivery = self.stream(sender, 20 << 20, goes_on=take_some)
        receiver.reading = True
        receiver.read()
        self.world.wait(lambda: delivery.tag in sender.outcomes, "the outcome")
        self.assertEqual(digest.hexdigest(), sent)
        self.assertLess(self.router.resident_kib("VmHWM") - before, 16 << 10)

    def start(self, outcome=ACCEPTED):
        """A stream of which the receiver has a part."""
        count = [0]

        def sink(data):
            count[0] += len(data)

        receiver = self.connect().receiver(self.address, sink=sink, outcome=outcome)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        _, delivery = self.stream(sender, 8 << 20, goes_on=lambda: count[0] < 1 << 20)
        self.assertGreater(count[0], 0)
        return sender, receiver, delivery

    def test_an_abort_reaches_the_receiver(self):
        sender, receiver, delivery = self.start()
        delivery.abort()
        self.world.wait(lambda: receiver.aborted == 1, "the abort")
        self.assertEqual(receiver.received, [])
        receiver.sink = None
        sender.send("after")
        self.world.wait(lambda: receiver.bodies == ["after"], "the next message")

    def test_a_lost_sender_aborts_at_the_receiver(self):
        sender, receiver, _ = self.start()
        sender.client.kill()
        self.world.wait(lambda: receiver.aborted == 1, "the abort")
        receiver.sink = None
        other = self.connect().sender(self.address)
        self.world.wait(lambda: other.credit > 0, "credit")
        other.send("after")
        self.world.wait(lambda: receiver.bodies == ["after"], "the next message")

    def test_a_lost_receiver_does_not_block_the_sender(self):
        sender, receiver, delivery = self.start()
        receiver.client.kill()
        self.world.wait(lambda: delivery.tag in sender.outcomes, "the outcome")
        outcome = sender.outcomes[delivery.tag]
        self.assertIn(str(outcome.state), ("MODIFIED", "RELEASED"))
        sender.client.close()

    def test_small_messages_overtake_on_other_links(self):
        client = self.connect()
        session = client.session(incoming_bytes=65536)
        stalled = client.receiver(self.address, session=session, sink=lambda data: None)
        stalled.reading = False
        producer = self.connect()
        sender = producer.sender(self.address)
        quick = self.connect().receiver(f"{self.address}/quick")
        small = producer.sender(f"{self.address}/quick", session=producer.session())
        self.world.wait(lambda: sender.credit > 0 and small.credit > 0, "credit")
        sender.begin()
        sender.link.stream(section("data", vbin32(bytes(4 << 20))))
        sender.link.advance()
        for number in range(100):
            small.send(str(number))
        self.world.wait(lambda: len(quick.received) == 100, "the small ones")
        stalled.reading = True
        stalled.read()
        self.world.wait(lambda: len(stalled.received) == 1, "the large one")
