"""Which connections were made with which certificate, across a rotation."""

import socket
import unittest

import harness
import rotation_test
from api_client import ApiError


class Sessions(rotation_test.RotationTest):
    def sessions(self, parent="filed", **fields):
        return self.api.call("TlsService/ListTlsSessions", parent=f"tlsProfiles/{parent}",
                             **fields).tls_sessions

    def test_are_told_by_what_their_handshake_used(self):
        for _ in range(2):
            self.dial(self.router.port("secure"))
        self.swap("second")
        self.rotate()
        self.dial(self.router.port("secure"))
        self.wait(lambda: len(self.sessions()) == 3, "all sessions")
        self.assertEqual([(one.revision, one.active) for one in self.sessions()],
                         [(1, False), (1, False), (2, True)])
        old = self.sessions(filter="active = false")
        self.assertEqual(len(old), 2)
        for one in old:
            connection = self.api.call("ConnectionService/GetConnection", name=one.name)
            self.assertEqual(
                (one.tls_profile, one.owner, one.connection_id, one.peer, one.container,
                 one.open_time, one.protocol, one.cipher),
                ("tlsProfiles/filed", "listeners/secure", connection.id, connection.peer,
                 connection.container, connection.open_time, connection.tls.protocol,
                 connection.tls.cipher))
        self.assertEqual(self.sessions("-"), self.sessions())
        first = self.api.call("TlsService/ListTlsSessions", parent="tlsProfiles/filed", pageSize=2)
        self.assertEqual(len(first.tls_sessions), 2)
        self.assertEqual(self.sessions(pageToken=first.next_page_token)[0].revision, 2)
        self.rotate(files={}, retireOld="RETIRE_OLD_IMMEDIATE")
        self.world.wait(lambda: not self.sessions(filter="active = false"),
                        "that the old ones are gone")
        self.assertEqual([one.revision for one in self.sessions()], [2])

    def test_are_told_when_their_handshake_is_done(self):
        port = self.router.port("secure")
        with socket.create_connection(("127.0.0.1", port)) as silent, \
                socket.create_connection(("127.0.0.1", port)) as plain, \
                self.trusting().wrap_socket(plain, server_hostname="localhost") as secure:
            told = harness.until(self.sessions, lambda: "the session")
            self.assertEqual([one.peer for one in told],
                             [f"127.0.0.1:{secure.getsockname()[1]}"])
            self.assertFalse(told[0].HasField("open_time"))
            self.wait(lambda: len(self.api.call("ConnectionService/ListConnections")
                                  .connections) == 2, f"also {silent.getsockname()}")
            self.assertEqual(self.sessions(), told)

    def test_of_a_profile_that_there_is_not(self):
        for parent, code, reason in (("tlsProfiles/file", "NOT_FOUND", "TLS_PROFILE_NOT_FOUND"),
                                     ("filed", "INVALID_ARGUMENT", "INVALID_ARGUMENT")):
            with self.assertRaises(ApiError) as caught:
                self.api.call("TlsService/ListTlsSessions", parent=parent)
            error = caught.exception
            self.assertEqual((error.code, error.reason), (code, reason), error.text)
            self.assertEqual([field for field, _ in error.violations], ["parent"])
        with self.assertRaises(ApiError) as caught:
            self.sessions("file")
        self.assertEqual(caught.exception.metadata["known"], "filed")


if __name__ == "__main__":
    unittest.main()
