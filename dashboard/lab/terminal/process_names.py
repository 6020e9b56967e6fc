"""Runs ``netstat`` and ``ss`` for a terminal, so that they can name processes.

They run in the host's network namespace, but outside its other namespaces. The limits of the host's programs apply to
them. In the terminal, both commands are small scripts, which use curl to send their command line to a unix socket that
only this terminal has. ``core.terminal.socket_tools`` determines which options are permitted.
"""

import asyncio
import os
import secrets
from contextlib import aclosing, suppress
from pathlib import Path

from dashboard.core.terminal.socket_tools import MAX_COMMAND, refuse_command
from dashboard.engine.hosts.enter import limited_command
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone

MAX_PARALLEL = 2
#: The maximum number of connections of one terminal. Each occupies a file descriptor of the lab.
MAX_CLIENTS = 8
REQUEST_TIMEOUT_S = 5.0
RUN_TIMEOUT_S = 10.0


class SocketToolServer:
    """Runs ``netstat`` and ``ss`` for one terminal. Receives their command lines at a unix socket and answers with
    their output."""

    def __init__(self, host: PrivateHost) -> None:
        self._host = host
        self._path = Path(host.socket).parent / f"names-{secrets.token_hex(4)}.sock"
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._slots = asyncio.Semaphore(MAX_PARALLEL)

    async def open(self) -> Path:
        """Starts listening. Returns the path of the socket."""
        self._server = await asyncio.start_unix_server(self._answer, self._path)
        os.chown(self._path, self._host.owner, self._host.owner)  # the shell is root of the host
        return self._path

    async def close(self) -> None:
        """Stops listening and disconnects the clients."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._clients):
                writer.transport.abort()
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(writer)
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                command = await _read_command(reader)
            if refuse_command(command) or self._slots.locked():
                writer.write(_head("403 Forbidden"))
            else:
                async with self._slots:
                    await self._run(command, writer)
            await writer.drain()
        self._clients.discard(writer)
        writer.close()

    async def _run(self, command: list[str], writer: asyncio.StreamWriter) -> None:
        try:
            with Namespace.of_pid(self._host.pid) as namespace:
                if namespace.inode != self._host.netns:  # the pid has been reused by another process
                    writer.write(_head("503 Service Unavailable"))
                    return
                writer.write(_head("200 OK"))
                limited = await asyncio.to_thread(limited_command, self._host, command)
                async with aclosing(run_inside(namespace, limited, timeout_s=RUN_TIMEOUT_S)) as pieces:
                    async for text in pieces:
                        writer.write(text.encode())
                        await writer.drain()
        except NamespaceGone:
            writer.write(_head("503 Service Unavailable"))


def _head(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n".encode()


async def _read_command(reader: asyncio.StreamReader) -> list[str]:
    """Returns the command line in the body of an HTTP request, split into arguments. Raises ValueError if it is missing
    or too long."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(":", 1) for line in head.splitlines()[1:] if ":" in line)
    length = int(fields.get("content-length", "0"))
    if not 0 < length <= 4 * MAX_COMMAND:
        raise ValueError("too long")
    return (await reader.readexactly(length)).decode().removesuffix("\0").split("\0")
