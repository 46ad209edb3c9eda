"""Calls and changes over the API leave nothing in memory but what is kept on purpose, and that is
bounded (control/README.md, What the API keeps in memory)."""

import itertools
import pathlib
import unittest

import grpc

import harness
from api_client import PACKAGE, Api, message
from core_test import is_sanitized
from harness import Certificates, RouterTest

# What leaks grows in every window. What grows in some of them is a cache that becomes full, or the
# allocator, which takes memory by the 128 KiB and keeps it: that ends. Two windows in a row tell.
WINDOWS_MAX = 24
GROWTH_KIB = 64
# Of listeners made and deleted: each is two events and more, of 4,096 that are kept.
FILLING = 2200
# Watches at a time, and what they may take together.
WATCHES = 10
WATCHES_KIB = 10 << 10
# Calls, and what may stay of them: less is not given back (MemoryTrim::kGrowth).
FLOOD = 40000
GIVEN_BACK_KIB = 40 << 10


class ApiMemory(RouterTest):
    """Each test does one thing again and again over one connection, and looks at how much memory
    the process has after each window."""

    @classmethod
    def setUpClass(cls):
        if is_sanitized():
            raise unittest.SkipTest("sanitizers keep what was freed")
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.close)
        cls.pems = []
        for name in ("first", "second"):
            paths = cls.certificates.issue(name, f"/CN={name}", "DNS:localhost")
            pem = [pathlib.Path(path).read_text(encoding="ascii") for path in paths]
            cls.pems.append({"certificate": pem[0], "privateKey": pem[1]})
        super().setUpClass()
        cls.api = Api(f"unix:{cls.router.socket()}")
        cls.addClassCleanup(cls.api.close)

    def leaves_nothing(self, act, calls):
        """`act`, so many times in each window, leaves less than 64 bytes each time."""
        for _ in range(calls):
            act()
        seen = [self.router.resident_kib("RssAnon")]
        flat = 0
        while flat < 2:
            for _ in range(calls):
                act()
            seen.append(self.router.resident_kib("RssAnon"))
            flat = flat + 1 if seen[-1] - seen[-2] < GROWTH_KIB else 0
            self.assertLessEqual(len(seen), WINDOWS_MAX, f"KiB after every {calls} calls: {seen}")

    def unary(self, method, request="", **fields):
        """A function that makes this call and returns its code."""
        service = method.split("/")[0]
        path = f"/{method}" if "." in service else f"/{PACKAGE}.{method}"
        call = self.api.channel.unary_unary(path)
        bytes_ = message(f"{PACKAGE}.{request}", **fields).SerializeToString() if request else b""

        def act(timeout=self.api.timeout()):
            try:
                call(bytes_, timeout=timeout)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

        act.begin = lambda: call.future(bytes_, timeout=self.api.timeout())
        return act

    def opened_and_cancelled(self, method, **fields):
        answers = self.api.stream(method, **fields)
        next(answers)
        answers.cancel()

    def expect(self, code, act):
        self.assertEqual(act(), code)

    # --- calls

    def test_answered_calls(self):
        version = self.unary("RouterService/GetVersion")
        self.leaves_nothing(lambda: self.expect("OK", version), 1000)

    def test_calls_that_fail(self):
        missing = self.unary("ListenerService/GetListener", "GetListenerRequest",
                             name="listeners/missing")
        unknown = self.unary("nobody.Knows/This")
        malformed = self.api.channel.unary_unary(f"/{PACKAGE}.ListenerService/GetListener")

        def act():
            self.expect("NOT_FOUND", missing)
            self.expect("UNIMPLEMENTED", unknown)
            with self.assertRaises(grpc.RpcError):
                malformed(b"\xff", timeout=self.api.timeout())

        self.leaves_nothing(act, 1000)

    def test_cancelled_calls(self):
        version = self.unary("RouterService/GetVersion")

        def act():
            for call in [version.begin() for _ in range(20)]:
                call.cancel()
            self.expect("OK", version)  # or they would pile up

        self.leaves_nothing(act, 100)

    def test_expired_calls(self):
        version = self.unary("RouterService/GetVersion")
        self.leaves_nothing(lambda: version(timeout=0.0003), 1000)

    def test_watches(self):
        self.leaves_nothing(
            lambda: self.opened_and_cancelled("ListenerService/WatchListeners"), 1000)

    def test_what_watches_have_asked_is_not_kept(self):
        """Of each two bytes of fields that are unknown, Protobuf makes more than fifty."""
        watch = self.api.channel.unary_stream(f"/{PACKAGE}.ListenerService/WatchListeners")

        def begin():
            answers = watch(b"\x7a\x00" * (32 << 10), timeout=self.api.timeout())
            self.addCleanup(answers.cancel)
            next(answers)

        begin()  # what is made once
        before = self.router.resident_kib("RssAnon")
        for _ in range(WATCHES):
            begin()
        self.assertLess(self.router.resident_kib("RssAnon") - before, WATCHES_KIB)

    def test_connections(self):
        def act():
            api = Api(f"unix:{self.router.socket()}")
            api.call("RouterService/GetVersion")
            api.close()

        self.leaves_nothing(act, 1000)

    def test_what_a_flood_has_left_is_given_back(self):
        """Calls are opened and cancelled faster than they can end."""
        before = self.router.resident_kib("RssAnon")
        call = self.api.channel.unary_stream("/nobody.Knows/This")
        for _ in range(FLOOD):
            call(b"", timeout=self.api.timeout()).cancel()
        self.expect("OK", self.unary("RouterService/GetVersion"))
        harness.until(lambda: self.router.resident_kib("RssAnon") <= before + GIVEN_BACK_KIB,
                      lambda: f"its memory back\n{self.router.log(20)}")

    # --- changes

    def make_and_delete(self):
        create = self.unary("AddressService/CreateAddress", "CreateAddressRequest",
                            addressId="made", address={"spec": {"prefix": "made"}})
        delete = self.unary("AddressService/DeleteAddress", "DeleteAddressRequest",
                            name="addresses/made")

        def act():
            self.expect("OK", create)
            self.expect("OK", delete)

        return act

    def test_changes(self):
        act = self.make_and_delete()
        for _ in range(FILLING):
            act()
        self.leaves_nothing(act, 500)

    def test_rotations(self):
        fill = self.make_and_delete()
        for _ in range(FILLING):
            fill()
        self.api.call("TlsService/CreateTlsProfile", tlsProfileId="rotated", tlsProfile={
            "spec": {"certificateFile": self.certificates.path("first.crt"),
                     "privateKeyFile": self.certificates.path("first.key"),
                     "caFile": self.certificates.path("ca.crt")}})
        self.addCleanup(self.api.call, "TlsService/DeleteTlsProfile", name="tlsProfiles/rotated")
        rotations = itertools.cycle(
            [self.unary("TlsService/RotateCertificate", "RotateCertificateRequest",
                        name="tlsProfiles/rotated", inline=pem) for pem in self.pems])
        self.leaves_nothing(lambda: self.expect("OK", next(rotations)), 100)
