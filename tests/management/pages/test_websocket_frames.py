"""Frames that violate RFC 6455, sent to a real server: each closes its own connection with the right code, and no other
connection."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties import examples
from tests.support.terminal import Site, Terminal

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG, READ_ONLY = 1002, 1007, 1009, 4405
MAX_MESSAGE = 64 * 1024
ANSWER_S = 20.0
PINGS = 20_000


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, size: int | None = None
) -> bytes:
    """A frame of a client. ``size`` announces another length than that of the payload."""
    length = len(payload) if size is None else size
    head = bytes([fin << 7 | rsv << 4 | opcode])
    flag = masked << 7
    if length < 126:
        head += bytes([flag | length])
    elif length < 1 << 16:
        head += bytes([flag | 126]) + struct.pack("!H", length)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[number % 4] for number, byte in enumerate(payload))


@dataclass(frozen=True)
class Sent:
    """What a client sends, and the code with which the server must close."""

    what: str
    data: bytes
    code: int


def is_invalid(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


SHORT = st.binary(max_size=125)
BAD_TEXT = st.binary(min_size=1, max_size=200).filter(is_invalid)
BAD_CODES = st.one_of(
    st.integers(0, 999), st.sampled_from([1004, 1005, 1006, 1015]), st.integers(1016, 2999), st.integers(5000, 65535)
)


@st.composite
def violations(draw: st.DrawFn) -> Sent:
    """Something that RFC 6455 forbids, or that is too large."""
    payload = draw(SHORT)
    control, data = draw(st.sampled_from([PING, PONG])), draw(st.sampled_from([TEXT, BINARY]))
    bad = draw(BAD_TEXT)
    cut = draw(st.integers(0, len(bad)))
    reserved = draw(st.sampled_from([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]))
    large = draw(st.integers(MAX_MESSAGE + 1, 1 << 40))
    code = struct.pack("!H", draw(BAD_CODES))
    parts = (frame(data, b"x" * 40_000, fin=False), frame(CONTINUATION, b"y" * 40_000))
    kinds = (
        Sent("reserved bits", frame(data, payload, rsv=draw(st.integers(1, 7))), PROTOCOL_ERROR),
        Sent("reserved opcode", frame(reserved, payload), PROTOCOL_ERROR),
        Sent("not masked", frame(draw(st.sampled_from([TEXT, BINARY, PING])), payload, masked=False), PROTOCOL_ERROR),
        Sent("fragmented control frame", frame(control, payload, fin=False), PROTOCOL_ERROR),
        Sent("long control frame", frame(control, bytes(draw(st.integers(126, 2000)))), PROTOCOL_ERROR),
        Sent("continuation of nothing", frame(CONTINUATION, payload, fin=draw(st.booleans())), PROTOCOL_ERROR),
        Sent("message within a message", frame(data, payload, fin=False) + frame(data, payload), PROTOCOL_ERROR),
        Sent("close of one byte", frame(CLOSE, payload[:1] or b"x"), PROTOCOL_ERROR),
        Sent("close with a bad code", frame(CLOSE, code), PROTOCOL_ERROR),
        Sent("close with a bad reason", frame(CLOSE, struct.pack("!H", 1000) + bad[:100] + b"\xff"), INVALID_DATA),
        Sent("text that is not UTF-8", frame(TEXT, bad), INVALID_DATA),
        Sent("such a text in parts", frame(TEXT, bad[:cut], fin=False) + frame(CONTINUATION, bad[cut:]), INVALID_DATA),
        Sent("too large", frame(data, size=large), TOO_BIG),
        Sent("too large in parts", b"".join(parts), TOO_BIG),
    )
    return draw(st.sampled_from(kinds))


class Client:
    """A connection to a websocket, after the handshake."""

    def __init__(self, site: Site, path: str) -> None:
        self._socket = socket.create_connection((site.host, site.port), ANSWER_S)
        cookies = "; ".join(f"{name}={value}" for name, value in site.cookies.items())
        origin = f"http://{site.host}:{site.port}"
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {site.host}:{site.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: {origin}\r\n"
            f"Cookie: {cookies}\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        while self._stream.readline() != b"\r\n":
            pass

    def send(self, data: bytes, cuts: tuple[int, ...] = ()) -> None:
        """Sends bytes, in several pieces if there are ``cuts``. The server may close after any piece: what it has sent
        before that can still be read."""
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        with suppress(BrokenPipeError, ConnectionResetError):
            for start, end in pairwise(edges):
                self._socket.sendall(data[start:end])

    def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. ConnectionError at the end."""
        head = self._stream.read(2)
        if len(head) < 2:
            raise ConnectionError("the server closed without a close frame")
        length = head[1]
        if length == 126:
            (length,) = struct.unpack("!H", self._stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._stream.read(8))
        return head[0] & 15, self._stream.read(length)

    def close_code(self) -> int:
        """The code of the close frame that ends the connection."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return int(struct.unpack("!H", payload[:2])[0])

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@contextmanager
def connected(site: Site, path: str) -> Iterator[Client]:
    client = Client(site, path)
    try:
        yield client
    finally:
        client.close()


def open_session(site: Site) -> str:
    """A training session, and the path of its websocket."""
    form = {"title": "Frames", "workshop": "host-network", "max_participants": "5", "hours": "1"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": site.cookies["csrftoken"]}
    answer = site.ask("POST", "/sessions/new/", urlencode(form), headers)
    found = re.fullmatch(r"/sessions/([^/]+)/console/", answer.headers.get("location", ""))
    assert found is not None, (answer.status, answer.body[:500])
    return f"/ws/sessions/{found[1]}/"


def test_violations_of_the_protocol_end_the_connection_with_the_right_code(nowhere: Terminal) -> None:
    site = nowhere.serve().sign_in()
    path = open_session(site)

    @settings(max_examples=examples(1.5), database=None, suppress_health_check=list(HealthCheck))
    @given(violations(), st.lists(st.integers(0, 1 << 20), max_size=3))
    def violate(sent: Sent, cuts: list[int]) -> None:
        with connected(site, path) as client:
            client.send(sent.data, tuple(cuts))
            assert client.close_code() == sent.code, sent.what

    violate()
    with connected(site, path) as client:
        client.send(frame(TEXT, json.dumps({"type": "hello"}).encode()))
        assert client.close_code() == READ_ONLY, "a valid message"
    with connected(site, path) as client:
        client.send(frame(PING, b"one") + frame(PONG, b"not asked for") + frame(PING, b"two"))
        pongs: list[bytes] = []
        while len(pongs) < 2:
            opcode, payload = client.receive()
            pongs += [payload] if opcode == PONG else []
        assert pongs == [b"one", b"two"]
        client.send(frame(CLOSE, struct.pack("!H", 1000)))
        assert client.close_code() == 1000
    with connected(site, path) as client:
        client.send(frame(TEXT, b"begun", fin=False) + frame(CLOSE, struct.pack("!H", 1000)))
        assert client.close_code() == 1000, "a close within a message (RFC 6455, 5.4)"
    with connected(site, path) as client:
        client.send(frame(PING, b"x" * 100) * PINGS)
        assert site.ask("GET", "/healthz").status == 200, "a flood of pings holds up the others"
    assert site.ask("GET", "/healthz").status == 200
    assert "Traceback" not in site.running.err, site.running.err[-2000:]
