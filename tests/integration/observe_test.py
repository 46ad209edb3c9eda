"""What the API tells of a running router: connections, links, addresses, figures."""

import time

from api_client import Api, ApiError
from clients import ssl_client
from harness import Certificates, RouterTest, free_port

CONNECTIONS, ADDRESSES, STATS = "ConnectionService/", "AddressService/", "StatsService/"
IN, OUT = 1, 2  # Connection.Direction, Link.Direction


class ObserveTest(RouterTest):
    def setUp(self):
        super().setUp()
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def connections(self, filter="", **fields):
        return list(self.api.call(CONNECTIONS + "ListConnections", filter=filter,
                                  **fields).connections)

    def connection(self, container, **fields):
        """The one of this container."""
        found = self.connections(f'container = "{container}"', **fields)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def links(self, filter="", parent="connections/-", **fields):
        return list(self.api.call(CONNECTIONS + "ListLinks", parent=parent, filter=filter,
                                  **fields).links)

    def links_here(self):
        """Those of the test's own address, the producer's first."""
        found = self.links(f'address = "{self.address}"', orderBy="direction, id")
        return found

    def eventually(self, look, what):
        """Lets the clients work until `look()` gives something."""
        found = []

        def is_there():
            found[:] = [look()]
            return bool(found[0])

        self.world.wait(is_there, what)
        return found[0]

    def fails(self, code, reason, method, **fields):
        with self.assertRaises(ApiError) as caught:
            self.api.call(method, **fields)
        self.assertEqual((caught.exception.code, caught.exception.reason), (code, reason),
                         str(caught.exception))
        return caught.exception

    def named(self, container, listener="plain", **options):
        """A client of this name."""
        client = self.world.connect(self.router.url(listener), wait=False, **options)
        client.connection.container = container
        self.world.wait(lambda: client.opened, f"open of {container}")
        return client


