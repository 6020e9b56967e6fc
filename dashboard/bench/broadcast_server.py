"""The reference of the fan-out: a bare server of the ``websockets`` library that broadcasts what it is given.

As a program (``python -m dashboard.bench.broadcast_server PORT``) it serves on 127.0.0.1, says ``ready``, and sends each
line of stdin to every client with ``websockets.broadcast``. On uvloop, as the product's server is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from dashboard.bench.processes import BASE, tied
from dashboard.bench.server import free_port


class Broadcaster:
    """The program, spoken to from a loop."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.pid = process.pid
        self.url = f"ws://127.0.0.1:{port}/"

    async def send(self, text: str) -> None:
        """Broadcasts one message, which has no line break in it."""
        if self._process.stdin is None:
            raise RuntimeError("the broadcaster has no pipes")
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def broadcasting() -> AsyncIterator[Broadcaster]:
    """The program, serving."""
    port = free_port()
    command = tied([sys.executable, "-m", "dashboard.bench.broadcast_server", str(port)])
    process = await asyncio.create_subprocess_exec(
        *command, cwd=BASE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 30) if process.stdout else b""
        if line != b"ready\n":
            raise RuntimeError("the bare server did not start")
        yield Broadcaster(process, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _serve(port: int) -> None:
    connections: set[ServerConnection] = set()

    async def hold(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    async with serve(hold, "127.0.0.1", port, compression=None):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            broadcast(connections, line[:-1].decode())


def main() -> None:
    """Until stdin ends."""
    uvloop.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
