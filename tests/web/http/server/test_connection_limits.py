"""Limits on connections, headers and waiting times, in a real uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from dashboard.web.http.server.connection_limits import (
    MAX_CONNECTIONS,
    MAX_HEADER_BYTES,
    LimitedHttpProtocol,
    connections_for,
    limited_protocol,
)
from tests.support.polling import eventually

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[], Any]


class EchoApplication:
    """Answers with the length of the body."""

    def __init__(self) -> None:
        self.requests = 0
        self.headers: list[Any] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        self.headers.append(scope["headers"])
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            if not message["more_body"]:
                break
        await self.hold.wait()
        body = str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Served:
    """A running server: its application, and connections to it."""

    def __init__(self, application: EchoApplication, port: int) -> None:
        self.application = application
        self.port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, first: bytes = b"") -> Connection:
        """Opens a connection. ``first`` is sent before the server, which runs in this loop, accepts it."""
        opened = socket.create_connection(("127.0.0.1", self.port))
        opened.sendall(first)
        reader, writer = await asyncio.open_connection(sock=opened)
        self._writers.append(writer)
        return reader, writer

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def serving(protocol: type[LimitedHttpProtocol]) -> AsyncIterator[Served]:
    application = EchoApplication()
    config = uvicorn.Config(application, http=protocol, lifespan="off", log_level="critical", port=0)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    served = Served(application, server.servers[0].sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        served.close()
        server.should_exit = True
        await task


def with_limits(**limits: Any) -> type[LimitedHttpProtocol]:
    protocol: type[LimitedHttpProtocol] = type("Limited", (LimitedHttpProtocol,), limits)
    return protocol


async def response(reader: asyncio.StreamReader) -> str:
    """The first line of a response; empty if the connection was closed without one."""
    async with asyncio.timeout(20):
        return (await reader.readline()).decode().strip()


async def closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(20):
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionResetError:
            pass
    return True


async def send_until_refused(writer: asyncio.StreamWriter, data: bytes, most: int) -> int:
    """Sends pieces until the server closes the connection; returns the number of bytes sent."""
    sent = 0
    try:
        while sent < most:
            writer.write(data)
            await writer.drain()
            sent += len(data)
    except ConnectionError:
        pass
    return sent


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n"])
async def test_headers_without_an_end_are_refused_long_before_they_are_all_read(start: bytes) -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        _reader, writer = await server.connect()
        writer.write(start)
        piece = b"x" * 65536 if not start.endswith(b"\r\n") else b"y: z\r\n" * 8192
        sent = await send_until_refused(writer, piece, 120 << 20)
        assert sent < 32 << 20, "the rest was not accepted"
        assert server.application.requests == 0
        other, other_writer = await server.connect()
        other_writer.write(REQUEST + b"\r\n")
        assert await response(other) == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(("size", "status"), [(60_000, "200 OK"), (66_000, "431 Request Header Fields Too Large")])
async def test_headers_have_a_limit(size: int, status: str) -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        reader, writer = await server.connect()
        writer.write(REQUEST + b"x: " + b"y" * size + b"\r\n\r\n")
        assert await response(reader) == f"HTTP/1.1 {status}"


async def test_the_headers_of_a_later_request_have_the_same_limit() -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        reader, writer = await server.connect()
        writer.write(REQUEST + b"\r\n")
        assert await response(reader) == "HTTP/1.1 200 OK"
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1) == b"0"
        writer.write(REQUEST + b"x: " + b"y" * MAX_HEADER_BYTES + b"\r\n\r\n")
        assert await response(reader) == "HTTP/1.1 431 Request Header Fields Too Large"
        assert await closed(reader)
        assert server.application.requests == 1


@pytest.mark.parametrize("size", [0, 10, MAX_HEADER_BYTES, 1 << 20])
async def test_a_body_of_any_size_follows_the_headers(size: int) -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            assert await response(reader) == "HTTP/1.1 200 OK"
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert await reader.readexactly(length) == str(size).encode()


@pytest.mark.parametrize("start", [b"", b"GET / HT", REQUEST])
async def test_headers_that_do_not_arrive_end_the_connection(start: bytes) -> None:
    async with serving(with_limits(headers_s=0.05)) as server:
        reader, _writer = await server.connect(start)
        assert await response(reader) == "HTTP/1.1 408 Request Timeout"
        assert await closed(reader)
        assert server.application.requests == 0


async def test_a_body_that_stops_ends_the_connection() -> None:
    async with serving(with_limits(body_pause_s=0.05)) as server:
        reader, _writer = await server.connect(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
        assert await response(reader) == "HTTP/1.1 408 Request Timeout"
        assert await closed(reader)


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("trailer", [b"a: b\r\n" * 10_000, b"a: " + b"x" * 65536])
async def test_headers_behind_a_body_have_the_same_limit(trailer: bytes) -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        _reader, writer = await server.connect()
        writer.write(CHUNKED + b"1\r\nx\r\n0\r\n")
        assert await send_until_refused(writer, trailer, 120 << 20) < 32 << 20
        assert server.application.headers == [[(b"host", b"a"), (b"transfer-encoding", b"chunked")]]


async def test_a_body_in_chunks_of_any_length_is_received() -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        reader, writer = await server.connect()
        writer.write(CHUNKED + b"10000\r\n" + b"x" * 65536 + b"\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\na: b\r\n\r\n")
        assert await response(reader) == "HTTP/1.1 200 OK"
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(6) == b"115536"


async def test_many_small_requests_at_once_are_all_answered() -> None:
    async with serving(limited_protocol(4096, lambda _peer: False)) as server:
        reader, writer = await server.connect()
        count = 3 * MAX_HEADER_BYTES // len(REQUEST)
        writer.write((REQUEST + b"\r\n") * count)
        async with asyncio.timeout(60):
            for _ in range(count):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
                await reader.readexactly(1)


async def test_a_line_break_between_requests_keeps_no_connection_open() -> None:
    protocol = with_limits(headers_s=60.0)
    async with serving(protocol) as server:
        reader, writer = await server.connect()
        writer.write(REQUEST + b"\r\n")
        assert await response(reader) == "HTTP/1.1 200 OK"
        protocol.headers_s = 0.05
        writer.write(b"\r\n")
        assert await closed(reader)


async def test_an_answer_is_not_interrupted_by_a_refusal() -> None:
    protocol = with_limits(headers_s=60.0)
    async with serving(protocol) as server:
        server.application.hold.clear()
        reader, writer = await server.connect()
        writer.write(REQUEST + b"\r\n")
        await eventually(lambda: server.application.requests == 1)
        protocol.headers_s = 0.05
        writer.write(b"GET /half")
        other, _writer = await server.connect(b"GET /half")
        assert await response(other) == "HTTP/1.1 408 Request Timeout", "the limit has passed"
        server.application.hold.set()
        assert await response(reader) == "HTTP/1.1 200 OK"
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1) == b"0"


async def test_one_address_has_half_of_the_connections_and_others_are_still_accepted() -> None:
    async with serving(with_limits(max_connections=8)) as server:
        accepted = [await server.connect() for _ in range(4)]
        reader, _writer = await server.connect()
        assert await response(reader) == "HTTP/1.1 503 Service Unavailable"
        assert "from this address" in (await reader.read()).decode()
        reader, writer = accepted[0]
        writer.write(REQUEST + b"\r\n")
        assert await response(reader) == "HTTP/1.1 200 OK"


async def test_a_trusted_proxy_has_all_connections() -> None:
    async with serving(
        with_limits(max_connections=6, is_proxy=staticmethod(lambda peer: peer == "127.0.0.1"))
    ) as server:
        for _ in range(6):
            await server.connect()
        reader, _writer = await server.connect()
        assert await response(reader) == "HTTP/1.1 503 Service Unavailable"
        assert "Too many connections are open" in (await reader.read()).decode()


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(256, 128), (1024, 512), (4096, 3072), (65536, MAX_CONNECTIONS)]
)
def test_the_lab_keeps_descriptors(descriptors: int, connections: int) -> None:
    assert connections_for(descriptors) == connections
