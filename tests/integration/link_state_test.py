"""Links that are disabled over the API, and enabled again; on one worker and on two."""

import unittest

from api_client import Api, ApiError
from clients import ACCEPTED, RELEASED
from harness import RouterTest

LINKS = "ConnectionService/"
ENABLED, DISABLED = 1, 2  # Link.State
WAITING_DISABLED = 5  # Link.Waiting


class Cases:
    """Each client has a connection of its own, so that on two workers messages cross."""

    def setUp(self):
        super().setUp()
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def links(self, *filters, parent="connections/-"):
        """Those of the test's own address."""
        wanted = " AND ".join([f'address = "{self.address}"', *filters])
        return list(self.api.call(LINKS + "ListLinks", parent=parent, filter=wanted).links)

    def link_of(self, client):
        """What the API tells of a link, the only one of its client here."""
        number = int(client.client.connection.remote_properties["qd.conn-id"])
        link, = self.links(parent=f"connections/{number}")
        return link

    def set(self, client, state):
        """As the API says it is then."""
        link = self.api.call(LINKS + "SetLinkState", name=self.link_of(client).name,
                             state=state).link
        self.assertEqual(link.state, state)
        return link

    def receiver(self, **options):
        return self.connect().receiver(self.address, **options)

    def sender(self):
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        return sender

    def send_till_accepted(self, sender, bodies):
        """What is released, as it was on its way to somebody who was disabled, is sent again."""
        waiting = list(bodies)
        tags = {}

        def done():
            for tag, body in list(tags.items()):
                outcome = sender.outcomes.get(tag)
                if outcome is None:
                    continue
                del tags[tag]
                if outcome.state == RELEASED:
                    waiting.append(body)
                else:
                    self.assertEqual(outcome.state, ACCEPTED)
            while waiting and sender.credit > 0:
                body = waiting.pop(0)
                tags[sender.send(body)] = body
            return not waiting and not tags

        self.world.wait(done, "that all are accepted")

    def test_a_disabled_consumer_gets_nothing_and_the_other_all(self):
        off, on = self.receiver(credit=1000), self.receiver(credit=1000)
        sender = self.sender()
        self.set(off, DISABLED)
        bodies = [f"first {number}" for number in range(500)]
        self.send_till_accepted(sender, bodies)
        self.assertEqual(off.bodies, [])
        self.assertEqual(sorted(on.bodies), sorted(bodies))
        self.set(off, ENABLED)
        # It is known to all when messages come.
        later = []

        def has_come():
            if sender.credit > 0:
                later.append(f"later {len(later)}")
                sender.send(later[-1])
            return off.bodies

        self.world.wait(has_come, "a message")
        self.world.wait(lambda: len(sender.outcomes) == sender._next_tag, "all outcomes")
        self.assertEqual(sorted(on.bodies + off.bodies), sorted(bodies + later))

    def test_messages_wait_for_the_only_consumer(self):
        receiver, sender = self.receiver(), self.sender()
        self.assertEqual(self.set(receiver, DISABLED).credit, 100)
        for number in range(10):
            sender.send(str(number), settled=number % 2 == 1)
        self.world.wait(lambda: self.link_of(receiver).undelivered == 10, "messages that wait")
        link = self.link_of(receiver)
        self.assertEqual(link.waiting, WAITING_DISABLED)
        self.assertEqual([each.name for each in self.links("state = disabled")], [link.name])
        self.assertEqual([each.name for each in self.links("waiting = disabled")], [link.name])
        self.assertEqual((receiver.bodies, sender.outcomes), ([], {}))
        # Twice is as once.
        self.set(receiver, DISABLED)
        self.set(receiver, ENABLED)
        self.world.wait(lambda: len(receiver.received) == 10, "all messages")
        self.assertEqual(receiver.bodies, [str(number) for number in range(10)])
        self.world.wait(lambda: len(sender.outcomes) == 5, "outcomes")
        self.assertEqual(sender.states, [ACCEPTED] * 5)

    def test_what_waits_for_a_disabled_consumer_is_sent_again_to_another(self):
        slow = self.receiver(credit=0)
        sender = self.sender()
        tags = [sender.send(str(number)) for number in range(10)]
        self.world.wait(lambda: self.link_of(slow).undelivered == 10, "messages that wait")
        other = self.receiver()
        self.set(slow, DISABLED)
        self.world.wait(lambda: len(sender.outcomes) == 10, "outcomes")
        self.assertEqual([sender.outcomes[tag].state for tag in tags], [RELEASED] * 10)
        self.send_till_accepted(sender, [str(number) for number in range(10)])
        slow.flow(100)
        self.set(slow, ENABLED)
        self.world.barrier(slow.client, other.client)
        self.assertEqual((len(slow.received), len(other.received)), (0, 10))

    def test_a_drain_is_answered_while_a_consumer_is_disabled(self):
        receiver, sender = self.receiver(credit=0), self.sender()
        self.set(receiver, DISABLED)
        sender.send("x")
        receiver.link.drain(7)
        self.world.wait(lambda: not receiver.link.draining(), "end of the drain")
        receiver.link.drain_mode = False
        self.assertEqual(receiver.link.credit, 0)
        self.set(receiver, ENABLED)
        self.world.barrier(receiver.client)
        self.assertEqual(receiver.bodies, [])
        receiver.flow(1)
        self.world.wait(lambda: receiver.bodies == ["x"], "the message")

    def test_what_a_disabled_consumer_has_may_be_settled(self):
        receiver, sender = self.receiver(outcome=None), self.sender()
        sender.send("x")
        self.world.wait(lambda: receiver.received, "the message")
        self.set(receiver, DISABLED)
        receiver.received[0].settle(ACCEPTED)
        self.world.wait(lambda: sender.states == [ACCEPTED], "its outcome")

    def test_a_disabled_producer_runs_out_of_credit_and_goes_on_after(self):
        receiver, sender = self.receiver(credit=10_000), self.sender()
        bodies = [str(number) for number in range(200)]
        for body in bodies:
            sender.send(body)  # most of them cross what takes the credit back
        link = self.set(sender, DISABLED)
        self.assertEqual(link.credit, 0)
        self.assertTrue(link.HasField("no_credit_since"))
        self.world.wait(lambda: sender.credit <= 0, "that its credit is taken")
        self.world.wait(lambda: len(sender.outcomes) == 200, "outcomes of what was sent")
        self.world.barrier(sender.client)
        self.assertLessEqual(sender.credit, 0)
        self.assertIsNone(sender.detached)
        self.assertEqual(receiver.bodies, bodies)
        self.set(sender, ENABLED)
        self.world.wait(lambda: sender.credit == 250, "its credit")
        more = [f"more {number}" for number in range(300)]
        sender.send_all(more)
        self.world.wait(lambda: len(receiver.received) == 500, "all messages")
        self.assertEqual(receiver.bodies, bodies + more)
        self.world.wait(lambda: sender.states == [ACCEPTED] * 500, "all outcomes")

    def test_a_producer_without_a_consumer_gets_no_credit_while_it_is_disabled(self):
        sender = self.connect().sender(self.address)
        self.set(sender, DISABLED)
        self.receiver()
        self.world.barrier(sender.client)
        self.assertEqual(sender.credit, 0)
        self.set(sender, ENABLED)
        self.world.wait(lambda: sender.credit == 250, "credit")

    def test_whoever_attaches_anew_is_enabled(self):
        first = self.receiver()
        self.set(first, DISABLED)
        first.client.close()
        second, sender = self.receiver(), self.sender()
        sender.send("x")
        self.world.wait(lambda: second.bodies == ["x"], "the message")
        self.assertEqual(self.link_of(second).state, ENABLED)

    def test_an_address_tells_that_its_consumers_are_disabled(self):
        receiver = self.receiver()
        self.set(receiver, DISABLED)
        told = self.api.call("AddressService/ResolveAddress", address=self.address)
        self.assertFalse(told.deliverable)
        self.assertIn("disabled", told.reason)
        self.set(receiver, ENABLED)
        self.assertTrue(self.api.call("AddressService/ResolveAddress",
                                      address=self.address).deliverable)

    def test_says_what_cannot_be_set_and_writes_down_who_did(self):
        receiver = self.receiver()
        name = self.link_of(receiver).name
        for code, reason, fields in [
                ("INVALID_ARGUMENT", "INVALID_FIELD", {"name": name}),
                ("INVALID_ARGUMENT", "INVALID_NAME", {"name": "links/1", "state": DISABLED}),
                ("NOT_FOUND", "LINK_NOT_FOUND", {"name": name + "77", "state": DISABLED}),
                ("NOT_FOUND", "CONNECTION_NOT_FOUND",
                 {"name": "connections/4711/links/1", "state": DISABLED})]:
            with self.assertRaises(ApiError) as caught:
                self.api.call(LINKS + "SetLinkState", **fields)
            self.assertEqual((caught.exception.code, caught.exception.reason), (code, reason))
        self.set(receiver, DISABLED)
        self.router.wait_for_line(
            lambda line: f"SetLinkState identity=local peer=unix: resource={name} "
            "state=STATE_DISABLED" in line and "result=OK" in line, "the audit")


class OnOneWorker(Cases, RouterTest):
    CONFIG = {"router": {"workers": 1}}


class OnTwoWorkers(Cases, RouterTest):
    CONFIG = {"router": {"workers": 2}}


if __name__ == "__main__":
    unittest.main()
