"""dashboard.bench.websocket_clients and broadcast_server, one against the other."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from dashboard.bench.broadcast_server import broadcast_server
from dashboard.bench.websocket_clients import PARSE_S, Client, TimedConnection, websocket_clients
from dashboard.core.training.rate_limit import JOINS
from tests.support.polling import eventually


async def test_every_client_receives_what_is_broadcast_and_its_arrival_is_timed() -> None:
    async with broadcast_server() as (server, address), websocket_clients("127.0.0.1:1") as clients:
        await clients.ask("listen", address=address, count=3)
        await server.write('{"number": 7, "steps": ["a", "b"]}')
        assert len(await clients.ask("until", field="number", value=7)) == 3
        assert len(await clients.ask("until", field="steps", value="b")) == 3
        assert await clients.ask("take") == {"messages": 3, "texts": ['{"number": 7, "steps": ["a", "b"]}']}
        assert await clients.ask("take") == {"messages": 0, "texts": []}


async def test_messages_are_parsed_after_a_pause_and_have_the_time_of_their_arrival() -> None:
    notes: list[tuple[float, str, float]] = []

    async def send_two_and_end(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send("first")
        await connection.recv()
        await connection.send("last")

    def note(arrived: float, text: str) -> None:
        notes.append((arrived, text, time.monotonic()))

    async with serve(send_two_and_end, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        timed = partial(TimedConnection, note)
        async with connect(f"ws://127.0.0.1:{port}/", create_connection=timed, compression=None) as connection:  # type: ignore[arg-type]  # called only
            sent = time.monotonic()
            await connection.send("")
            await eventually(lambda: len(notes) == 1)
            await connection.send("")
            await connection.wait_closed()
    assert [text for _arrived, text, _parsed in notes] == ["first", "last"]
    arrived, _text, parsed = notes[0]
    assert sent <= arrived <= parsed - PARSE_S * 0.9


def test_a_thousand_clients_in_two_sessions_join_from_addresses_below_the_limit_of_each() -> None:
    sources = Counter(Client("127.0.0.1:1", number=number).source for number in range(500) for _session in range(2))
    assert None not in sources
    assert max(sources.values()) <= JOINS.burst
    assert Client("192.0.2.1:1").source is None
