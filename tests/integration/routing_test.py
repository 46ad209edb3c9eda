"""Where a message goes."""

from collections import Counter

from proton import Message

from clients import ACCEPTED, MODIFIED, REJECTED, RELEASED
from harness import RouterTest


class Distribution(RouterTest):
    CONFIG = {
        "addresses": [
            {"prefix": "multicast", "distribution": "multicast"},
            {"prefix": "closest", "distribution": "closest"},
            {"prefix": "balanced", "distribution": "balanced"},
            {"pattern": "*.copies.#", "distribution": "multicast"},
            {"prefix": "unavailable", "distribution": "unavailable"},
            {"prefix": "fallback", "enable_fallback": True},
            {"prefix": "queue", "waypoint": True},
        ]
    }

    def receivers(self, address, count, **options):
        return [self.connect().receiver(address, **options) for _ in range(count)]

    def sender(self, address):
        sender = self.connect().sender(address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        return sender

    def test_multicast_copies_to_all(self):
        receivers = self.receivers("multicast/a", 5)
        sender = self.sender("multicast/a")
        sender.send_all([f"copy {number}" for number in range(20)])
        self.world.wait(lambda: all(len(r.received) == 20 for r in receivers), "all copies")
        for receiver in receivers:
            self.assertEqual(receiver.bodies, [f"copy {number}" for number in range(20)])
        self.world.wait(lambda: len(sender.outcomes) == 20, "the outcomes")
        self.assertEqual(set(sender.states), {ACCEPTED})

    def test_multicast_copies_to_all_links_of_a_connection(self):
        client = self.connect()
        receivers = [client.receiver("multicast/links") for _ in range(3)]
        sender = self.sender("multicast/links")
        sender.send("copy", settled=True)
        self.world.wait(lambda: all(len(r.received) == 1 for r in receivers), "all copies")
        self.assertTrue(all(receiver.received[0].settled for receiver in receivers))

    def aggregate(self, *states):
        """The sender's outcome when each receiver of a multicast gives its own."""
        address = "multicast/" + "-".join(str(state) for state in states)
        receivers = self.receivers(address, len(states), outcome=None)
        sender = self.sender(address)
        tag = sender.send("copy")
        self.world.wait(lambda: all(r.received for r in receivers), "all copies")
        for receiver, state in list(zip(receivers, states))[:-1]:
            receiver.received[0].settle(state)
        self.world.barrier(*(receiver.client for receiver in receivers), sender.client)
        self.assertEqual(sender.outcomes, {}, "not before the last copy is settled")
        receivers[-1].received[0].settle(states[-1])
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        return sender.outcomes[tag].state

    def test_multicast_outcome_is_the_strongest_of_all(self):
        self.assertEqual(self.aggregate(ACCEPTED, ACCEPTED), ACCEPTED)
        self.assertEqual(self.aggregate(REJECTED, ACCEPTED), REJECTED)
        self.assertEqual(self.aggregate(ACCEPTED, REJECTED), REJECTED)
        self.assertEqual(self.aggregate(ACCEPTED, MODIFIED), ACCEPTED)
        self.assertEqual(self.aggregate(RELEASED, ACCEPTED), ACCEPTED)
        self.assertEqual(self.aggregate(RELEASED, MODIFIED), MODIFIED)
        self.assertEqual(self.aggregate(RELEASED, RELEASED), RELEASED)
        self.assertEqual(self.aggregate(RELEASED, MODIFIED, ACCEPTED, REJECTED), REJECTED)

    def test_multicast_survives_the_loss_of_one_receiver(self):
        receivers = self.receivers("multicast/loss", 2, outcome=None)
        sender = self.sender("multicast/loss")
        tag = sender.send("copy")
        self.world.wait(lambda: all(r.received for r in receivers), "all copies")
        receivers[0].client.kill()
        receivers[1].received[0].settle(ACCEPTED)
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[tag].state, ACCEPTED)

    def test_balanced_shares_evenly_what_is_unsettled(self):
        receivers = self.receivers("balanced/even", 2, outcome=None)
        sender = self.sender("balanced/even")
        sender.send_all([str(number) for number in range(20)])
        self.world.wait(lambda: sum(len(r.received) for r in receivers) == 20, "all messages")
        self.assertEqual([len(receiver.received) for receiver in receivers], [10, 10])

    def test_balanced_prefers_who_settles(self):
        busy, quick = self.receivers("balanced/busy", 2, outcome=None)
        quick.outcome = ACCEPTED
        sender = self.sender("balanced/busy")
        for number in range(20):
            sender.send(str(number))
            # One at a time: once the busy one has its first, the quick one is the better choice.
            self.world.wait(lambda: len(sender.outcomes) + len(busy.received) == number + 1,
                            "delivery")
        self.assertEqual((len(busy.received), len(quick.received)), (1, 19))

    def test_closest_goes_round(self):
        receivers = self.receivers("closest/round", 3, outcome=None)
        sender = self.sender("closest/round")
        sender.send_all([str(number) for number in range(9)])
        self.world.wait(lambda: sum(len(r.received) for r in receivers) == 9, "all messages")
        self.assertEqual([len(receiver.received) for receiver in receivers], [3, 3, 3])

    def test_patterns_choose_the_distribution(self):
        receivers = self.receivers("a.copies.b/c", 2)
        sender = self.sender("a.copies.b/c")
        sender.send("copy")
        self.world.wait(lambda: all(len(r.received) == 1 for r in receivers), "both copies")
        receivers = self.receivers("a/b.copies", 2)
        sender = self.sender("a/b.copies")
        sender.send_all(["one", "two"])
        self.world.wait(lambda: len(sender.outcomes) == 2, "the outcomes")
        self.assertEqual(sum(len(receiver.received) for receiver in receivers), 2)

    def test_prefixes_end_at_separators(self):
        receivers = self.receivers("multicasting", 2)
        sender = self.sender("multicasting")
        sender.send_all(["one", "two"])
        self.world.wait(lambda: len(sender.outcomes) == 2, "the outcomes")
        self.assertEqual(sum(len(receiver.received) for receiver in receivers), 2)

    def test_unavailable_refuses_links(self):
        client = self.connect()
        for probe in (client.sender("unavailable/a"), client.receiver("unavailable")):
            self.world.wait(lambda: probe.detached is not None, "the refusal")
            self.assertEqual(probe.detached, ("amqp:not-found", "Node not found"))

    def test_unavailable_rejects_anonymous_messages(self):
        sender = self.sender(None)
        tag = sender.send(Message("x", address="unavailable/a"))
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        outcome = sender.outcomes[tag]
        self.assertEqual(outcome.state, REJECTED)
        self.assertEqual(outcome.condition, "amqp:not-found")
        self.assertEqual(outcome.description,
                         "Deliveries cannot be sent to an unavailable address")

    def test_fallback_takes_what_nobody_consumes(self):
        spare = self.connect().receiver("fallback/a", capabilities=["qd.fallback"])
        sender = self.sender("fallback/a")
        sender.send("first")
        self.world.wait(lambda: spare.bodies == ["first"], "the fallback's message")
        regular = self.connect().receiver("fallback/a")
        sender.send("second")
        self.world.wait(lambda: regular.bodies == ["second"], "the consumer's message")
        regular.client.close()
        sender.send("third")
        self.world.wait(lambda: spare.bodies == ["first", "third"], "the fallback's message")

    def test_waypoints_stand_between_senders_and_receivers(self):
        consumer = self.connect().receiver("queue/a")
        broker = self.connect()
        inbox = broker.receiver("queue/a", capabilities=["qd.waypoint"])
        outbox = broker.sender("queue/a", capabilities=["qd.waypoint"])
        sender = self.sender("queue/a")
        sender.send("through the queue")
        self.world.wait(lambda: inbox.received, "the message at the waypoint")
        self.assertEqual(consumer.received, [])
        self.world.wait(lambda: outbox.credit > 0, "credit for the waypoint")
        outbox.send(inbox.received[0].data)
        self.world.wait(lambda: consumer.bodies == ["through the queue"], "the message")


