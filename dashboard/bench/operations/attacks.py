"""Attacks on a server by a single client.

As a program (``python -m dashboard.bench.operations.attacks HOST``) it executes one command for each line of stdin. It
is a process of its own, so as not to delay the process that measures.
"""

import asyncio
import base64
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial

from dashboard.bench.processes import answer_commands
from dashboard.bench.server import Browser

#: The receive buffer of a client that never reads. The kernel doubles it.
BUFFER_BYTES = 4096
HEADER_BYTES = 120_000_000
HALF_SENT, WEBSOCKETS, PAGES, PINGS = 1500, 1000, 1000, 200_000
READ_BYTES = 1 << 16
#: The pause after a refused connection.
REFUSED_S = 0.05

type Attack = Callable[[Browser, str], Coroutine[None, None, None]]


def handshake(browser: Browser, path: str) -> bytes:
    """The bytes of the request that opens a websocket (RFC 6455, 4.1)."""
    headers = {
        "Host": browser.host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        "Sec-WebSocket-Version": "13",
        "Origin": browser.origin,
        **browser.headers(),
    }
    return f"GET {path} HTTP/1.1\r\n{''.join(f'{name}: {value}\r\n' for name, value in headers.items())}\r\n".encode()


def ping(payload: bytes) -> bytes:
    """The bytes of a websocket ping with at most 125 bytes of payload, masked with zeros."""
    return struct.pack("!BB4x", 0x89, 0x80 | len(payload)) + payload


async def connect(browser: Browser) -> socket.socket:
    """Opens a TCP connection with a small receive buffer. Raises OSError if the server refuses."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    opened.setblocking(False)
    name, _, port = browser.host.partition(":")
    try:
        await asyncio.get_running_loop().sock_connect(opened, (name, int(port)))
    except BaseException:
        opened.close()
        raise
    return opened


@asynccontextmanager
async def connections(browser: Browser, count: int, first: bytes) -> AsyncIterator[list[socket.socket]]:
    """Context manager that opens up to ``count`` connections, sends ``first`` on each, and reads nothing. Yields those
    that the server accepted."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            with suppress(OSError):  # the server may refuse
                opened.append(await connect(browser))
                await asyncio.get_running_loop().sock_sendall(opened[-1], first)
        yield opened
    finally:
        for one in opened:
            one.close()


async def send_headers(browser: Browser, _experiment: str) -> None:
    """Sends one request with a header of ``HEADER_BYTES`` bytes."""
    loop = asyncio.get_running_loop()
    async with connections(browser, 1, b"GET / HTTP/1.1\r\nX: ") as opened:
        for one in opened:
            with suppress(OSError):
                await loop.sock_sendall(one, b"x" * HEADER_BYTES)


async def send_halves(browser: Browser, _experiment: str) -> None:
    """Opens connections on which only the first half of a request is sent, and keeps them open."""
    async with connections(browser, HALF_SENT, f"POST /experiments/ HTTP/1.1\r\nHost: {browser.host}\r\n".encode()):
        await asyncio.Event().wait()


async def hold_websockets(browser: Browser, experiment: str) -> None:
    """Opens websockets, and never reads from them."""
    async with connections(browser, WEBSOCKETS, handshake(browser, f"/ws/experiments/{experiment}/")):
        await asyncio.Event().wait()


async def send_pings(browser: Browser, experiment: str) -> None:
    """Sends pings on a websocket and does not read the pongs."""
    loop = asyncio.get_running_loop()
    async with connections(browser, 1, handshake(browser, f"/ws/experiments/{experiment}/")) as opened:
        for one in opened:
            with suppress(OSError):
                await loop.sock_sendall(one, ping(b"x" * 100) * PINGS)


async def request_pages(browser: Browser, experiment: str) -> None:
    """Requests the page of an experiment repeatedly, over ``PAGES`` connections at once."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": browser.host, **browser.headers()}.items())
    request = f"GET /experiments/{experiment}/ HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()
    loop = asyncio.get_running_loop()

    async def request_repeatedly() -> None:
        while True:
            async with connections(browser, 1, request) as opened:
                for one in opened:
                    with suppress(OSError):
                        while await loop.sock_recv(one, READ_BYTES):
                            pass
                if not opened:
                    await asyncio.sleep(REFUSED_S)

    await asyncio.gather(*(request_repeatedly() for _ in range(PAGES)))


ATTACKS: dict[str, Attack] = {
    "a header of 120 MB": send_headers,
    f"{HALF_SENT} half-sent requests": send_halves,
    f"{WEBSOCKETS} websockets that are never read": hold_websockets,
    f"{PINGS} pings of one websocket": send_pings,
    f"{PAGES} pages at once": request_pages,
}


async def attack(host: str, name: str, experiment: str, cookies: dict[str, str], seconds: float) -> None:
    """Runs the attack ``name`` for some seconds, with the cookies of a signed-in browser."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ATTACKS[name](Browser(host, cookies), experiment)
            await asyncio.Event().wait()


def main() -> None:
    """Executes the commands from stdin until it ends."""
    asyncio.run(answer_commands({"attack": partial(attack, sys.argv[1])}))


if __name__ == "__main__":
    main()
