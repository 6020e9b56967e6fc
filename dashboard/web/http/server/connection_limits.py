"""Limits that apply before a request is handled: the number of connections, the size of headers, and waiting times.

Without them, uvicorn accepts headers of any size and waits for them forever. It also accepts connections until the file
descriptors run out, and then a lab in the same process fails as well.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 << 10
#: Seconds within which all headers must arrive, from the connection or from the first byte of a later request.
HEADERS_S = 10.0
#: Seconds that may pass between two pieces of an incomplete body.
BODY_PAUSE_S = 30.0
MAX_CONNECTIONS = 4096
#: File descriptors that are reserved for engines, namespaces, terminals and the database.
RESERVED_DESCRIPTORS = 1024


def connections_for(descriptors: int) -> int:
    """Returns the number of connections to accept in a process that may open ``descriptors`` files.

    Reserves ``RESERVED_DESCRIPTORS`` for other uses, but at most half of ``descriptors``.
    """
    return min(MAX_CONNECTIONS, max(descriptors - RESERVED_DESCRIPTORS, descriptors // 2))


class LimitedHttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with limits on connections, headers and waiting times. ``limited_protocol`` sets them."""

    max_connections = MAX_CONNECTIONS
    is_proxy: Callable[[str], bool] = staticmethod(lambda _address: False)
    headers_s = HEADERS_S
    body_pause_s = BODY_PAUSE_S

    #: Whether the parser is in a body; otherwise it is in headers or between requests.
    _in_body = False
    #: Whether a request has ended, and whether headers or a part of a body were complete, in the piece that is parsed
    #: now.
    _ended = False
    _progressed = False
    #: The number of bytes of headers, or of a body's trailers, received so far.
    _header_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accepts a connection, or refuses it with 503 if there are too many, in total or from its address.

        One address may use half of all connections, unless it is a trusted proxy's.
        """
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open. Try again later.")
        elif self._has_too_many():
            message = "Too many connections from this address are open. Close some and try again."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, message)
        else:
            self._wait(self.headers_s)

    def _has_too_many(self) -> bool:
        """Returns whether the client's address has more than half of the permitted connections; False for a trusted
        proxy."""
        limit, address = self.max_connections // 2, self.client[0] if self.client else ""
        # One address is counted only if more than half of the permitted connections are in use at all.
        if len(self.connections) <= limit or self.is_proxy(address):
            return False
        clients = (getattr(connection, "client", None) for connection in self.connections)
        return sum(1 for client in clients if client and client[0] == address) > limit

    def data_received(self, data: bytes) -> None:
        """Passes data to the parser in pieces, so that headers cannot exceed their limit. Uvicorn calls this for all
        incoming data."""
        while data and not self.transport.is_closing():
            piece = data[: MAX_HEADER_BYTES - self._header_bytes]
            data = data[len(piece) :]
            if self._in_body:
                self._wait(self.body_pause_s)
            self._ended = self._progressed = False
            self._header_bytes += len(piece)
            super().data_received(piece)
            protocol = self.transport.get_protocol()
            if protocol is not self:  # the connection was upgraded to a websocket
                if data and isinstance(protocol, asyncio.Protocol):
                    protocol.data_received(data)
                return
            if self._ended or self._progressed:
                self._header_bytes = 0
            elif self._header_bytes >= MAX_HEADER_BYTES:
                self._refuse_headers()
        if self._timer is None and not self._in_body and self._is_idle() and not self.transport.is_closing():
            # Uvicorn cancels its keep-alive timer at any data, even at a line break between requests.
            self._wait(self.headers_s)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        """Starts the timer for the headers of a request. The parser calls this at the first byte of a request."""
        super().on_message_begin()
        if self._timer is None:
            self._wait(self.headers_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Stores a header of the request. Ignores headers after the body (trailers), which the application cannot
        receive."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuses headers that are too large. Otherwise starts the timer for the body.

        ``data_received`` detects most headers that are too large, but not those that arrive in one piece with an
        earlier request.
        """
        self._stop_waiting()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._refuse_headers()
            return
        self._progressed = True
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            self._in_body = True
            self._wait(self.body_pause_s)

    def on_chunk_header(self) -> None:
        """Records that a chunk of a body has begun, so that the bytes so far no longer count as headers."""
        self._progressed = True

    def on_body(self, body: bytes) -> None:
        """Passes a part of the body on. Ignores it if the request has been refused."""
        self._progressed = True
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Stops the timer, because the request has arrived completely. The connection may be used for another
        request."""
        self._in_body, self._ended = False, True
        self._stop_waiting()
        if not self.transport.is_closing():
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer of a connection that has ended."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._expire)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._in_body and self.flow.read_paused:
            self._wait(self.body_pause_s)  # the application reads slowly; the client does not send slowly
        elif not self._in_body and not self._is_idle():
            self._wait(self.headers_s)  # the response to an earlier request is not complete
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")

    def _refuse_headers(self) -> None:
        message = f"The headers are too large: the limit is {MAX_HEADER_BYTES} bytes."
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Closes the connection. Sends an error response first, unless the client still waits for the response to an
        earlier request."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        unanswered = not self._is_idle() and not self.cycle.response_started if self._in_body else self._is_idle()
        if unanswered and not self.pipeline:
            body = f"{message}\n".encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\n"
                "content-type: text/plain; charset=utf-8\r\n"
                f"content-length: {len(body)}\r\n"
                "x-content-type-options: nosniff\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


def limited_protocol(descriptors: int, is_proxy: Callable[[str], bool]) -> type[LimitedHttpProtocol]:
    """Returns a protocol class for a process that may open ``descriptors`` files.

    ``is_proxy`` returns whether an IP address belongs to a trusted proxy.
    """
    limits = {"max_connections": connections_for(descriptors), "is_proxy": staticmethod(is_proxy)}
    return type("LimitedHttpProtocol", (LimitedHttpProtocol,), limits)