class Facts(ObserveTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.certificates.authority("ca")
        cls.certificates.issue("server", "/CN=localhost", "DNS:localhost")
        cls.certificates.issue("carol", "/CN=carol")
        path = cls.certificates.path
        cls.LISTENERS = {
            "plain": {},
            "mutual": {"tls_profile": "service", "tls_client_auth": "require",
                       "require_sasl": True, "sasl_mechanisms": ["EXTERNAL"]},
        }
        cls.CONFIG = {"tls_profiles": [{
            "name": "service", "certificate_file": path("server.crt"), "uid_format": "n",
            "private_key_file": path("server.key"), "ca_file": path("ca.crt")}]}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.certificates.close()

    def test_of_a_connection(self):
        before = time.time()
        client = self.named("a-client", properties={"product": "tests", "pid": 42},
                            virtual_host="east.example", heartbeat=10)
        row = self.connection("a-client", view="VIEW_FULL")
        self.assertEqual(row.name, f"connections/{row.id}")
        self.assertEqual((row.direction, row.owner), (IN, "listeners/plain"))
        self.assertEqual(row.local, f"127.0.0.1:{self.router.port()}")
        self.assertRegex(row.peer, r"^127\.0\.0\.1:\d+$")
        self.assertEqual((row.mechanism, row.user), ("ANONYMOUS", ""))
        self.assertFalse(row.HasField("tls"))
        opened = row.open_time.seconds + row.open_time.nanos / 1e9
        self.assertTrue(before - 1 < opened < time.time() + 1, (before, opened))
        self.assertGreater(row.traffic.bytes_received, 0)
        self.assertGreater(row.traffic.frames_sent, 0)
        peer = row.peer_open
        self.assertEqual((peer.properties["product"], peer.properties["pid"]), ("tests", "42"))
        self.assertEqual(peer.hostname, "east.example")
        self.assertGreater(peer.idle_timeout.seconds, 0)
        # The router has told the client its number.
        self.assertEqual(client.connection.remote_properties["qd.conn-id"], row.id)
        self.assertEqual(self.api.call(CONNECTIONS + "GetConnection", name=row.name).peer,
                         row.peer)

    def test_of_a_connection_with_tls_and_a_certificate(self):
        path = self.certificates.path
        domain = ssl_client(ca=path("ca.crt"), certificate=path("carol.crt"),
                            key=path("carol.key"))
        client = self.world.connect(f"amqps://localhost:{self.router.port('mutual')}",
                                    ssl_domain=domain, allowed_mechs="EXTERNAL", wait=False)
        client.connection.container = "with-tls"
        self.world.wait(lambda: client.opened, "open")
        row = self.connection("with-tls")
        self.assertEqual((row.mechanism, row.user), ("EXTERNAL", "carol"))
        self.assertEqual((row.tls.protocol, row.tls.tls_profile),
                         ("TLSv1.3", "tlsProfiles/service"))
        self.assertRegex(row.tls.cipher, "^TLS_")
        self.assertEqual(row.tls.peer_subject, "CN=carol")

    def test_of_one_that_the_router_has_made(self):
        port = free_port()
        self.world.listen(port, "the-broker")
        self.api.call("ConnectorService/CreateConnector", connectorId="to-broker",
                      connector={"spec": {"host": "127.0.0.1", "port": port}})
        row = self.eventually(lambda: self.connections('container = "the-broker"'), "it")[0]
        self.assertEqual((row.direction, row.owner), (OUT, "connectors/to-broker"))
        self.assertEqual(row.peer, f"127.0.0.1:{port}")
        self.api.call("ConnectorService/DeleteConnector", name="connectors/to-broker")

    def test_of_links_add_up_with_what_was_sent(self):
        consumer = self.named("consumer").receiver(self.address, credit=1000, name="my-link")
        producer = self.named("producer").sender(self.address)
        producer.send_all(["x"] * 300)
        producer.send_all(["x"] * 20, settled=True)
        self.world.wait(lambda: len(producer.outcomes) == 300 and len(consumer.received) == 320,
                        "all of them")
        incoming, outgoing = self.eventually(self.settled_by(300), "settlements")
        for row in (incoming, outgoing):
            self.assertEqual((row.deliveries, row.presettled, row.accepted), (320, 20, 300))
            self.assertEqual((row.unsettled, row.undelivered, row.rejected), (0, 0, 0))
            self.assertEqual((row.address, row.key), (self.address, "M0" + self.address))
        self.assertEqual((incoming.direction, outgoing.direction), (IN, OUT))
        self.assertEqual(outgoing.link_name, "my-link")
        self.assertEqual(outgoing.connection_id, self.connection("consumer").id)
        self.assertEqual(self.connection("consumer").traffic.outgoing_links, 1)
        self.assertEqual(self.connection("producer").traffic.incoming_links, 1)
        name = f"connections/{outgoing.connection_id}/links/{outgoing.id}"
        self.assertEqual(outgoing.name, name)
        self.assertEqual(self.api.call(CONNECTIONS + "GetLink", name=name).deliveries, 320)

    def settled_by(self, count):
        """Both links of this test's address, once so much was accepted."""
        def both():
            rows = self.links_here()
            return rows if [row.accepted for row in rows] == [count, count] else None
        return both

    def test_of_names_that_are_not_there(self):
        row = self.connection_of_this()
        self.fails("NOT_FOUND", "CONNECTION_NOT_FOUND", CONNECTIONS + "GetConnection",
                   name="connections/999999")
        self.fails("NOT_FOUND", "LINK_NOT_FOUND", CONNECTIONS + "GetLink",
                   name=f"{row.name}/links/5")
        self.fails("INVALID_ARGUMENT", "INVALID_NAME", CONNECTIONS + "GetConnection", name="x")

    def connection_of_this(self):
        self.named(self.address)
        return self.connection(self.address)


class Stalled(ObserveTest):
    def test_a_client_that_does_not_read_is_seen(self):
        from clients import World

        asleep = World()  # nobody lets it work once it is attached
        self.addCleanup(asleep.close)
        client = asleep.connect(self.router.url(), wait=False)
        client.connection.container = "asleep"
        asleep.wait(lambda: client.opened, "open")
        client.receiver(self.address, credit=10000)
        sender = self.connect().sender(self.address)
        self.assertEqual(self.connections("traffic.stalled_since:*"), [])
        body = b"\0Su\xb0\0\1\0\0" + bytes(65536)

        def is_seen():
            if sender.credit > 0:
                sender.send(body)
                return False
            return self.links("waiting = connection")

        link = self.eventually(is_seen, "that it is stalled")[0]
        found = self.connections("traffic.stalled_since:*")
        self.assertEqual([row.container for row in found], ["asleep"])
        self.assertGreater(found[0].traffic.output_bytes, 0)
        self.assertEqual((link.address, link.connection_id), (self.address, found[0].id))
        self.assertGreater(link.undelivered, 0)

    def test_a_consumer_without_credit_is_seen(self):
        self.connect().receiver(self.address, credit=0)
        sender = self.connect().sender(self.address)
        sender.send_all(["x"] * 3)
        link = self.eventually(lambda: self.links(f'address = "{self.address}" AND '
                                                  "waiting = credit AND undelivered = 3"), "it")
        self.assertTrue(link[0].HasField("no_credit_since"))


class Pages(ObserveTest):
    def test_of_a_thousand_links(self):
        client = self.connect()
        links = [client.sender(f"{self.address}/{i}", wait=False) for i in range(1000)]
        self.world.wait(lambda: all(link.answered for link in links), "a thousand links")
        seen, token, pages = [], "", 0
        while True:
            reply = self.api.call(CONNECTIONS + "ListLinks", parent="connections/-", pageSize=300,
                                  pageToken=token, filter=f'address:"{self.address}/"')
            seen += [link.address for link in reply.links]
            pages, token = pages + 1, reply.next_page_token
            if not token:
                break
        self.assertEqual((pages, len(seen)), (4, 1000))
        self.assertEqual(sorted(seen), sorted(f"{self.address}/{i}" for i in range(1000)))
        names = [link.name for link in self.links(pageSize=1000)]
        self.assertEqual(len(set(names)), 1000)
        self.fails("INVALID_ARGUMENT", "INVALID_ARGUMENT", CONNECTIONS + "ListLinks",
                   parent="connections/-", pageToken="junk")


class Ends(ObserveTest):
    def test_a_connection_is_closed_with_a_condition(self):
        client = self.named("unwanted")
        other = self.named("wanted")
        name = self.connection("unwanted").name
        was = self.api.call(CONNECTIONS + "CloseConnection", name=name, description="go away")
        self.assertEqual(was.connection.container, "unwanted")
        self.world.wait(lambda: client.closed is not None, "close")
        self.assertEqual(client.closed, ("amqp:connection:forced", "go away"))
        self.world.wait(lambda: not self.connections('container = "unwanted"'), "its end")
        self.fails("NOT_FOUND", "CONNECTION_NOT_FOUND", CONNECTIONS + "CloseConnection", name=name)
        self.assertIsNone(other.closed)

    def test_a_link_is_detached_with_a_condition(self):
        client = self.connect()
        producer = client.sender(self.address)
        consumer = client.receiver(self.address)
        incoming, outgoing = self.links_here()
        was = self.api.call(CONNECTIONS + "CloseLink", name=incoming.name, description="moved")
        self.assertEqual(was.link.address, self.address)
        self.world.wait(lambda: producer.detached is not None, "detach")
        self.assertEqual(producer.detached, ("amqp:link:detach-forced", "moved"))
        self.assertIsNone(consumer.detached)
        self.api.call(CONNECTIONS + "CloseLink", name=outgoing.name)
        self.world.wait(lambda: consumer.detached is not None, "detach")
        self.assertEqual(consumer.detached,
                         ("amqp:link:detach-forced", "detached by an operator"))
        self.assertIsNone(client.closed)
        self.assertEqual(self.links_here(), [])

    def test_messages_of_a_detached_consumer_go_to_another(self):
        first = self.connect().receiver(self.address, credit=10, outcome=None)
        sender = self.connect().sender(self.address)
        sender.send("x")
        self.world.wait(lambda: len(first.received) == 1, "a message")
        second = self.connect().receiver(self.address)
        self.api.call(CONNECTIONS + "CloseLink",
                      name=[row for row in self.links_here() if row.unsettled][-1].name)
        self.world.wait(lambda: sender.outcomes, "an outcome")
        sender.send("y")
        self.world.wait(lambda: second.bodies == ["y"], "the next one")


class Watching(ObserveTest):
    def test_connections_are_told_as_they_come_and_go(self):
        first = self.named("first")
        stream = self.api.stream(CONNECTIONS + "WatchConnections")
        self.addCleanup(stream.cancel)
        event = next(stream)
        self.assertEqual(event.added.container, "first")
        self.assertEqual(event.added, self.told(self.connection("first")))
        self.assertTrue(next(stream).HasField("synced"))
        self.named("second")
        event = next(stream)
        self.assertEqual(event.added.container, "second")
        self.assertEqual(event.added, self.told(self.connection("second")))
        first.close()
        event = next(stream)
        self.assertEqual(event.deleted.container, "first")
        # Whoever comes later goes on there.
        self.named("third")
        self.assertEqual(next(stream).added.container, "third")  # so control knows, too
        later = self.api.stream(CONNECTIONS + "WatchConnections", resumeToken=event.resume_token)
        self.addCleanup(later.cancel)
        self.assertEqual(next(later).added.container, "third")
        self.assertTrue(next(later).HasField("synced"))

    @staticmethod
    def told(row):
        """As a watch tells it."""
        row.ClearField("traffic")
        return row


class Addresses(ObserveTest):
    CONFIG = {"addresses": [
        {"prefix": "news", "distribution": "multicast"},
        {"prefix": "jobs", "waypoint": True},
        {"prefix": "off", "distribution": "unavailable"}]}

    def explain(self, address):
        return self.api.call(ADDRESSES + "ResolveAddress", address=address)

    def test_say_what_becomes_of_a_message(self):
        self.assertFalse(self.explain("news/a").deliverable)
        self.assertIn("nobody", self.explain("news/a").reason)
        receiver = self.connect().receiver("news/a")
        self.connect().receiver("news/a", credit=0)
        found = self.explain("amqp://any.host/news/a")
        self.assertTrue(found.deliverable, found)
        self.assertEqual((found.setting, found.consumer_count), ("addresses/news", 2))
        self.assertEqual(sum(worker.with_credit for worker in found.consumers), 1)
        # And so it is.
        sender = self.connect().sender("news/a")
        sender.send_all(["x"])
        self.world.wait(lambda: receiver.received, "the message")
        self.assertEqual(self.explain("off/x").reason, "the address is unavailable")
        self.assertIn("waypoint", self.explain("jobs/x").reason)
        self.assertEqual(self.explain("jobs/x").consumer_key, "M1jobs/x")
        self.fails("INVALID_ARGUMENT", "INVALID_FIELD", ADDRESSES + "ResolveAddress")

    def test_in_use_are_told_with_what_goes_over_them(self):
        address = f"news/{self.address}"
        receivers = [self.connect().receiver(address) for _ in range(2)]
        self.connect().sender(address).send_all(["x"] * 10)
        self.world.wait(lambda: all(len(each.received) == 10 for each in receivers), "all")
        route = self.api.call(ADDRESSES + "GetRoute", name=f"routes/{address}")
        self.assertEqual((route.consumers, route.producers), (2, 1))
        self.assertEqual((route.deliveries_in, route.deliveries_out), (10, 20))
        self.assertEqual(route.setting, "addresses/news")
        listed = self.api.call(ADDRESSES + "ListRoutes", filter="consumers = 2")
        self.assertEqual([row.name for row in listed.routes], [route.name])
        setting = self.api.call(ADDRESSES + "GetAddress", name="addresses/news")
        self.assertEqual((setting.status.consumers, setting.status.deliveries_out), (2, 20))
        listed = self.api.call(ADDRESSES + "ListAddresses")
        self.assertEqual({row.name: row.status.routes for row in listed.addresses},
                         {"addresses/news": 1, "addresses/jobs": 0, "addresses/off": 0})
        self.fails("NOT_FOUND", "ROUTE_NOT_FOUND", ADDRESSES + "GetRoute", name="routes/nobody")


class Figures(ObserveTest):
    def test_grow_with_what_is_sent(self):
        before = self.api.call(STATS + "GetStats")
        receiver = self.connect().receiver(self.address)
        self.connect().sender(self.address).send_all(["x"] * 50)
        self.world.wait(lambda: len(receiver.received) == 50, "all")
        now = self.api.call(STATS + "GetStats")
        self.assertEqual(now.router.deliveries_in - before.router.deliveries_in, 50)
        self.assertEqual(now.router.connections_total - before.router.connections_total, 2)
        self.assertEqual([owner.name for owner in now.owners], ["listeners/plain"])
        self.assertEqual(now.owners[0].opened - before.owners[0].opened, 2)
        self.assertGreater(now.workers[0].turns, 0)
        self.assertGreater(now.router.memory_budget_bytes, 0)

    def test_are_told_as_rates(self):
        receiver = self.connect().receiver(self.address)
        sender = self.connect().sender(self.address)
        stream = self.api.stream(STATS + "WatchStats", interval="1s", limit=5, parts=[
            "STATS_PART_ROUTER", "STATS_PART_ROUTES", "STATS_PART_LINKS"])
        self.addCleanup(stream.cancel)
        self.assertFalse(next(stream).HasField("interval"))
        sender.send_all(["x"] * 100)
        self.world.wait(lambda: len(receiver.received) == 100, "all")
        came = went = 0
        while went < 99.9:
            update = next(stream)
            seconds = update.interval.seconds + update.interval.nanos / 1e9
            self.assertGreaterEqual(seconds, 1.0)
            came += update.router_rates.deliveries_in * seconds
            went += sum(row.deliveries_out for row in update.route_rates
                        if row.address == self.address) * seconds
            busy = [row.address for row in update.link_rates if row.deliveries > 0]
            self.assertIn(busy, ([], [self.address] * 2))
        self.assertAlmostEqual(came, 100, places=3)
        self.assertAlmostEqual(went, 100, places=3)
        # Nobody has sent anything since.
        self.assertEqual(next(stream).router_rates.deliveries_in, 0)

    def test_have_intervals_within_bounds(self):
        stream = self.api.stream(STATS + "WatchStats", interval="0.05s")
        with self.assertRaises(Exception) as caught:
            next(stream)
        self.assertEqual(ApiError(caught.exception).reason, "INVALID_FIELD")
