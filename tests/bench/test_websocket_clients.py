"""dashboard.bench.websocket_clients and broadcast_server, one against the other."""

from __future__ import annotations

from collections import Counter

from dashboard.bench.broadcast_server import broadcast_server
from dashboard.bench.websocket_clients import Client, websocket_clients
from dashboard.core.training.rate_limit import JOINS


async def test_every_client_receives_what_is_broadcast_and_its_arrival_is_timed() -> None:
    async with broadcast_server() as (server, address), websocket_clients("127.0.0.1:1") as clients:
        await clients.ask("listen", address=address, count=3)
        await server.write('{"number": 7, "steps": ["a", "b"]}')
        assert len(await clients.ask("until", field="number", value=7)) == 3
        assert len(await clients.ask("until", field="steps", value="b")) == 3
        assert await clients.ask("take") == {"messages": 3, "texts": ['{"number": 7, "steps": ["a", "b"]}']}
        assert await clients.ask("take") == {"messages": 0, "texts": []}


def test_a_thousand_clients_in_two_sessions_join_from_addresses_below_the_limit_of_each() -> None:
    sources = Counter(Client("127.0.0.1:1", number=number).source for number in range(500) for _session in range(2))
    assert None not in sources
    assert max(sources.values()) <= JOINS.burst
    assert Client("192.0.2.1:1").source is None