class Termini(RouterTest):
    def test_requests_are_answered_over_dynamic_addresses(self):
        service = self.connect()
        requests = service.receiver(self.address)
        answers = service.sender(None)
        client = self.connect()
        replies = client.receiver(None, dynamic=True)
        reply_to = replies.link.remote_source.address
        self.assertTrue(reply_to)
        sender = client.sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        for number in range(10):
            sender.send(Message(number, reply_to=reply_to, correlation_id=number))
        self.world.wait(lambda: len(requests.received) == 10, "the requests")
        for request in requests.received:
            message = request.message
            answers.send(Message(message.body * 2, address=message.reply_to,
                                 correlation_id=message.correlation_id))
        self.world.wait(lambda: len(replies.received) == 10, "the replies")
        for number, reply in enumerate(replies.received):
            self.assertEqual(reply.message.correlation_id, number)
            self.assertEqual(reply.body, number * 2)

    def test_dynamic_addresses_are_unique_and_end_with_their_link(self):
        client = self.connect()
        receivers = [client.receiver(None, dynamic=True) for _ in range(50)]
        addresses = {receiver.link.remote_source.address for receiver in receivers}
        self.assertEqual(len(addresses), 50)
        address = receivers[0].link.remote_source.address
        receivers[0].link.close()
        self.world.barrier(client)
        sender = self.connect().sender(None)
        tag = sender.send(Message("late", address=address))
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[tag].state, RELEASED)

    def test_anonymous_senders_address_each_message(self):
        client = self.connect()
        self.assertIn("ANONYMOUS-RELAY", list(client.connection.remote_offered_capabilities))
        receivers = {name: self.connect().receiver(f"{self.address}/{name}") for name in "abc"}
        sender = client.sender(None)
        order = [name for _ in range(20) for name in "abc"]
        for number, name in enumerate(order):
            sender.send(Message(number, address=f"{self.address}/{name}"))
        self.world.wait(lambda: len(sender.outcomes) == 60, "all outcomes")
        self.assertEqual(Counter(sender.states), {ACCEPTED: 60})
        for name, receiver in receivers.items():
            wanted = [number for number, each in enumerate(order) if each == name]
            self.assertEqual(receiver.bodies, wanted)

    def test_anonymous_messages_need_an_address(self):
        sender = self.connect().sender(None)
        tag = sender.send(Message("to whom?"))
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        outcome = sender.outcomes[tag]
        self.assertEqual(outcome.state, REJECTED)
        self.assertEqual(outcome.condition, "amqp:precondition-failed")
        self.assertEqual(outcome.description, "Routing failure: no address present")

    def test_anonymous_messages_to_nobody_are_released(self):
        sender = self.connect().sender(None)
        tag = sender.send(Message("hello?", address=f"{self.address}/nobody"))
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[tag].state, RELEASED)
        self.assertGreater(sender.credit, 0)

    def test_receivers_need_an_address(self):
        receiver = self.connect().receiver(None, credit=0)
        self.world.wait(lambda: receiver.detached is not None, "the refusal")
        self.assertEqual(receiver.detached[0], "qd:no-route-to-dest")

    def test_there_are_no_transactions(self):
        sender = self.connect().sender(None, coordinator=True)
        self.world.wait(lambda: sender.detached is not None, "the refusal")
        self.assertEqual(sender.detached[0], "amqp:precondition-failed")
        self.assertIn("can't coordinate transactions", sender.detached[1])

    def test_the_attach_echoes_the_termini(self):
        client = self.connect()
        receiver = client.receiver(self.address)
        self.assertEqual(receiver.link.remote_source.address, self.address)
        sender = client.sender(self.address)
        self.assertEqual(sender.link.remote_target.address, self.address)

    def test_a_client_may_talk_to_itself(self):
        client = self.connect()
        receiver = client.receiver(self.address, credit=1000)
        sender = client.sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        sender.send_all([str(number) for number in range(1000)])
        self.world.wait(lambda: len(sender.outcomes) == 1000, "all outcomes")
        self.assertEqual(receiver.bodies, [str(number) for number in range(1000)])
