"""Many who watch at once: nobody waits for who is slow, memory stays bounded, and the last place is
the last."""

import asyncio
import threading
import unittest

import grpc

import harness
from api_client import PACKAGE, Api, ApiError
from core_test import is_sanitized
from harness import Router

WATCHERS = 1000
PER_CONNECTION = 50
UPDATES = 100
# A change is told in about 4 KiB: a hundred are more than a stream takes that nobody reads.
LABELS = {f"label-{number}": "x" * 250 for number in range(15)}
GROWTH_KIB = 64 << 10
LIMIT = 2000  # of watches per kind
WATCH = "AddressService/WatchAddresses"
NAME = "addresses/watched"


_kept = []  # a connection, so that the last one is never gone


class Crowd(Api):
    """A connection of asyncio's: for many streams, without a thread for each."""

    def __init__(self, target, *options):  # in the loop that reads
        self.channel = grpc.aio.insecure_channel(
            target, [("grpc.use_local_subchannel_pool", 1), *options])
        self.patience = None

    async def call(self, method, /, **fields):
        return await self._stub(method, PACKAGE)(self._request(method, PACKAGE, fields),
                                                 timeout=self.timeout())


def number_in(answer):
    """Which change it tells; None: it tells none."""
    told = answer.added if answer.HasField("added") else answer.modified
    return int(told.labels["number"]) if "number" in told.labels else None


async def until(stream, reached):
    """Reads answers to the first one that is it; returns all."""
    answers = []
    async for answer in stream:
        answers.append(answer)
        if reached(answer):
            return answers
    raise AssertionError(f"ended after {len(answers)} answers")


async def update(api, number):
    labels = {**LABELS, "number": str(number)}
    await api.call("AddressService/UpdateAddress", allowMissing=True,
                   address={"name": NAME, "labels": labels, "spec": {"prefix": "watched"}})


def is_synced(answer):
    return answer.HasField("synced")


def is_last(answer):
    return number_in(answer) == UPDATES


class Watches(unittest.TestCase):
    """All that is asyncio's runs in one loop that never ends: gRPC 1.51 waits for itself when its
    last connection is gone."""

    loop = None

    @classmethod
    def setUpClass(cls):
        if Watches.loop is None:
            Watches.loop = asyncio.new_event_loop()
            threading.Thread(target=Watches.loop.run_forever, daemon=True).start()

    def setUp(self):
        self.router = Router({"plain": {}})
        self.addCleanup(self.router.close)
        self.connections = []
        self.api = None

    def run_in_loop(self, test):
        asyncio.run_coroutine_threadsafe(self.with_connections(test), self.loop).result(
            2 * harness.PATIENCE)

    async def with_connections(self, test):
        _kept.append(self.connect())
        self.api = self.connect()
        try:
            await test()
        finally:
            for connection in self.connections:
                await connection.channel.close()

    def connect(self, *options):
        self.connections.append(Crowd(f"unix:{self.router.socket()}", *options))
        return self.connections[-1]

    def test_a_thousand_do_not_wait_for_one_who_is_slow(self):
        self.run_in_loop(self.one_is_slow)

    def test_the_last_place_is_the_last(self):
        if is_sanitized():
            self.skipTest("not run: sanitizers are too slow for two thousand watches")
        self.run_in_loop(self.all_places_taken)

    async def watch(self, count):
        """So many watches, which have been told what is there."""
        connections = [self.connect() for _ in range(0, count, PER_CONNECTION)]
        streams = [connections[index // PER_CONNECTION].stream(WATCH) for index in range(count)]
        await asyncio.gather(*(until(stream, is_synced) for stream in streams))
        return streams

    async def one_is_slow(self):
        await update(self.api, 0)
        # Its window does not grow, and nobody reads.
        slow = self.connect(("grpc.http2.bdp_probe", 0)).stream(WATCH)
        await until(slow, is_synced)
        # The thread sanitizer makes each answer ten times as dear.
        streams = await self.watch(WATCHERS // (10 if is_sanitized() else 1) - 1)
        before = self.router.resident_kib()
        readers = asyncio.gather(*(until(stream, is_last) for stream in streams))
        for number in range(1, UPDATES + 1):
            await update(self.api, number)
        for answers in await readers:
            self.assertEqual(number_in(answers[-1]), UPDATES)
        if not is_sanitized():  # sanitizers keep what was freed
            self.assertLess(self.router.resident_kib("VmHWM") - before, GROWTH_KIB)
        # And he is told the end as well, but not all that was between. Bookmarks may stand there:
        # under sanitizers he hears nothing for long.
        told = [number_in(answer) for answer in await until(slow, is_last)
                if not answer.HasField("bookmark")]
        self.assertLess(len(told), UPDATES)
        self.assertEqual(told, sorted(told))

    async def beyond(self, method):
        """One more watch: None, or why not."""
        stream = self.api.stream(method)
        try:
            await until(stream, lambda answer: True)
        except grpc.RpcError as error:
            return ApiError(error)
        stream.cancel()
        return None

    async def all_places_taken(self):
        await update(self.api, 0)
        streams = await self.watch(LIMIT)
        error = await self.beyond(WATCH)
        self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "TOO_MANY_WATCHERS"))
        # Of another kind there is room; and here, once the router has heard that one has gone.
        self.assertIsNone(await self.beyond("ListenerService/WatchListeners"))
        streams.pop().cancel()
        while await self.beyond(WATCH) is not None:
            await asyncio.sleep(0.01)
        # All of the others are told what happens.
        await update(self.api, UPDATES)
        await asyncio.gather(*(until(stream, is_last) for stream in streams))


if __name__ == "__main__":
    unittest.main()
