"""The router's own settings: over the API, by the file, after a restart and after SIGKILL."""

import json
import os
import signal
import unittest

import harness
from api_client import Api, ApiError
from clients import World
from harness import Router

GET, UPDATE = "RouterService/GetRouter", "RouterService/UpdateRouter"


class RouterSettingsTest(unittest.TestCase):
    """A router whose state is in its own folder, and that follows its file only when it is told."""

    def setUp(self):
        self.router = Router({"plain": {}}, router={"watch_config": False})
        self.addCleanup(lambda: self.router.close())
        with open(self.router.config_file, encoding="utf-8") as file:
            self.config = json.load(file)
        self.config["control"]["state_directory"] = os.path.join(self.router.directory, "state")
        self.write()
        self.world = World()
        self.addCleanup(self.world.close)
        self.restart()

    def write(self, **router):
        self.config["router"].update(router)
        with open(self.router.config_file, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)

    def restart(self):
        """Ends what there is by SIGKILL, and starts it anew."""
        self.router.process.kill()
        self.router.process.wait()
        self.router.forget_log()
        self.router.start([harness.TRUNKD, "--config", self.router.config_file])
        self.router.wait_for_line(lambda line: '"API"' in line, "that its API is there")
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def reload(self, end):
        """`end`: what the log says of it."""
        before = len(self.router.lines)
        self.router.process.send_signal(signal.SIGHUP)
        self.router.wait_for_line(
            lambda line: end in line and line in self.router.lines[before:], end)

    def set(self, **spec):
        return self.api.call(UPDATE, router={"spec": spec})

    def connect(self):
        client = self.world.connect(self.router.url(), wait=False)
        self.world.wait(lambda: client.opened or client.gone, "an answer")
        return client

    def fill(self, places):
        """Takes all places, and sees that there is no other."""
        clients = [self.connect() for _ in range(places)]
        self.assertTrue(all(client.opened for client in clients))
        self.assertFalse(self.connect().opened)
        return clients

    def test_a_maximum_of_connections_is_in_force_at_once_and_after_a_kill(self):
        etag = self.api.call(GET).etag
        change = self.set(maxConnections=2)
        self.assertTrue(change.persisted)
        self.assertNotEqual(change.router.etag, etag)
        self.assertEqual(list(change.router.set_over_api.paths), ["max_connections"])
        first, second = self.fill(2)
        # Who is there stays.
        self.set(maxConnections=1)
        self.assertFalse(self.connect().opened)
        self.assertFalse(first.gone or second.gone)
        self.restart()
        self.assertEqual(self.api.call(GET).spec.max_connections, 1)
        self.fill(1)
        # Put back, for good.
        self.api.call(UPDATE, router={}, updateMask="spec.maxConnections")
        self.restart()
        router = self.api.call(GET)
        self.assertEqual(router.etag, etag)
        self.assertFalse(router.HasField("set_over_api"))
        for _ in range(3):
            self.assertTrue(self.connect().opened)

    def test_a_default_distribution_counts_for_addresses_that_come(self):
        self.set(defaultDistribution="DISTRIBUTION_MULTICAST")
        receivers = [self.connect().receiver("news/a") for _ in range(2)]
        sender = self.connect().sender("news/a")
        sender.send_all(["to all"])
        self.world.wait(lambda: all(r.bodies == ["to all"] for r in receivers), "both")
        resolved = self.api.call("AddressService/ResolveAddress", address="news/b")
        self.assertEqual(resolved.distribution, 3)

    def test_a_file_that_is_read_again_is_in_force_at_once(self):
        self.write(max_connections=1)
        self.reload('"reloaded"')
        self.assertFalse(any("need a restart" in line for line in self.router.lines))
        first, = self.fill(1)
        self.write(max_connections=1000001)
        self.reload("nothing was changed")
        self.assertFalse(self.connect().opened)
        self.assertFalse(first.gone)
        # What runs keeps these, and says so.
        self.write(max_connections=0, id="other")
        self.reload("need a restart")
        self.assertTrue(self.connect().opened)

    def test_what_the_file_says_is_the_files(self):
        before = self.api.call(GET).SerializeToString(deterministic=True)
        with self.assertRaises(ApiError) as caught:
            self.set(drainTimeout="3s")
        self.assertEqual(caught.exception.reason, "READ_ONLY_SOURCE")
        with open(self.router.config_file, encoding="utf-8") as file:
            line = 1 + next(number for number, text in enumerate(file)
                            if '"drain_timeout"' in text)
        place = f"{self.router.config_file}:{line}"
        self.assertEqual(caught.exception.metadata["place"], place)
        self.assertIn(place, caught.exception.text)
        self.assertEqual(self.api.call(GET).SerializeToString(deterministic=True), before)
        # Nor the other way round.
        self.set(maxConnections=5)
        self.write(max_connections=6)
        self.reload("router.max_connections: is set over the API already")
        self.assertEqual(self.api.call(GET).spec.max_connections, 5)

    def test_the_file_is_followed_again_when_that_is_asked_for(self):
        del self.config["router"]["watch_config"]
        self.write()
        self.restart()
        # In force: by the next call nobody looks at the file any more.
        self.set(watchConfig=False)
        self.assertFalse(self.api.call(GET).spec.watch_config)
        self.write(max_connections=1)
        self.api.call(UPDATE, router={}, updateMask="spec.watchConfig")
        self.router.wait_for_line(lambda line: '"reloaded"' in line, "that it has read its file")
        self.fill(1)

    def test_is_told_to_who_listens_and_written_down(self):
        etag = self.set(maxConnections=5).router.etag
        self.write(memory_budget_bytes=1 << 30)
        self.reload('"reloaded"')
        told = []
        for reply in self.api.stream("RouterService/WatchEvents", backlog=100,
                                     filter='subject = "router" AND type = "resource.updated"'):
            if reply.WhichOneof("event") == "bookmark":
                break
            told.append(dict(reply.happened.fields))
        self.assertEqual(told[0], {"source": "API", "etag": etag})
        self.assertEqual(told[1]["source"], "CONFIG_FILE")
        self.assertEqual(told[1]["etag"], self.api.call(GET).etag)
        audit = [line for line in self.router.lines if f"method={UPDATE}" in line]
        self.assertEqual(len(audit), 1, self.router.log())
        self.assertIn(f"etag={etag}", audit[0])

    def test_the_drain_takes_as_long_as_was_set(self):
        del self.config["router"]["drain_timeout"]
        self.write()
        self.restart()
        self.set(drainTimeout="0.2s")
        receiver = self.connect().receiver("kept", outcome=None)
        sender = self.connect().sender("kept")
        sender.send("x")
        self.world.wait(lambda: receiver.received, "the message")
        self.router.process.send_signal(signal.SIGTERM)
        self.router.wait_for_line(lambda line: "drained" in line and "complete=false" in line,
                                  "that its time was up")
        self.router.wait_for_exit()
        self.assertTrue(any("draining" in line and "limit_ms=200" in line
                            for line in self.router.lines), self.router.log())


if __name__ == "__main__":
    unittest.main()
