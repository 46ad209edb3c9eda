"""AMQP 1.0 by hand: sections in every legal encoding, and just enough frames for a raw socket."""

import socket
import struct

HEADER = b"AMQP\x00\x01\x00\x00"

# Section descriptors and their symbolic names.
SECTIONS = {
    "header": (0x70, b"amqp:header:list"),
    "delivery-annotations": (0x71, b"amqp:delivery-annotations:map"),
    "message-annotations": (0x72, b"amqp:message-annotations:map"),
    "properties": (0x73, b"amqp:properties:list"),
    "application-properties": (0x74, b"amqp:application-properties:map"),
    "data": (0x75, b"amqp:data:binary"),
    "sequence": (0x76, b"amqp:amqp-sequence:list"),
    "value": (0x77, b"amqp:amqp-value:*"),
    "footer": (0x78, b"amqp:footer:map"),
}


def section(name, value, form="small"):
    """A section; the descriptor as smallulong, ulong or symbol."""
    code, symbol = SECTIONS[name]
    if form == "small":
        return b"\x00\x53" + bytes([code]) + value
    if form == "ulong":
        return b"\x00\x80" + struct.pack(">Q", code) + value
    if form == "sym8":
        return b"\x00\xa3" + bytes([len(symbol)]) + symbol + value
    return b"\x00\xb3" + struct.pack(">I", len(symbol)) + symbol + value


def vbin8(data):
    return b"\xa0" + bytes([len(data)]) + data


def vbin32(data):
    return b"\xb0" + struct.pack(">I", len(data)) + data


def str8(text):
    return b"\xa1" + bytes([len(text)]) + text.encode()


def str32(text):
    return b"\xb1" + struct.pack(">I", len(text)) + text.encode()


def sym8(text):
    return b"\xa3" + bytes([len(text)]) + text.encode()


def sym32(text):
    return b"\xb3" + struct.pack(">I", len(text)) + text.encode()


def _compound(code8, code32, items, wide):
    body = b"".join(items)
    if wide:
        return bytes([code32]) + struct.pack(">II", len(body) + 4, len(items)) + body
    return bytes([code8]) + bytes([len(body) + 1, len(items)]) + body


def listed(*items, wide=False):
    return _compound(0xC0, 0xD0, items, wide)


def mapped(*items, wide=False):
    return _compound(0xC1, 0xD1, items, wide)


LIST0 = b"\x45"
NULL = b"\x40"


def frame(performative, channel=0, kind=0, payload=b""):
    body = performative + payload
    return struct.pack(">IBBH", 8 + len(body), 2, kind, channel) + body


def open_frame(container="raw", idle_ms=None, max_frame=None):
    idle = NULL if idle_ms is None else b"\x70" + struct.pack(">I", idle_ms)
    size = NULL if max_frame is None else b"\x70" + struct.pack(">I", max_frame)
    return frame(b"\x00\x53\x10" + listed(str8(container), NULL, size, NULL, idle))


class RawPeer:
    """A TCP connection on which the test says every byte itself."""

    def __init__(self, port, host="127.0.0.1", patience=60.0, source=None):
        self.socket = socket.create_connection((host, port), timeout=patience,
                                               source_address=source and (source, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_until_end(self):
        """All that comes until the peer hangs up."""
        data = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not piece:
                return data
            data += piece

    def read_until(self, wanted):
        """All that comes until `wanted` is in it; fails at the end of the connection."""
        data = b""
        while wanted not in data:
            piece = self.socket.recv(65536)
            if not piece:
                raise AssertionError(f"the peer hung up after {data!r}")
            data += piece
        return data
