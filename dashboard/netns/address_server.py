"""A small HTTP server that this process runs in another network namespace. Each answer states the client's address."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from contextlib import suppress

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.token_bucket import Rate, TokenBucket
from dashboard.netns.namespace import Namespace

log = logging.getLogger(__name__)
MAX_CONNECTIONS = 32
#: Connections: so many at once, then so many a second. One costs about 0.3 ms of processor time.
RATE = Rate(40, 20)
MAX_REQUEST_BYTES = 8192
TIMEOUT_S = 5.0
#: How long no connection is accepted after one could not be, for example without free descriptors.
PAUSE_S = 1.0
_BACKLOG = 32


class AddressServer:
    """A server that runs until it is closed. Programs in the namespace may be hostile, so the number and the rate of
    connections are limited. A connection carries one short request and has a deadline. Connections beyond the rate wait
    in the kernel's queue. If the queue is full, the kernel drops further ones, which costs this process nothing."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._open: set[asyncio.Task[None]] = set()
        self._rate = TokenBucket.full(RATE, asyncio.get_running_loop().time())
        self._accepting = asyncio.get_running_loop().create_task(self._accept(), name="address-server")

    @classmethod
    async def open(cls, namespace: Namespace, port: int) -> AddressServer:
        """Starts a server that listens on all addresses of the namespace. Several processes can serve the same port.
        Raises OSError or NamespaceGone."""
        return cls(await namespace.arun(lambda: _listen(port), discard=socket.socket.close))

    def close(self) -> None:
        """Stops listening and ends open connections."""
        self._accepting.cancel()
        for task in self._open:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if pause_s := self._rate.wait_s(1.0, loop.time()):
                await asyncio.sleep(pause_s)
                continue
            try:
                connection, peer = await loop.sock_accept(self._listening)
            except OSError as error:
                log.warning("a connection to the neighbour could not be accepted: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            self._rate.take(1.0, loop.time())
            if len(self._open) >= MAX_CONNECTIONS:
                connection.close()
                continue
            task = loop.create_task(_answer(connection, peer))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


def _listen(port: int) -> socket.socket:
    try:
        opened = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = "::"
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.ENOPROTOOPT}:
            raise
        opened, address = socket.socket(socket.AF_INET, socket.SOCK_STREAM), "0.0.0.0"  # noqa: S104 - its purpose
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind((address, port))
        opened.listen(_BACKLOG)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened


async def _answer(connection: socket.socket, peer: tuple[str, int]) -> None:
    """Reads one request and answers with the client's address ``peer``. Closes the connection without an answer after
    TIMEOUT_S, or if the request is too long."""
    try:
        reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_REQUEST_BYTES)
    except OSError:
        connection.close()
        return
    try:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(TIMEOUT_S):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(peer))
                await writer.drain()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()


def _response(peer: tuple[str, int]) -> bytes:
    client = format_endpoint(peer[0].removeprefix("::ffff:"), peer[1])
    body = f"The neighbour sees the client {client}.\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
