"""Credit, drain and many links."""

from clients import ACCEPTED, RELEASED
from harness import RouterTest


class Credit(RouterTest):
    LISTENERS = {"plain": {}, "narrow": {"link_capacity": 10}}

    def test_none_before_a_receiver_exists_then_250(self):
        client = self.connect()
        sender = client.sender(self.address)
        self.world.barrier(client)
        self.assertEqual(sender.credit, 0)
        self.connect().receiver(self.address, credit=0)
        self.world.wait(lambda: sender.credit > 0, "credit")
        self.world.barrier(client)
        self.assertEqual(sender.credit, 250)

    def test_at_once_for_anonymous_senders(self):
        sender = self.connect().sender(None)
        self.world.wait(lambda: sender.credit > 0, "credit")
        self.assertEqual(sender.credit, 250)

    def test_returns_with_settlement_only(self):
        receiver = self.connect().receiver(self.address, credit=1000, outcome=None)
        client = self.connect()
        sender = client.sender(self.address)
        self.world.wait(lambda: sender.credit == 250, "credit")
        for number in range(250):
            sender.send(str(number))
        self.world.wait(lambda: len(receiver.received) == 250, "all messages")
        self.world.barrier(client)
        self.assertEqual(sender.credit, 0)
        for received in receiver.received[:100]:
            received.settle(ACCEPTED)
        self.world.wait(lambda: sender.credit == 100, "credit for what was settled")
        self.world.barrier(client)
        self.assertEqual(sender.credit, 100)

    def test_returns_at_once_for_pre_settled(self):
        self.connect().receiver(self.address, credit=10_000)
        sender = self.connect().sender(self.address)
        sender.send_all([str(number) for number in range(2000)], settled=True)
        # The router grants in batches: as soon as half is used up.
        self.world.wait(lambda: sender.credit >= 125, "credit back")

    def test_is_as_configured(self):
        self.connect().receiver(self.address, credit=0)
        sender = self.connect("narrow").sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        self.assertEqual(sender.credit, 10)

    def test_of_receivers_is_kept_exactly(self):
        client = self.connect()
        receiver = client.receiver(self.address, credit=0)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        for number in range(20):
            sender.send(str(number))
        self.world.barrier(sender.client)
        given = 0
        for credit in (1, 3, 7):
            given += credit
            receiver.flow(credit)
            self.world.wait(lambda: len(receiver.received) >= given, "what there is credit for")
            self.world.barrier(client)
            self.assertEqual(len(receiver.received), given)

    def test_stays_when_the_last_receiver_leaves(self):
        client = self.connect()
        sender = client.sender(self.address)
        receiver = self.connect().receiver(self.address)
        self.world.wait(lambda: sender.credit == 250, "credit")
        receiver.client.close()
        self.world.barrier(client)
        self.assertEqual(sender.credit, 250)
        # What is sent then comes back, and the rest of the credit is called in.
        tag = sender.send("too late")
        self.world.wait(lambda: tag in sender.outcomes, "the outcome")
        self.assertEqual(sender.outcomes[tag].state, RELEASED)
        self.world.wait(lambda: sender.drains == 1, "drain")
        self.assertEqual(sender.credit, 0)
        again = self.connect().receiver(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit again")
        sender.send("in time")
        self.world.wait(lambda: again.bodies == ["in time"], "the message")

    def test_pre_settled_to_nobody_is_dropped(self):
        client = self.connect()
        sender = client.sender(self.address)
        receiver = self.connect().receiver(self.address)
        self.world.wait(lambda: sender.credit == 250, "credit")
        receiver.client.close()
        sender.send("lost", settled=True)
        self.world.barrier(client)
        again = self.connect().receiver(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit again")
        sender.send("kept", settled=True)
        self.world.wait(lambda: again.received, "the message")
        self.assertEqual(again.bodies, ["kept"])


    def test_pre_settled_overflow_drops_the_middle(self):
        receiver = self.connect().receiver(self.address, credit=0)
        sender = self.connect().sender(self.address)
        sender.send_all([str(number) for number in range(1000)], settled=True)
        self.world.barrier(sender.client)
        receiver.flow(2000)
        self.world.wait(lambda: receiver.bodies[-1:] == ["999"], "the newest")
        self.assertEqual(receiver.bodies[0], "0", "the oldest is being sent")
        self.assertLessEqual(len(receiver.bodies), 251)

    def test_a_receiver_without_credit_does_not_hold_up_the_others(self):
        self.connect().receiver(self.address, credit=0)
        quick = self.connect().receiver(self.address, credit=5000)
        sender = self.connect().sender(self.address)
        sender.send_all([str(number) for number in range(2000)])
        # Half of the credit at most is queued for the one without; the rest goes by.
        self.world.wait(lambda: len(quick.received) >= 1800, "most messages")


class Drain(RouterTest):
    def drain(self, receiver, credit):
        receiver.link.drain(credit)
        self.world.wait(lambda: not receiver.link.draining(), "end of the drain")
        receiver.link.drain_mode = False

    def test_ends_at_once_without_messages(self):
        receiver = self.connect().receiver(self.address, credit=0)
        self.drain(receiver, 10)
        self.assertEqual(receiver.link.credit, 0)
        self.assertEqual(receiver.received, [])

    def test_ends_at_once_while_credit_is_open(self):
        receiver = self.connect().receiver(self.address, credit=50)
        self.world.barrier(receiver.client)
        self.drain(receiver, 0)
        self.assertEqual(receiver.link.credit, 0)

    def test_takes_what_waits_first(self):
        receiver = self.connect().receiver(self.address, credit=0)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        for number in range(5):
            sender.send(str(number))
        self.world.barrier(sender.client)
        self.drain(receiver, 3)
        self.assertEqual(receiver.bodies, ["0", "1", "2"])
        self.drain(receiver, 10)
        self.assertEqual(receiver.bodies, ["0", "1", "2", "3", "4"])
        self.assertEqual(receiver.link.credit, 0)

    def test_leaves_a_link_that_works_on(self):
        receiver = self.connect().receiver(self.address, credit=0)
        sender = self.connect().sender(self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        for number in range(5):
            self.drain(receiver, 10)
            receiver.flow(1)
            sender.send(str(number))
            self.world.wait(lambda: len(receiver.received) == number + 1, "the message")
        self.assertEqual(receiver.bodies, ["0", "1", "2", "3", "4"])


class ManyLinks(RouterTest):
    def test_four_hundred_links_on_one_connection(self):
        client = self.connect()
        receivers = [client.receiver(f"{self.address}/{n}", wait=False) for n in range(200)]
        senders = [client.sender(f"{self.address}/{n}", wait=False) for n in range(200)]
        self.world.wait(lambda: all(sender.credit > 0 for sender in senders), "credit for all")
        for number, sender in enumerate(senders):
            for turn in range(5):
                sender.send(f"{number}:{turn}")
        self.world.wait(lambda: all(len(s.outcomes) == 5 for s in senders), "all outcomes")
        for number, receiver in enumerate(receivers):
            self.assertEqual(receiver.bodies, [f"{number}:{turn}" for turn in range(5)])

    def test_links_over_many_sessions(self):
        client = self.connect()
        pairs = []
        for number in range(50):
            session = client.session()
            address = f"{self.address}/{number}"
            pairs.append((client.receiver(address, wait=False, session=session),
                          client.sender(address, wait=False, session=session)))
        self.world.wait(lambda: all(sender.credit > 0 for _, sender in pairs), "credit for all")
        for number, (_, sender) in enumerate(pairs):
            sender.send(str(number))
        self.world.wait(lambda: all(len(r.received) == 1 for r, _ in pairs), "all messages")
        self.assertEqual([r.bodies for r, _ in pairs], [[str(n)] for n in range(50)])

    def test_links_come_and_go(self):
        client = self.connect()
        for number in range(300):
            receiver = client.receiver(self.address, name=f"again-{number % 3}")
            sender = client.sender(self.address, name=f"again-{number % 3}")
            self.world.wait(lambda: sender.credit > 0, "credit")
            sender.send(str(number))
            self.world.wait(lambda: sender.outcomes, "the outcome")
            self.assertEqual(receiver.bodies, [str(number)])
            for link in (receiver.link, sender.link):
                link.close()
            self.world.wait(lambda: sender.detached and receiver.detached, "both detaches")
            sender.link.free()
            receiver.link.free()

    def test_a_thousand_receivers_of_one_address(self):
        client = self.connect()
        receivers = [client.receiver(self.address, wait=False) for _ in range(1000)]
        self.world.wait(lambda: all(r.answered for r in receivers), "all attaches")
        sender = self.connect().sender(self.address)
        sender.send_all([str(number) for number in range(1000)])
        self.world.wait(lambda: len(sender.outcomes) == 1000, "all outcomes")
        self.assertEqual(sum(len(receiver.received) for receiver in receivers), 1000)
        # Among so many the choice is a matter of chance, but not of favour.
        self.assertLess(max(len(receiver.received) for receiver in receivers), 20)
