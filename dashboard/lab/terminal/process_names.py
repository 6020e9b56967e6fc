"""Answers ``netstat -p`` and ``ss -p`` of a terminal from outside, in the host's network: its process ids are its own.

A terminal's own ``netstat`` and ``ss`` are small scripts that ask here with curl, over a socket that only that terminal
has. What may be asked is a written list (``core.terminal.socket_tools``).
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing, suppress
from pathlib import Path

from dashboard.core.terminal.socket_tools import LINE_MOST, why_not
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone

AT_ONCE = 2
ASK_S = 5.0
RUN_S = 10.0


class Names:
    """The socket of one terminal."""

    def __init__(self, host: PrivateHost) -> None:
        self._host = host
        self._path = Path(host.socket).parent / f"names-{secrets.token_hex(4)}.sock"
        self._server: asyncio.Server | None = None
        self._asking: set[asyncio.StreamWriter] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def open(self) -> Path:
        """Listens; where."""
        self._server = await asyncio.start_unix_server(self._answer, self._path)
        return self._path

    async def close(self) -> None:
        """Ends."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._asking):
                writer.transport.abort()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asking.add(writer)
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            async with asyncio.timeout(ASK_S):
                line = await _read(reader)
            problem = why_not(line)
            if problem or self._turns.locked():
                writer.write(_head("403 Forbidden"))
            else:
                async with self._turns:
                    await self._run(line, writer)
            await writer.drain()
        self._asking.discard(writer)
        writer.close()

    async def _run(self, line: list[str], writer: asyncio.StreamWriter) -> None:
        try:
            with Namespace.of_pid(self._host.pid) as namespace:
                if namespace.inode != self._host.netns:  # another process has this number now
                    writer.write(_head("503 Service Unavailable"))
                    return
                writer.write(_head("200 OK"))
                async with aclosing(run_inside(namespace, line, timeout_s=RUN_S)) as pieces:
                    async for text in pieces:
                        writer.write(text.encode())
                        await writer.drain()
        except NamespaceGone:
            writer.write(_head("503 Service Unavailable"))


def _head(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n".encode()


async def _read(reader: asyncio.StreamReader) -> list[str]:
    """The line of a request, word by word. ValueError if it is none."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(one.split(":", 1) for one in head.splitlines()[1:] if ":" in one)
    length = int(fields.get("content-length", "0"))
    if not 0 < length <= 4 * LINE_MOST:
        raise ValueError("too long")
    return (await reader.readexactly(length)).decode().removesuffix("\0").split("\0")
