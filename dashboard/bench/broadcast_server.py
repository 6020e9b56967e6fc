"""The server with which Netmodes' deliveries of messages are compared. It uses only the ``websockets`` library.

As a program (``python -m dashboard.bench.broadcast_server``) it listens on a port of 127.0.0.1, prints the port, and
sends each line of stdin to every client with ``websockets.broadcast``. It runs on uvloop, as Netmodes' server does.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from dashboard.bench.processes import Program, print_line, program, stdin_lines


@asynccontextmanager
async def broadcast_server() -> AsyncIterator[tuple[Program, str]]:
    """Context manager that runs the server. Yields its process and the URL of its websocket."""
    async with program("broadcast_server") as server:
        yield server, f"ws://127.0.0.1:{await server.read()}/"


async def _serve() -> None:
    connections: set[ServerConnection] = set()

    async def hold(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            connections.discard(connection)

    async with serve(hold, "127.0.0.1", 0, compression=None) as server:
        print_line(str(next(iter(server.sockets)).getsockname()[1]))
        async for text in stdin_lines():
            broadcast(connections, text)


if __name__ == "__main__":
    uvloop.run(_serve())
