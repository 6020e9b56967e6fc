"""Shared frames in a real uvicorn with real clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import CloseCode, Frame, Opcode

from dashboard.bench.operations.attacks import connect as connect_without_reading
from dashboard.bench.operations.attacks import handshake, ping
from dashboard.bench.server import Browser
from dashboard.web.http.server.shared_frames import SharedFrameProtocol, direct_calls, encode_frame
from tests.support.polling import eventually, others_run

Write = Callable[[str], bool]


class RecordingApplication:
    """Records its scopes and messages, and runs until the client disconnects."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.aborts: list[Callable[[], None]] = []
        self.before_accept: list[bool] = []
        self.gone = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        write, abort = direct_calls(scope)
        assert write is not None
        assert abort is not None
        await receive()
        self.before_accept.append(write("too early"))
        await send({"type": "websocket.accept"})
        self.writes.append(write)
        self.aborts.append(abort)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.gone += 1


@asynccontextmanager
async def serving(application: Any, **options: Any) -> AsyncIterator[str]:
    settings: dict[str, Any] = {
        "ws_per_message_deflate": False,
        "lifespan": "off",
        "log_level": "critical",
        "port": 0,
    } | options
    server = uvicorn.Server(uvicorn.Config(application, ws=SharedFrameProtocol, **settings))
    task = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(url, **({"compression": None, "proxy": None, "max_size": None} | options)) as opened:
        yield opened


@asynccontextmanager
async def client_that_does_not_read(url: str, application: RecordingApplication) -> AsyncIterator[socket.socket]:
    """Connects a client and sends its handshake; the application has accepted it."""
    host = url.removeprefix("ws://").removesuffix("/")
    with await connect_without_reading(Browser(host)) as opened:
        await asyncio.get_running_loop().sock_sendall(opened, handshake(Browser(host), "/"))
        await eventually(lambda: application.writes)
        yield opened


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
async def test_a_text_of_any_size_arrives_whole(size: int) -> None:
    application, text = RecordingApplication(), "é" * (size // 2) + "x" * (size % 2)
    async with serving(application) as url, client(url) as opened:
        await eventually(lambda: application.writes)
        assert application.writes[0](text)
        assert await opened.recv() == text


async def test_all_clients_get_the_same_bytes_encoded_once() -> None:
    application, text = RecordingApplication(), "a patch"
    async with serving(application) as url, client(url) as one, client(url) as other:
        await eventually(lambda: len(application.writes) == 2)
        assert [write(text) for write in application.writes] == [True, True]
        assert [await one.recv(), await other.recv()] == [text, text]
    assert encode_frame(text) is encode_frame(text)


def test_a_frame_equals_that_of_the_library_and_differs_by_text() -> None:
    for text in ("one", "two", "one"):
        assert encode_frame(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


async def test_nothing_is_written_before_the_handshake_is_accepted() -> None:
    application = RecordingApplication()
    async with serving(application) as url, client(url) as opened:
        await eventually(lambda: application.writes)
        assert application.before_accept == [False]
        assert application.writes[0]("now")
        assert await opened.recv() == "now"


async def test_nothing_is_written_after_a_disconnect() -> None:
    application = RecordingApplication()
    async with serving(application) as url:
        async with client(url):
            await eventually(lambda: application.writes)
        await eventually(lambda: application.gone)
        assert not application.writes[0]("too late")


async def test_a_client_that_does_not_read_is_not_written_to_without_waiting() -> None:
    application, text = RecordingApplication(), "x" * 65536
    async with serving(application) as url, client(url, max_queue=1) as opened:
        await eventually(lambda: application.writes)
        taken = 0
        while application.writes[0](text):
            taken += 1
            assert taken < 1000, "the outbox is unbounded"
            await others_run()
        for _ in range(taken):
            assert await opened.recv() == text
        await eventually(lambda: application.writes[0]("again"))
        assert await opened.recv() == "again"


async def test_an_abort_ends_the_connection_of_a_client_that_does_not_read() -> None:
    application = RecordingApplication()
    async with serving(application) as url, client_that_does_not_read(url, application):
        while application.writes[0]("x" * 65536):
            await others_run()
        application.aborts[0]()
        await eventually(lambda: application.gone == 1)


async def test_with_compression_every_client_gets_its_own_frame() -> None:
    application = RecordingApplication()
    async with serving(application, ws_per_message_deflate=True) as url, client(url, compression="deflate"):
        await eventually(lambda: application.writes)
        assert not application.writes[0]("shared")


async def test_a_text_that_is_not_utf_8_is_closed_with_1007_and_logs_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(RecordingApplication()) as url, client(url) as opened:
        opened.transport.write(Frame(Opcode.TEXT, b"\xff").serialize(mask=True))
        await opened.wait_closed()
        assert opened.close_code == CloseCode.INVALID_DATA
    assert "Traceback" not in caplog.text


async def test_a_browser_can_close_within_a_message() -> None:
    async with serving(RecordingApplication()) as url, client(url) as opened:
        frames = (Frame(Opcode.TEXT, b"begun", fin=False), Frame(Opcode.CLOSE, b"\x03\xe8"))
        opened.transport.write(b"".join(frame.serialize(mask=True) for frame in frames))
        await opened.wait_closed()
        assert opened.close_code == CloseCode.NORMAL_CLOSURE


TEXT = Frame(Opcode.TEXT, b"a message").serialize(mask=True)


@pytest.mark.parametrize("between", [b"", TEXT], ids=["pings", "pings and texts"])
async def test_pings_of_a_client_that_does_not_read_wait(between: bytes) -> None:
    """They also wait if the application takes a message among them."""
    application, loop, count = RecordingApplication(), asyncio.get_running_loop(), 300_000
    sent = (ping(b"x" * 100) * 100 + between) * (count // 100)
    async with serving(application) as url:
        async with client_that_does_not_read(url, application) as browser:
            protocol = application.writes[0].__self__  # type: ignore[attr-defined]  # a bound method
            sending = asyncio.create_task(loop.sock_sendall(browser, sent))
            await eventually(lambda: not protocol.writable.is_set())
            for _ in range(1000):
                await others_run()
            assert protocol.transport.get_write_buffer_size() < 1 << 20
            assert not protocol.transport.is_reading()
            assert not sending.done()
            head = b""
            while b"\r\n\r\n" not in head:
                head += await loop.sock_recv(browser, 1)
            left = count * len(Frame(Opcode.PONG, b"x" * 100).serialize(mask=False))
            while left:
                left -= len(await loop.sock_recv(browser, left))
            await sending
            await eventually(protocol.transport.is_reading)
        await eventually(lambda: application.gone == 1)
