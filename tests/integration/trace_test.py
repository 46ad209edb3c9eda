"""Looking into a running router over the API: events, log, messages on their way, frames."""

import signal
import socket
import threading

import grpc
from proton import Message, symbol

from api_client import Api, ApiError
from clients import RELEASED
from harness import Router, RouterTest
from sasl_test import PASSWORD, Folder

EVENTS = "RouterService/WatchEvents"
LOGS = "TraceService/WatchLogs"
TAP = "TraceService/TapMessages"
FRAMES = "TraceService/TraceFrames"


class Stream:
    """A stream of answers, read by a thread of its own into `answers`."""

    def __init__(self, world, call):
        self.world, self.call = world, call
        self.answers = []
        self.code = None  # once it has ended
        self.details = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for answer in self.call:
                self.answers.append(answer)
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code, self.details = error.code(), error.details()
        self.code = code.name

    def wait(self, found, what):
        """What `found` makes of the answers so far, once it is something."""
        seen = []

        def look():
            seen[:] = [found(self.answers)]
            return bool(seen[0]) or self.code is not None

        self.world.wait(look, what)
        if not seen[0]:
            raise AssertionError(f"ended ({self.code} {self.details}) without {what}: "
                                 f"{self.answers}")
        return seen[0]

    def ended(self):
        self.world.wait(lambda: self.code is not None, "the end of the stream")
        return self.code

    def cancel(self):
        self.call.cancel()
        self._thread.join()


class TraceTest(RouterTest):
    def setUp(self):
        super().setUp()
        self.api = Api(f"unix:{self.router.socket()}")
        self.addCleanup(self.api.close)

    def stream(self, method, api=None, /, **fields):
        stream = Stream(self.world, (api or self.api).stream(method, **fields))
        self.addCleanup(stream.cancel)
        return stream

    def look(self, method, **fields):
        """A stream that has begun. Those of earlier tests may have their places for a moment."""
        begun = []

        def begin():
            begun[:] = [self.stream(method, None, **fields)]
            self.world.wait(lambda: begun[0].answers or begun[0].code, "its begin")
            return begun[0].code != "RESOURCE_EXHAUSTED"

        self.world.wait(begin, "a place")
        begun[0].wait(lambda answers: answers, "its begin")
        return begun[0]

    def tap(self, **fields):
        """One that sees messages from here on."""
        return self.look(TAP, **fields)

    def samples(self, tap, count):
        """The first so many of a tap."""
        return tap.wait(lambda answers: [a.sample for a in answers if a.HasField("sample")][:count]
                        if len(answers) > count else None, f"{count} samples")

    def failure(self, method, **fields):
        with self.assertRaises(ApiError) as caught:
            try:
                for _ in self.api.stream(method, **fields):
                    pass
            except grpc.RpcError as error:
                raise ApiError(error) from None
        return caught.exception


