"""Proton's C++ clients, in processes of their own."""

import os
import subprocess
import unittest

import harness
from harness import Router


class ProtonCpp(unittest.TestCase):
    router = None

    @classmethod
    def setUpClass(cls):
        if not harness.CLIENTS:
            raise unittest.SkipTest("--clients is not given")
        cls.router = Router()

    @classmethod
    def tearDownClass(cls):
        status = cls.router.close()
        assert status == 0, f"trunkd ended with status {status}:\n{cls.router.log()}"

    def program(self, name, *arguments):
        process = subprocess.Popen(
            [os.path.join(harness.CLIENTS, f"proton_cpp_{name}"), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def receiver(self, count, outcome="accept", address="orders"):
        process = self.program("receiver", self.router.url(), address, count, outcome)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def result(self, process):
        output, errors = process.communicate(timeout=harness.PATIENCE)
        self.assertEqual(process.returncode, 0, errors)
        return dict(pair.split("=") for pair in output.split())

    def exchange(self, count, outcome="accept", mode=()):
        receiver = self.receiver(count, outcome, self.id())
        sender = self.program("sender", self.router.url(), self.id(), count, *mode)
        return self.result(sender), self.result(receiver)

    def test_unsettled_messages_are_accepted_in_order(self):
        sent, received = self.exchange(20_000)
        self.assertEqual(sent, {"accepted": "20000", "rejected": "0", "released": "0",
                                "settled": "20000"})
        self.assertEqual(received, {"received": "20000", "presettled": "0", "in_order": "1"})

    def test_pre_settled_messages_arrive_settled(self):
        # No more than the receiver's credit: beyond it, what is pre-settled may be dropped.
        sent, received = self.exchange(100, mode=["presettled"])
        self.assertEqual(sent["settled"], "100")
        self.assertEqual(received, {"received": "100", "presettled": "99", "in_order": "1"})

    def test_rejections_are_seen(self):
        sent, received = self.exchange(1000, "reject")
        self.assertEqual((sent["rejected"], sent["settled"]), ("1000", "1000"))
        self.assertEqual(received["received"], "1000")

    def test_releases_are_seen(self):
        sent, _ = self.exchange(1000, "release")
        self.assertEqual((sent["released"], sent["settled"]), ("1000", "1000"))

    def test_a_killed_receiver_gives_back(self):
        address = self.id()
        receiver = self.receiver(10**6, "accept", address)
        sender = self.program("sender", self.router.url(), address, 50_000)
        receiver.kill()
        receiver.wait()
        spare = self.receiver(10**6, "accept", address)
        sent = self.result(sender)
        self.assertEqual(sent["settled"], "50000")
        self.assertEqual(sent["rejected"], "0")
        spare.kill()
