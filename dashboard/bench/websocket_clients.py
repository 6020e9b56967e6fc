"""Hundreds of browsers in one process. Each has cookies, a connection for HTTP, and a websocket that reconnects.

As a program (``python -m dashboard.bench.websocket_clients HOST``) it executes one command for each line of stdin. The
line is a JSON object whose field ``do`` names a method of ``Clients``. Times are seconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import Program, answer_commands, program
from dashboard.bench.server import Browser

DEADLINE_S = 150.0
#: The same values as in ``static/dashboard/js/core/backoff.js``.
FIRST_PAUSE_S, MAX_PAUSE_S = 0.4, 10.0
#: How many clients connect at the same time when they only listen.
CONCURRENT_HANDSHAKES = 20
#: Seconds from the arrival of data until it is parsed.
PARSE_S = 0.1
#: How many clients of a program share an address. Joins of one address are limited (``core.training.rate_limit``).
PER_ADDRESS = 15


class TimedConnection(ClientConnection):
    """A websocket that calls ``note`` with the arrival time and the text of each message.

    Parsing data when it arrives would delay the program's other clients, which wait for the same message. So the data
    of all connections is parsed together, ``PARSE_S`` after the first data has arrived.
    """

    unparsed: ClassVar[list[tuple[TimedConnection, float, bytes]]] = []

    def __init__(self, note: Callable[[float, str], None], protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._note = note
        self._arrived = 0.0

    def data_received(self, data: bytes) -> None:
        """Stores data with its arrival time, to be parsed later. The response to the handshake is parsed at once."""
        if self.response is None:
            self._arrived = time.monotonic()
            super().data_received(data)
            return
        if not self.unparsed:
            self.loop.call_later(PARSE_S, self.parse_all)
        self.unparsed.append((self, time.monotonic(), data))

    @classmethod
    def parse_all(cls) -> None:
        """Parses the stored data of all connections."""
        unparsed = cls.unparsed[:]
        cls.unparsed.clear()
        for connection, arrived, data in unparsed:
            connection._arrived = arrived
            ClientConnection.data_received(connection, data)

    def process_event(self, event: Event) -> None:
        """Calls ``note`` if the event is a message. A frame is always a whole message, because the server does not
        fragment messages."""
        if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            self._note(self._arrived, str(event.data, "utf-8"))
        else:
            super().process_event(event)

    def eof_received(self) -> None:
        """Parses the stored data before the connection ends."""
        self.parse_all()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Parses the stored data before the connection ends."""
        self.parse_all()
        super().connection_lost(exc)