class Events(TraceTest):
    def happened(self, stream, kind, **wanted):
        """The first event of this type with these fields."""
        def find(answers):
            for answer in answers:
                event = answer.happened
                if event.type == kind and all(event.fields.get(key) == value
                                              for key, value in wanted.items()):
                    return event
            return None

        return stream.wait(find, f"{kind} {wanted}")

    def test_tells_the_life_of_a_connection(self):
        events = self.stream(EVENTS, None, filter='type:connection')
        events.wait(lambda answers: answers, "a bookmark")
        client = self.connect()
        opened = self.happened(events, "connection.opened",
                               container_id=client.connection.container)
        self.assertRegex(opened.subject, r"^connections/\d+$")
        self.assertEqual((opened.fields["owner"], opened.fields["direction"]),
                         ("listeners/plain", "in"))
        self.assertRegex(opened.fields["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertNotIn("user", opened.fields)
        client.close()
        closed = self.happened(events, "connection.closed", peer=opened.fields["peer"])
        self.assertEqual(closed.subject, opened.subject)
        self.assertNotIn("error", closed.fields)

    def test_goes_on_behind_a_token(self):
        first = self.stream(EVENTS, None, filter='type = "connection.opened"')
        token = first.wait(lambda answers: answers and answers[0].resume_token, "a bookmark")
        first.cancel()
        one = self.connect()
        two = self.connect()
        again = self.stream(EVENTS, None, filter='type = "connection.opened"', resume_token=token)
        for client in (one, two):
            self.happened(again, "connection.opened", container_id=client.connection.container)
        self.assertEqual(self.failure(EVENTS, resume_token="nonsense").reason,
                         "RESUME_TOKEN_EXPIRED")
        self.assertEqual(self.failure(EVENTS, filter="nothing = 1").reason, "INVALID_FILTER")

    def test_tells_changes_of_resources(self):
        events = self.stream(EVENTS, None, filter='subject = "listeners/second"')
        events.wait(lambda answers: answers, "a bookmark")
        spec = {"host": "127.0.0.1", "port": 0}
        self.api.call("ListenerService/CreateListener", listener_id="second",
                      listener={"spec": spec})
        created = self.happened(events, "resource.created", source="API")
        self.assertTrue(created.fields["etag"])
        self.happened(events, "listener.up")
        self.api.call("ListenerService/DeleteListener", name="listeners/second")
        self.happened(events, "listener.down")
        self.happened(events, "resource.deleted")

    def test_tells_reloads_and_drains(self):
        router = Router()
        self.addCleanup(router.close)
        api = Api(f"unix:{router.socket()}")
        self.addCleanup(api.close)
        events = self.stream(EVENTS, api, backlog=1000)
        self.happened(events, "listener.up")
        with open(router.config_file, encoding="utf-8") as file:
            good = file.read()
        for text, kind in (("{", "config.refused"), (good, "config.reloaded")):
            with open(router.config_file, "w", encoding="utf-8") as file:
                file.write(text)
            router.process.send_signal(signal.SIGHUP)
            self.happened(events, kind, file=router.config_file)
        api.call("RouterService/Shutdown")
        self.happened(events, "router.draining")
        self.assertEqual(router.wait_for_exit(), 0)


class Log(TraceTest):
    def level(self, module="net"):
        levels = self.api.call("TraceService/GetLogLevels")
        return next(each for each in levels.modules if each.module == module)

    def test_tells_what_is_written(self):
        logs = self.stream(LOGS, None, follow=True, module="net", level="LOG_LEVEL_INFO")
        # The first may come before the stream has begun; it has when the second comes.
        for _ in range(2):
            client = self.connect()
            record = logs.wait(
                lambda answers, name=client.connection.container: [
                    a.record for a in answers if a.record.message == "connection opened"
                    and a.record.fields["container"] == name],
                "the record")[0]
            self.assertEqual((record.module, record.fields["owner"]), ("net", "plain"))
            self.assertIn("id", record.fields)

    def test_tells_what_was_written_and_ends(self):
        logs = self.stream(LOGS)
        self.assertEqual(logs.ended(), "OK")
        phrases = [answer.record.message for answer in logs.answers]
        self.assertIn("listening", phrases)
        self.assertIn("router started", phrases)

    def test_a_level_goes_back_when_its_time_is_over(self):
        self.assertEqual(self.level().overridden, False)
        self.api.call("TraceService/SetLogLevel", module="net", level="LOG_LEVEL_TRACE",
                      ttl="0.300s")
        set_level = self.level()
        if set_level.overridden:  # a slow machine may be too late to see it
            self.assertEqual(set_level.level, set_level.configured_level - 2)
            self.assertTrue(set_level.HasField("expire_time"))
        self.world.wait(lambda: not self.level().overridden, "the level as it was")
        self.assertEqual(self.level().level, self.level().configured_level)

    def test_a_level_stays_over_a_reload_until_it_is_put_back(self):
        self.api.call("TraceService/SetLogLevel", module="net", level="LOG_LEVEL_ERROR")
        self.addCleanup(self.api.call, "TraceService/SetLogLevel")
        events = self.stream(EVENTS)
        events.wait(lambda answers: answers, "a bookmark")
        self.router.process.send_signal(signal.SIGHUP)
        events.wait(lambda answers: [a for a in answers if a.happened.type == "config.reloaded"],
                    "the reload")
        self.assertTrue(self.level().overridden)
        self.assertGreater(self.level().level, self.level().configured_level)
        self.api.call("TraceService/SetLogLevel", module="net")
        self.assertFalse(self.level().overridden)


class Tap(TraceTest):
    def pair(self):
        """A producer and a consumer of this test's address, on connections of their own."""
        receiver = self.connect().receiver(self.address)
        return self.connect().sender(self.address), receiver

    def test_sees_exactly_what_is_sent(self):
        sender, receiver = self.pair()
        tap = self.tap(address=self.address, body_bytes=100)
        message = Message(body="hello", id="id-1", subject="greeting", correlation_id=17,
                          durable=True, priority=7,
                          properties={"count": 3, "region": "eu", "flag": True})
        message.annotations = {symbol("x-opt-note"): "a"}
        sender.send(message)
        sender.send(Message("settled"), settled=True)
        first, second = self.samples(tap, 2)
        self.world.wait(lambda: len(receiver.received) == 2, "the messages")
        self.assertEqual(first.address, self.address)
        self.assertRegex(getattr(first, "from"), r"^connections/\d+/links/\d+$")
        self.assertEqual((first.copies, len(first.to)), (1, 1))
        self.assertNotEqual(first.to[0], getattr(first, "from"))
        self.assertEqual(first.size, len(message.encode()))
        self.assertEqual((first.complete, first.settled, second.settled), (True, False, True))
        self.assertEqual((first.header["durable"], first.header["priority"]), ("true", "7"))
        self.assertEqual(dict(first.message_annotations), {"x-opt-note": "a"})
        self.assertEqual((first.properties["message-id"], first.properties["subject"],
                          first.properties["correlation-id"]), ("id-1", "greeting", "17"))
        self.assertEqual(dict(first.application_properties),
                         {"count": "3", "region": "eu", "flag": "true"})
        self.assertFalse(first.cut)
        self.assertIn(b"hello", first.body)
        self.assertEqual(receiver.received[0].message.body, "hello")

    def test_names_the_links_as_the_list_of_links_does(self):
        sender, _ = self.pair()
        tap = self.tap(address=self.address)
        sender.send(Message("a"))
        sample = self.samples(tap, 1)[0]
        for name in (getattr(sample, "from"), *sample.to):
            link = self.api.call("ConnectionService/GetLink", name=name)
            self.assertEqual(link.name, name)

    def test_shows_no_body_unless_asked(self):
        sender, _ = self.pair()
        tap = self.tap(address=self.address)
        sender.send(Message("hush"))
        self.assertEqual(self.samples(tap, 1)[0].body, b"")

    def test_sees_what_nobody_gets(self):
        sender = self.connect().sender(None)
        tap = self.tap(address=self.address)
        self.world.wait(lambda: sender.credit > 0, "credit")
        tag = sender.send(Message("a", address=self.address))
        sample = self.samples(tap, 1)[0]
        self.world.wait(lambda: tag in sender.outcomes, "an outcome")
        self.assertEqual(sender.outcomes[tag].state, RELEASED)
        self.assertEqual((sample.copies, list(sample.to)), (0, []))

    def test_looks_at_a_pattern(self):
        for below in ("a", "b"):
            receiver = self.connect().receiver(f"{self.address}/{below}")
            self.assertTrue(receiver.attached)
        senders = [self.connect().sender(f"{self.address}/{below}") for below in ("a", "b")]
        both = self.tap(address=f"{self.address}/#")
        one = self.tap(address=f"{self.address}/b")
        for sender in senders:
            sender.send(Message("x"))
        self.assertEqual(sorted(s.address for s in self.samples(both, 2)),
                         [f"{self.address}/a", f"{self.address}/b"])
        self.assertEqual(self.samples(one, 1)[0].address, f"{self.address}/b")

    def test_takes_one_in_so_many_and_ends_after_so_many(self):
        sender, _ = self.pair()
        tap = self.tap(address=self.address, one_in=10, limit=3)
        sender.send_all(Message(id=f"{i}", body="x") for i in range(50))
        self.assertEqual(tap.ended(), "OK")
        ids = [a.sample.properties["message-id"] for a in tap.answers if a.HasField("sample")]
        self.assertEqual(ids, ["0", "10", "20"])

    def test_counts_what_it_does_not_tell(self):
        sender, receiver = self.pair()
        tap = self.tap(address=self.address, per_second=5)
        sender.send_all(Message("x") for _ in range(100))
        self.world.wait(lambda: len(receiver.received) == 100, "all messages")

        sent = 100

        def all_are_known():
            told = sum(a.HasField("sample") for a in tap.answers)
            return told + sum(a.limited + a.dropped for a in tap.answers) == sent

        # What was missed is told with the next sample: one more in a later second.
        while not all_are_known():
            sender.send_all([Message("x")])
            sent += 1
            try:
                self.world.wait(all_are_known, "a sample", 0.2)
            except AssertionError:
                self.assertLess(sent, 1000)
        self.assertGreater(sum(a.limited for a in tap.answers), 0)

    def test_a_tap_that_nobody_listens_to_is_closed(self):
        taps = [self.tap() for _ in range(4)]
        refused = self.failure(TAP)
        self.assertEqual((refused.code, refused.reason), ("RESOURCE_EXHAUSTED", "TOO_MANY_TAPS"))
        for tap in taps:
            tap.cancel()

        self.tap(limit=1)  # there is a place again
        sender, receiver = self.pair()
        sender.send(Message("a"))
        self.world.wait(lambda: receiver.received, "the message")

    def test_refuses_what_it_cannot_do(self):
        for fields in ({"per_second": 1001}, {"body_bytes": 65537}, {"address": "///"}):
            self.assertEqual(self.failure(TAP, **fields).reason, "INVALID_FIELD", fields)


class Frames(TraceTest):
    LISTENERS = {
        "plain": {},
        "users": {"user_store": "clients", "allow_insecure_plain": True, "require_sasl": True},
    }

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.folder.write("users/admin", PASSWORD)
        cls.CONFIG = {"user_stores": [{"name": "clients", "directory": cls.folder.users}]}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.close()

    def frames(self, **fields):
        """A trace that sees frames from here on."""
        return self.look(FRAMES, **fields)

    @staticmethod
    def texts(answers):
        return [("-> " if a.frame.outgoing else "<- ") + a.frame.text for a in answers
                if a.HasField("frame")]

    def with_text(self, trace, beginning, *parts):
        def find(answers):
            return [text for text in self.texts(answers)
                    if text.startswith(beginning) and all(part in text for part in parts)]

        return trace.wait(find, f"{beginning} {parts}")[0]

    def test_tells_a_login_without_the_password(self):
        trace = self.frames(owner="listeners/users")
        client = self.world.connect(self.router.url("users"), allowed_mechs="PLAIN", user="admin",
                                    password=PASSWORD, allow_insecure_mechs=True)
        self.with_text(trace, "<- header SASL 1.0.0")
        self.with_text(trace, "-> @sasl-mechanisms(64)", "PLAIN")
        self.with_text(trace, "<- @sasl-init(65)", 'mechanism=:"PLAIN"',
                       "initial-response=(hidden)")
        self.with_text(trace, "-> @sasl-outcome(68)", "code=0")
        self.with_text(trace, "<- 0 @open(16)", client.connection.container)
        client.close()
        self.with_text(trace, "-> 0 @close(24)")
        told = "\n".join(self.texts(trace.answers))
        for secret in (PASSWORD, PASSWORD.encode().hex()):
            self.assertNotIn(secret, told)
        self.assertNotIn(PASSWORD, self.router.log())

    def test_tells_the_frames_of_one_connection_until_it_ends(self):
        client = self.connect()
        other = self.connect()
        connections = self.api.call("ConnectionService/ListConnections").connections
        name = next(c.name for c in connections if c.container == client.connection.container)
        trace = self.frames(connection=name)
        receiver = client.receiver(self.address)
        self.with_text(trace, "<- 0 @attach(18)", "role=true", f'address="{self.address}"')
        self.with_text(trace, "-> 0 @attach(18)", "role=false")
        sender = other.sender(self.address)
        sender.send(Message("hush-hush"))
        self.with_text(trace, "-> 0 @transfer(20)", "delivery-id=0", " (")
        self.world.wait(lambda: receiver.received, "the message")
        self.with_text(trace, "<- 0 @disposition(21)", "state=@accepted(36) []")
        client.close()
        self.assertEqual(trace.ended(), "OK")
        told = "\n".join(self.texts(trace.answers))
        self.assertNotIn("hush", told)
        self.assertEqual({a.frame.connection for a in trace.answers[1:]}, {name})
        self.assertIn("<- 0 @close(24)", told)

    def test_ends_with_a_connection_that_never_opened(self):
        with socket.create_connection(("127.0.0.1", self.router.port("plain"))) as silent:
            peer = "%s:%d" % silent.getsockname()

            def find():
                listed = self.api.call("ConnectionService/ListConnections").connections
                return [c.name for c in listed if c.peer == peer]

            self.world.wait(find, "the connection")
            name = find()[0]
            trace = self.frames(connection=name)
            self.api.call("ConnectionService/CloseConnection", name=name)
            self.assertEqual(trace.ended(), "OK")

    def test_ends_after_so_many(self):
        trace = self.frames(owner="listeners/plain", limit=2)
        self.connect()
        self.assertEqual(trace.ended(), "OK")
        self.assertEqual(len(self.texts(trace.answers)), 2)

    def test_refuses_what_it_cannot_do(self):
        gone = self.failure(FRAMES, connection="connections/4711000")
        self.assertEqual((gone.code, gone.reason), ("NOT_FOUND", "CONNECTION_NOT_FOUND"))
        for fields in ({}, {"connection": "x"}, {"owner": "x"}):
            self.assertEqual(self.failure(FRAMES, **fields).reason, "INVALID_FIELD", fields)
        traces = [self.frames(owner="listeners/plain") for _ in range(4)]
        self.assertEqual(self.failure(FRAMES, owner="listeners/plain").reason, "TOO_MANY_TRACES")
        for trace in traces:
            trace.cancel()
