"""The exchanges of a request and its response, one class for each probe.

Only ``ask`` is timed. If it returns True, the connection is renewed before the next timed request. An exchange that
fails raises OSError or Refusal.
"""

import re
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.latency.refusals import Refusal

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_KEEPS = re.compile(rb"\r\nconnection:[ \t]*keep-alive", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_MAX_ANSWER_BYTES = 8_388_608
_PART_BYTES = 65_536
_RCODES = {1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}


class Exchange(Protocol):
    """A request that can be repeated. ``reconnects`` counts the renewed connections. ``note`` is a sentence about the
    responses, empty if there is nothing to remark."""

    reconnects: int
    note: str

    @property
    def ask(self) -> Callable[[], bool]:
        """The function that is timed. It returns True if the connection must be renewed."""

    def connect(self) -> None:
        """Opens or renews the connection; not timed."""

    def close(self) -> None:
        """Closes the connection."""


class DirectCalls(NamedTuple):
    """The system calls of a request and its response, for a loop that makes them without calling ``ask``. In Python,
    one function call less saves half a percent of a loopback round trip.

    ``room`` is the size of the receive buffer in bytes. ``wanted`` is the expected length of the response in bytes. If
    the received length is different, call ``mend`` with it: ``mend`` reads the rest of the response, or raises Refusal.
    """

    send: Callable[[bytes], int]
    request: bytes
    receive: Callable[[int], bytes]
    room: int
    wanted: int
    mend: Callable[[int], None]

    def ask(self) -> bool:
        """Makes one request and receives its response. Returns False: the connection need not be renewed."""
        self.send(self.request)
        got = len(self.receive(self.room))
        if got != self.wanted:
            self.mend(got)
        return False


def open_socket(address: str, kind: int) -> socket.socket:
    """Returns a blocking socket with the family of the address. ``kind`` is SOCK_STREAM or SOCK_DGRAM; TCP gets
    TCP_NODELAY."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class _OnOneSocket:
    """The base class of exchanges that keep one socket."""

    kind = socket.SOCK_STREAM

    def __init__(self, address: str, port: int) -> None:
        self.where = format_endpoint(address, port)
        self.reconnects = 0
        self.note = ""
        self._address = address
        self._port = port
        self._socket: socket.socket | None = None
        self.ask: Callable[[], bool] = self._not_connected

    def _not_connected(self) -> bool:
        raise Refusal(f"There is no connection to {self.where}.")

    def connect(self) -> None:
        if self._socket is not None:
            self.close()
            self.reconnects += 1
        self._socket = open_socket(self._address, self.kind)
        self._socket.connect((self._address, self._port))
        self.ask = self._make_ask(self._socket)

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        raise NotImplementedError

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class SameSize(_OnOneSocket):
    """Sends and receives ``size`` bytes on one TCP connection."""

    def __init__(self, address: str, port: int, size: int) -> None:
        super().__init__(address, port)
        self._size = size
        self.direct_calls: DirectCalls | None = None

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        size = self._size
        self.direct_calls = DirectCalls(
            opened.send, bytes(size), opened.recv, size, size, lambda got: self._read_rest(opened, got)
        )
        return self.direct_calls.ask

    def _read_rest(self, opened: socket.socket, got: int) -> None:
        last = got
        while last and got < self._size:
            last = len(opened.recv(self._size - got))
            got += last
        if got < self._size:
            what = f"after {got} of {self._size} bytes" if got else "without an answer"
            raise Refusal(f"{self.where} closed the connection {what}.")


class Datagrams(_OnOneSocket):
    """Sends and receives datagrams of ``size`` bytes over UDP."""

    kind = socket.SOCK_DGRAM

    def __init__(self, address: str, port: int, size: int) -> None:
        super().__init__(address, port)
        self._size = size
        self.direct_calls: DirectCalls | None = None

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        size = self._size
        self.direct_calls = DirectCalls(opened.send, bytes(size), opened.recv, size + 1, size, self._refuse)
        return self.direct_calls.ask

    def _refuse(self, got: int) -> None:
        raise Refusal(f"{self.where} answered with {got} bytes, not {self._size}.")


class ConnectEachTime:
    """Opens a connection for each request: connect, request, response, close. The server closes first and keeps
    TIME-WAIT, then the client closes."""

    def __init__(self, address: str, port: int, size: int) -> None:
        where = format_endpoint(address, port)
        self.reconnects = 0
        self.note = ""
        request, view = bytes(size), memoryview(bytearray(size + 1))
        target = (address, port)

        def ask() -> bool:
            with open_socket(address, socket.SOCK_STREAM) as opened:
                opened.connect(target)
                opened.send(request)
                got, last = 0, 1
                while last and got <= size:
                    last = opened.recv_into(view[got:])
                    got += last
            if got != size:
                raise Refusal(f"{where} answered with {got} of {size} bytes.")
            return False

        self.ask: Callable[[], bool] = ask

    def connect(self) -> None:
        """Does nothing, because no connection is kept."""

    def close(self) -> None:
        """Does nothing, because no connection is kept."""


class HttpGet(_OnOneSocket):
    """Sends GET requests on one connection. If the server announces that it closes the connection, the client
    reconnects outside the timed part."""

    def __init__(self, address: str, port: int, path: str, host: str) -> None:
        super().__init__(address, port)
        lines = (f"GET {path} HTTP/1.1", f"Host: {host or self.where}", "User-Agent: netmodes", "Accept: */*")
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        request, send, receive, read = self._request, opened.send, opened.recv, self._read
        usual = 0

        def ask() -> bool:
            nonlocal usual
            send(request)
            data = receive(_PART_BYTES)
            if usual and len(data) == usual:
                return False
            length, ends = read(opened, data)
            usual = 0 if ends else length
            return ends

        return ask

    def _read(self, opened: socket.socket, data: bytes) -> tuple[int, bool]:
        """Reads the rest of a response that begins with ``data``. Returns the length of the whole response (0 if
        unknown) and whether the server closes the connection."""

        def more() -> None:
            nonlocal data
            part = opened.recv(_PART_BYTES)
            if not part:
                what = "in the middle of its answer" if data else "without an answer"
                raise Refusal(f"{self.where} closed the connection {what}.")
            data += part
            if len(data) > _MAX_ANSWER_BYTES:
                raise Refusal(f"{self.where} answers with more than {_MAX_ANSWER_BYTES} bytes.")

        if not data:
            raise Refusal(f"{self.where} closed the connection without an answer.")
        while b"\r\n\r\n" not in data:
            more()
        head, _, _ = data.partition(b"\r\n\r\n")
        status = _STATUS.match(head)
        if status is None:
            raise Refusal(f"{self.where} does not speak HTTP.")
        if int(status[1]) >= 400:
            self.note = f"{self.where} answers with status {int(status[1])}."
        ends = _CLOSES.search(head) is not None
        if head.startswith(b"HTTP/1.0") and _KEEPS.search(head) is None:
            ends = True
        body = len(head) + 4
        if int(status[1]) in {204, 304}:  # without a body, whatever the head states (RFC 9112, 6.3)
            return body, ends
        length = _LENGTH.search(head)
        if length is not None:
            whole = body + int(length[1])
            while len(data) < whole:
                more()
            return whole, ends
        if _CHUNKED.search(head):
            while not data.endswith(b"0\r\n\r\n"):
                more()
            return 0, ends
        while part := opened.recv(_PART_BYTES):
            data += part
        return 0, True


class DnsLookup(_OnOneSocket):
    """Sends queries for A records over UDP (RFC 1035). A response with an error code is also an answer; ``note`` states
    the code. The constructor raises ValueError for an invalid name."""

    kind = socket.SOCK_DGRAM

    def __init__(self, address: str, port: int, name: str) -> None:
        super().__init__(address, port)
        labels = [part.encode("ascii" if part.isascii() else "idna") for part in name.rstrip(".").split(".")]
        if len(name) > 253 or not all(0 < len(part) < 64 for part in labels):
            raise ValueError(name)
        question = b"".join(bytes([len(part)]) + part for part in labels) + b"\0" + b"\0\1\0\1"
        self._tail = b"\1\0\0\1\0\0\0\0\0\0" + question
        self._number = 0

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        def ask() -> bool:
            self._number = (self._number + 1) & 0xFFFF
            number = self._number.to_bytes(2, "big")
            opened.send(number + self._tail)
            while (data := opened.recv(4096))[:2] != number:
                pass
            code = data[3] & 15 if len(data) > 3 else 1
            if code:
                self.note = f"{self.where} answers: {_RCODES.get(code, f'code {code}')}."
            return False

        return ask
