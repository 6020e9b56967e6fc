"""A small HTTP server of this process in another network namespace. It answers with the client's address."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.netns.namespace import Namespace

MAX_CONNECTIONS = 32
MAX_REQUEST_BYTES = 8192
TIMEOUT_S = 5.0
_BACKLOG = 32


class AddressServer:
    """Serves until it is closed. Programs in the namespace may be hostile: each connection has one short request, a
    deadline and a limited number of others beside it."""

    def __init__(self, server: asyncio.Server, answers: _Answers) -> None:
        self._server = server
        self._answers = answers

    @classmethod
    async def open(cls, namespace: Namespace, port: int) -> AddressServer:
        """Listens on all addresses. Several processes can serve the same port. Raises OSError or NamespaceGone."""
        opened = await namespace.arun(lambda: _listen(port), discard=socket.socket.close)
        try:
            answers = _Answers()
            return cls(await asyncio.start_server(answers.answer, sock=opened, limit=MAX_REQUEST_BYTES), answers)
        except BaseException:
            opened.close()
            raise

    def close(self) -> None:
        """Stops listening and ends open connections."""
        self._server.close()
        self._answers.end()


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


class _Answers:
    """Answers requests, at most ``MAX_CONNECTIONS`` at a time."""

    def __init__(self) -> None:
        self._open: set[asyncio.StreamWriter] = set()

    def end(self) -> None:
        """Ends the open connections."""
        for writer in self._open:
            writer.transport.abort()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of one connection; more connections than allowed are closed at once."""
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(TIMEOUT_S):
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(_response(writer.get_extra_info("peername")))
                    await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()


def _response(peer: tuple[str, int]) -> bytes:
    client = format_endpoint(peer[0].removeprefix("::ffff:"), peer[1])
    body = f"The neighbour sees the client {client}.\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
