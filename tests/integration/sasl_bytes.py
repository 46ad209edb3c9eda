"""SASL by hand on a raw socket: a SCRAM client that shows every step, and PLAIN."""

import base64
import hashlib
import hmac
import socket
import struct

from amqp_bytes import NULL, RawPeer, frame, listed, sym8, vbin8

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
MECHANISMS, INIT, CHALLENGE, RESPONSE, OUTCOME = 0x40, 0x41, 0x42, 0x43, 0x44
OK, AUTH, SYS_TEMP = 0, 1, 4


def _fields(body):
    """The fields of a SASL frame body, as far as they are binary, symbol, ubyte or null."""
    code, at = body[2], 3
    constructor = body[at]
    if constructor == 0x45:
        return code, []
    at += 3 if constructor == 0xC0 else 9
    fields = []
    while at < len(body):
        kind = body[at]
        if kind == 0x40:
            fields.append(None)
            at += 1
        elif kind == 0x50:
            fields.append(body[at + 1])
            at += 2
        elif kind in (0xA0, 0xA3):
            fields.append(body[at + 2:at + 2 + body[at + 1]])
            at += 2 + body[at + 1]
        elif kind == 0xB0:
            size = struct.unpack(">I", body[at + 1:at + 5])[0]
            fields.append(body[at + 5:at + 5 + size])
            at += 5 + size
        else:
            fields.append(body[at:])  # an array: who wants it looks for names
            break
    return code, fields


class Login:
    """One SASL exchange. `outcome` is its code, `mechanisms` what was offered. `wrap` puts TLS
    around the socket."""

    def __init__(self, port, wrap=None):
        self.peer = RawPeer(port)
        if wrap is not None:
            self.peer.socket = wrap(self.peer.socket)
        self.piece = None
        self.rest = b""
        self.outcome = self.additional = None
        self.peer.send(SASL_HEADER)
        assert self._take(8) == SASL_HEADER
        self.mechanisms = self.read()[1][0]

    def close(self):
        self.peer.socket.close()

    def _take(self, count):
        while len(self.rest) < count:
            piece = self.peer.socket.recv(65536)
            if not piece:
                raise AssertionError("the router hung up")
            self.rest += piece
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def read(self):
        """The next frame: its code and fields."""
        size = struct.unpack(">I", self._take(4))[0]
        return _fields(self._take(size - 4)[4:])

    def in_pieces_of(self, size):
        """Sends what follows bit by bit."""
        self.piece = size
        self.peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, code, *fields):
        data = frame(b"\x00\x53" + bytes([code]) + listed(*fields), kind=1)
        step = self.piece or len(data)
        for at in range(0, len(data), step):
            self.peer.send(data[at:at + step])

    def init(self, mechanism, response=None):
        self.say(INIT, sym8(mechanism), NULL if response is None else vbin8(response))

    def finish(self):
        code, fields = self.read()
        assert code == OUTCOME, hex(code)
        self.outcome = fields[0]
        self.additional = fields[1] if len(fields) > 1 else None
        return self.outcome

    def plain(self, user, password):
        self.init("PLAIN", b"\0" + user.encode() + b"\0" + password.encode())
        return self.finish()

    def login(self, user, password):
        self.init("LOGIN")
        for answer in (user, password):
            assert self.read()[0] == CHALLENGE
            self.say(RESPONSE, vbin8(answer.encode()))
        return self.finish()

    def scram(self, mechanism, user, password):
        """The outcome; the server's signature is checked."""
        name = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}[mechanism]
        first = f"n={user},r=rOprNGfwEbeRWgbNEkqO"
        self.init(mechanism, b"n,," + first.encode())
        code, fields = self.read()
        assert code == CHALLENGE, hex(code)
        challenge = fields[0].decode()
        self.challenge = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(name, password.encode(),
                                     base64.b64decode(self.challenge["s"]),
                                     int(self.challenge["i"]))
        last = f"c=biws,r={self.challenge['r']}"
        text = f"{first},{challenge},{last}".encode()
        key = hmac.digest(salted, b"Client Key", name)
        signature = hmac.digest(hashlib.new(name, key).digest(), text, name)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.say(RESPONSE, vbin8(f"{last},p={base64.b64encode(proof).decode()}".encode()))
        if self.finish() == OK:
            server = hmac.digest(hmac.digest(salted, b"Server Key", name), text, name)
            assert self.additional == b"v=" + base64.b64encode(server), "the server's signature"
        return self.outcome
