"""What the attacks send is what RFC 6455 and HTTP describe, so that the server handles it."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from dashboard.bench.operations.attacks import ATTACKS, attack, handshake, ping
from dashboard.bench.server import Browser
from tests.support.polling import DEADLINE_S, eventually


def test_a_handshake_and_pings_are_valid() -> None:
    browser = Browser("127.0.0.1:8000", {"sessionid": "s"})
    server = ServerProtocol()
    server.receive_data(handshake(browser, "/ws/experiments/abc/"))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert request.path == "/ws/experiments/abc/"
    assert (request.headers["Origin"], request.headers["Cookie"]) == ("http://127.0.0.1:8000", "sessionid=s")
    server.send_response(server.accept(request))
    server.receive_data(ping(b"x" * 100) * 2)
    frames = [event for event in server.events_received() if isinstance(event, Frame)]
    assert [(frame.opcode, bytes(frame.data)) for frame in frames] == [(Opcode.PING, b"x" * 100)] * 2


@pytest.mark.parametrize(
    ("name", "start"),
    list(
        zip(
            ATTACKS,
            (
                b"GET / HTTP",
                b"POST /experiments/ HTTP",
                b"GET /ws/experiments/abc/",
                b"GET /ws/experiments/abc/",
                b"GET /exp",
            ),
            strict=True,
        )
    ),
)
async def test_an_attack_ends_after_its_time_even_if_the_server_closes_or_never_answers(
    name: str, start: bytes
) -> None:
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        attacking = asyncio.create_task(attack(host, name, "abc", {"sessionid": "s"}, DEADLINE_S * 10))
        await eventually(lambda: received.startswith(start))
        attacking.cancel()
        await asyncio.wait({attacking})
    await attack(host, name, "abc", {}, 0.0)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_on_a_server_that_refuses_connections_has_no_traceback(name: str) -> None:
    with socket.socket() as closed:  # bound, without a listener
        closed.bind(("127.0.0.1", 0))
        await attack(f"127.0.0.1:{closed.getsockname()[1]}", name, "abc", {}, 0.2)