@dataclass(slots=True)
class Client(Browser):
    """One browser of a participant or user. ``received`` contains every message with its arrival time. ``body`` is the
    body of the last response."""

    number: int = 0
    session: str = ""
    body: bytes = b""
    received: list[tuple[float, str]] = field(default_factory=list)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def source(self) -> tuple[str, int] | None:
        """The address from which this client connects. With a server on the loopback interface, ``PER_ADDRESS`` clients
        share an address, because the number of joins from one address is limited."""
        network = self.number // PER_ADDRESS + 1
        return (f"127.0.{network >> 8}.{network & 255}", 0) if self.host.startswith("127.") else None

    async def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        """Sends a request, and returns the status and the Location of the response. Like a browser, it reconnects if
        the server has closed the connection."""
        try:
            return await self._ask(method, path, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            return await self._ask(method, path, fields)

    async def _ask(self, method: str, path: str, fields: dict[str, str] | None) -> tuple[int, str]:
        if self._streams is None:
            name, _, port = self.host.partition(":")
            self._streams = await asyncio.open_connection(name, int(port), local_addr=self.source)
        reader, writer = self._streams
        body = urlencode(fields or {}) if method == "POST" else ""
        headers = {"Host": self.host, "Content-Length": str(len(body)), **self.headers(method)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode())
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        answered = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
        self.store_cookies(value for name, value in answered if name == "set-cookie")
        single = dict(answered)
        self.body = await reader.readexactly(int(single.get("content-length", 0)))
        return int(status.split()[1]), single.get("location", "")

    def close(self) -> None:
        """Closes the connection for HTTP."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()

    async def join(self, code: str, key: str) -> None:
        """Joins a training session like a browser: opens its link, submits the form and loads the lobby."""
        await self.ask("GET", f"/join/?code={code}&key={key}")
        form = {"code": code, "key": key, "name": f"Participant {self.number}"}
        status, lobby = await self.ask("POST", "/join/", form)
        if status != 302:
            raise BenchmarkError(f"joining was answered with {status}")
        self.session = lobby.split("/")[2]
        await self.ask("GET", lobby)

    async def predict(self, step: str) -> None:
        """Submits a prediction for a step of the joined session."""
        path = f"/sessions/{self.session}/steps/{step}/predict/"
        status, _ = await self.ask("POST", path, {"choice": str(self.number % 2)})
        if status != 302:
            raise BenchmarkError(f"the prediction was answered with {status}")

    async def listen(self, address: str, connected: Callable[[], None]) -> None:
        """Stores the messages of a websocket in ``received`` until cancelled. Calls ``connected`` each time the
        websocket has been opened. If the connection is lost, reconnects with the same delays as the page."""
        attempt = 0

        def note(arrived: float, text: str) -> None:
            nonlocal attempt
            attempt = 0
            self.received.append((arrived, text))

        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                async with self.websocket(address, create_connection=partial(TimedConnection, note)) as connection:
                    connected()
                    await connection.wait_closed()
            pause = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt, 16))
            attempt += 1
            await asyncio.sleep(pause / 2 + pause / 2 * random.random())  # noqa: S311 - nothing secret


class Clients:
    """All clients of the program. The public methods are its commands."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._clients: list[Client] = []
        self._listeners: list[asyncio.Task[None]] = []

    async def join(self, code: str, key: str, count: int, within_s: float, first: int = 0) -> float:
        """Lets ``count`` participants join a training session and listen to its websocket. ``first`` is the number of
        the first participant. All start within the first half of ``within_s``. Returns the seconds until all of them
        listen."""
        self._clients = [Client(self._host, number=number) for number in range(first, first + count)]

        async def join_and_listen(client: Client) -> None:
            await client.join(code, key)
            await self._connect(client, f"/ws/sessions/{client.session}/")

        return await self._each(join_and_listen, within_s)

    async def listen(self, address: str, count: int, cookies: dict[str, str] | None = None) -> float:
        """Connects ``count`` clients to a websocket and stores its messages. Returns the seconds until all are
        connected."""
        self._clients = [Client(self._host, cookies or {}, number=number) for number in range(count)]
        gate = asyncio.Semaphore(CONCURRENT_HANDSHAKES)

        async def connect(client: Client) -> None:
            async with gate:
                await self._connect(client, address)

        return await self._each(connect, 0)

    async def predict(self, step: str, within_s: float) -> float:
        """Lets every client submit a prediction, starting within the first half of ``within_s``. Returns the seconds
        until all predictions are submitted."""
        return await self._each(lambda client: client.predict(step), within_s)

    async def until(self, field: str, value: object, after: float = 0.0) -> list[float]:
        """Waits until each client has received a message in which ``field`` has or contains ``value``. ``field`` is a
        path of names with dots. Messages that arrived before the time ``after`` do not count. Returns the arrival time
        of each client's first such message. Raises TimeoutError after ``DEADLINE_S``."""
        known: dict[str, bool] = {}

        def matches(text: str) -> bool:
            if text not in known:
                content: Any = json.loads(text)
                for name in field.split("."):
                    content = content.get(name) if isinstance(content, dict) else None
                known[text] = content == value or (isinstance(content, list) and value in content)
            return known[text]

        return await self._first_times(after, matches)

    async def arrivals(self, after: float, characters: int) -> list[float]:
        """Waits until each client has received a message with more than this number of characters. Messages that
        arrived before the time ``after`` do not count. Returns the arrival time of each client's first such message.
        Raises TimeoutError after ``DEADLINE_S``."""
        return await self._first_times(after, lambda text: len(text) > characters)

    async def take(self) -> dict[str, Any]:
        """Returns the total number of messages that the clients have received since the last ``take`` (``messages``),
        and the texts of the first client's messages (``texts``)."""
        taken = {
            "messages": sum(len(client.received) for client in self._clients),
            "texts": [text for _, text in self._clients[0].received],
        }
        for client in self._clients:
            client.received.clear()
        return taken

    async def _first_times(self, after: float, matches: Callable[[str], bool]) -> list[float]:
        times: dict[int, float] = {}
        async with asyncio.timeout(DEADLINE_S):
            while len(times) < len(self._clients):
                for client in self._clients:
                    if client.number not in times:
                        arrivals = (at for at, text in client.received if at >= after and matches(text))
                        if (first := next(arrivals, None)) is not None:
                            times[client.number] = first
                await asyncio.sleep(0.02)
        return list(times.values())

    async def _connect(self, client: Client, address: str) -> None:
        connected = asyncio.Event()
        self._listeners.append(asyncio.create_task(client.listen(address, connected.set)))
        await connected.wait()

    async def _each(self, act: Callable[[Client], Awaitable[None]], within_s: float) -> float:
        """Calls ``act`` for every client, at equal intervals within the first half of ``within_s``. Returns the seconds
        until all calls have ended. An exception for one client ends the program."""
        started, gap = time.monotonic(), within_s * 0.5 / max(1, len(self._clients))

        async def start_in_turn(position: int, client: Client) -> None:
            await asyncio.sleep(max(0.0, started + position * gap - time.monotonic()))
            await act(client)

        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(start_in_turn(*numbered) for numbered in enumerate(self._clients)))
        return time.monotonic() - started


def websocket_clients(host: str) -> AbstractAsyncContextManager[Program]:
    """Context manager that runs this module as a program, in a process of its own, so that clients do not use the
    server's processor time."""
    return program("websocket_clients", host)


def main() -> None:
    """Executes the commands from stdin until it ends."""
    clients = Clients(sys.argv[1])
    commands = (clients.join, clients.listen, clients.predict, clients.until, clients.arrivals, clients.take)
    uvloop.run(answer_commands({command.__name__: command for command in commands}))


if __name__ == "__main__":
    main()
