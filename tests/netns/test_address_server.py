"""dashboard.netns.address_server: a server of this process in another namespace."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial

import pytest

from dashboard.core.token_bucket import Rate
from dashboard.netns import address_server
from dashboard.netns.address_server import AddressServer
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request as send_request
from tests.support.polling import DEADLINE_S, eventually

#: With a timeout that no stall of the machine exceeds.
request = partial(send_request, timeout_s=DEADLINE_S)


async def _connect(namespace: Namespace) -> socket.socket:
    opened = namespace.run(socket.socket)
    opened.setblocking(False)
    await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", 80))
    return opened


async def test_the_server_answers_with_the_address_of_its_client(namespace: Namespace) -> None:
    servers = [await AddressServer.open(namespace, 80) for _ in range(2)]
    reply = await request(namespace, "127.0.0.1", 80)
    assert (reply.status, reply.body_start) == (200, f"The neighbour sees the client {reply.client}.\n")
    servers[0].close()
    assert (await request(namespace, "127.0.0.1", 80)).status == 200, "the other one still serves the port"
    servers[1].close()
    assert "refused" in str((await request(namespace, "127.0.0.1", 80)).error)


async def test_a_client_that_sends_nothing_or_too_much_is_disconnected(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_server, "TIMEOUT_S", 0.2)
    server = await AddressServer.open(namespace, 80)
    loop = asyncio.get_running_loop()
    try:
        for sent in (b"", b"x" * (4 * address_server.MAX_REQUEST_BYTES)):
            with await _connect(namespace) as client, suppress(ConnectionResetError, BrokenPipeError):
                await loop.sock_sendall(client, sent)
                assert await asyncio.wait_for(loop.sock_recv(client, 100), 20) == b""
    finally:
        server.close()


async def test_connections_beyond_the_rate_wait_and_are_answered_later(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[float] = []
    answer, loop = address_server._answer, asyncio.get_running_loop()

    async def counted(connection: socket.socket, peer: tuple[str, int]) -> None:
        accepted.append(loop.time())
        await answer(connection, peer)

    monkeypatch.setattr(address_server, "_answer", counted)
    monkeypatch.setattr(address_server, "RATE", Rate(3, 10))
    opened = loop.time()
    server = await AddressServer.open(namespace, 80)
    try:
        replies = await asyncio.gather(*(request(namespace, "127.0.0.1", 80) for _ in range(8)))
        assert [reply.status for reply in replies] == [200] * 8
        earliest = [0.0] * 3 + [0.1 * number for number in range(1, 6)]
        assert all(at - opened >= least - 0.01 for at, least in zip(accepted, earliest, strict=True)), accepted
    finally:
        server.close()


async def test_a_connection_that_cannot_be_accepted_does_not_end_the_server(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(24, "Too many open files")]

    async def failing(listening: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return await accept(listening)

    monkeypatch.setattr(loop, "sock_accept", failing)
    monkeypatch.setattr(address_server, "PAUSE_S", 0.01)
    server = await AddressServer.open(namespace, 80)
    try:
        assert (await request(namespace, "127.0.0.1", 80)).status == 200
        assert "could not be accepted" in caplog.text
    finally:
        server.close()


async def test_a_client_that_has_reset_its_connection_before_it_is_accepted_causes_no_error(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    accept, is_reset = loop.sock_accept, asyncio.Event()
    errors: list[object] = []

    async def late(listening: socket.socket) -> object:
        await is_reset.wait()
        return await accept(listening)

    monkeypatch.setattr(loop, "sock_accept", late)
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    server = await AddressServer.open(namespace, 80)
    try:
        with await _connect(namespace) as client:
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\n\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        is_reset.set()
        assert (await request(namespace, "127.0.0.1", 80)).status == 200
        await eventually(lambda: not server._open)
        assert errors == []
    finally:
        server.close()


async def test_connections_beyond_the_limit_are_closed(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_server, "MAX_CONNECTIONS", 1)
    server = await AddressServer.open(namespace, 80)
    try:
        with await _connect(namespace):
            assert (await request(namespace, "127.0.0.1", 80)).status is None
    finally:
        server.close()
