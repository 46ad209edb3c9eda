"""Who is told what about a delivery."""

from proton import Condition, symbol

from clients import ACCEPTED, MODIFIED, REJECTED, RELEASED
from harness import RouterTest


class Settlement(RouterTest):
    def pair(self, outcome=ACCEPTED, credit=100):
        """A sender and a receiver on connections of their own, with credit."""
        receiver = self.connect().receiver(self.address, outcome=outcome, credit=credit)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        return sender, receiver

    def deliver_one(self):
        """One unsettled message, arrived."""
        sender, receiver = self.pair(outcome=None)
        tag = sender.send("work")
        self.world.wait(lambda: receiver.received, "the message")
        self.assertFalse(receiver.received[0].settled)
        self.assertEqual(sender.outcomes, {})
        return sender, receiver.received[0], tag

    def outcome_of(self, sender, tag):
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        outcome = sender.outcomes[tag]
        self.assertTrue(outcome.settled)
        return outcome

    def test_accepted_reaches_the_sender(self):
        sender, received, tag = self.deliver_one()
        received.settle(ACCEPTED)
        self.assertEqual(self.outcome_of(sender, tag).state, ACCEPTED)

    def test_rejected_keeps_its_error(self):
        sender, received, tag = self.deliver_one()
        condition = Condition("shop:out-of-stock", "no more apples", {symbol("sku"): 17})
        received.settle(REJECTED, condition=condition)
        outcome = self.outcome_of(sender, tag)
        self.assertEqual(outcome.state, REJECTED)
        self.assertEqual(outcome.condition, "shop:out-of-stock")
        self.assertEqual(outcome.description, "no more apples")
        self.assertEqual(dict(outcome.info), {"sku": 17})

    def test_rejected_needs_no_error(self):
        sender, received, tag = self.deliver_one()
        received.settle(REJECTED)
        outcome = self.outcome_of(sender, tag)
        self.assertEqual(outcome.state, REJECTED)
        self.assertIsNone(outcome.condition)

    def test_released_reaches_the_sender(self):
        sender, received, tag = self.deliver_one()
        received.settle(RELEASED)
        self.assertEqual(self.outcome_of(sender, tag).state, RELEASED)

    def test_modified_keeps_its_details(self):
        sender, received, tag = self.deliver_one()
        received.settle(MODIFIED, failed=True, undeliverable=True,
                        annotations={symbol("x-why"): "tired"})
        outcome = self.outcome_of(sender, tag)
        self.assertEqual(outcome.state, MODIFIED)
        self.assertTrue(outcome.failed)
        self.assertTrue(outcome.undeliverable)
        self.assertEqual(dict(outcome.annotations), {"x-why": "tired"})

    def test_modified_counts_as_a_failed_delivery(self):
        sender, received, tag = self.deliver_one()
        received.settle(MODIFIED, failed=False, undeliverable=False)
        outcome = self.outcome_of(sender, tag)
        self.assertEqual(outcome.state, MODIFIED)
        self.assertTrue(outcome.failed)
        self.assertFalse(outcome.undeliverable)

    def test_pre_settled_arrives_settled(self):
        sender, receiver = self.pair(outcome=None)
        for number in range(50):
            sender.send(f"news {number}", settled=True)
        self.world.wait(lambda: len(receiver.received) == 50, "all messages")
        self.assertTrue(all(received.settled for received in receiver.received))
        self.assertEqual(receiver.bodies, [f"news {number}" for number in range(50)])

    def test_a_sender_in_settled_mode_is_pre_settled(self):
        receiver = self.connect().receiver(self.address, outcome=None)
        sender = self.connect().sender(self.address, settled=True)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send("news", settled=True)
        self.world.wait(lambda: receiver.received, "the message")
        self.assertTrue(receiver.received[0].settled)

    def test_thousands_are_settled_each_once_and_in_order(self):
        sender, receiver = self.pair(credit=10_000)
        sender.send_all([str(number) for number in range(5000)])
        self.world.wait(lambda: len(sender.outcomes) == 5000, "all outcomes")
        self.assertEqual(receiver.bodies, [str(number) for number in range(5000)])
        self.assertEqual(set(sender.states), {ACCEPTED})

    def test_outcomes_may_come_in_any_order(self):
        sender, receiver = self.pair(outcome=None)
        tags = [sender.send(str(number)) for number in range(10)]
        self.world.wait(lambda: len(receiver.received) == 10, "all messages")
        states = [ACCEPTED, RELEASED, REJECTED, MODIFIED]
        for number in reversed(range(10)):
            receiver.received[number].settle(states[number % 4])
        self.world.wait(lambda: len(sender.outcomes) == 10, "all outcomes")
        self.assertEqual([sender.outcomes[tag].state for tag in tags],
                         [states[number % 4] for number in range(10)])

    def lose_a_consumer(self, lose):
        """Ten messages: three accepted, two unsettled at the consumer, five without credit; then
        the consumer is lost."""
        sender, receiver = self.pair(outcome=None, credit=5)
        tags = [sender.send(str(number)) for number in range(10)]
        self.world.wait(lambda: len(receiver.received) == 5, "what there is credit for")
        for received in receiver.received[:3]:
            received.settle(ACCEPTED)
        self.world.wait(lambda: len(sender.outcomes) == 3, "the first outcomes")
        lose(receiver)
        self.world.wait(lambda: len(sender.outcomes) == 10, "all outcomes")
        outcomes = [sender.outcomes[tag] for tag in tags]
        self.assertEqual([outcome.state for outcome in outcomes],
                         [ACCEPTED] * 3 + [MODIFIED] * 2 + [RELEASED] * 5)
        self.assertTrue(all(outcome.failed for outcome in outcomes[3:5]))

    def test_a_consumer_whose_connection_is_cut_gives_back(self):
        self.lose_a_consumer(lambda receiver: receiver.client.kill())

    def test_a_consumer_that_closes_its_connection_gives_back(self):
        self.lose_a_consumer(lambda receiver: receiver.client.close(wait=False))

    def test_a_consumer_that_detaches_gives_back(self):
        self.lose_a_consumer(lambda receiver: receiver.link.close())

    def test_a_consumer_that_ends_its_session_gives_back(self):
        self.lose_a_consumer(lambda receiver: receiver.link.session.close())

    def test_a_lost_producer_does_not_take_its_messages_along(self):
        sender, receiver = self.pair(outcome=None, credit=0)
        for number in range(5):
            sender.send(str(number))
        self.world.barrier(sender.client)
        sender.client.kill()
        self.world.wait(lambda: sender.client.gone, "the cut")
        receiver.flow(10)
        self.world.wait(lambda: len(receiver.received) == 5, "all messages")
        for received in receiver.received:
            received.settle(ACCEPTED)
        self.world.barrier(receiver.client)
        self.assertIsNone(receiver.detached)
