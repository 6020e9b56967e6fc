"""Messages between a lab and its web process."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.remote import link
from dashboard.lab.remote.link import (
    Call,
    Cancel,
    Facts,
    LinkBrokenError,
    Look,
    Output,
    Ready,
    Reply,
    Request,
    Result,
    TooLongError,
    Wakeups,
    open_lab_end,
    open_web_end,
)
from tests.support.polling import eventually


def sockets() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


def framed(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


async def test_messages_arrive_whole_and_in_order() -> None:
    one, two = sockets()
    lab, web = await open_lab_end(one), await open_web_end(two)
    requests: list[Request] = [Call(1, "doctor", "", "[]"), Cancel(1), Look(), Ready()]
    replies: list[Reply] = [
        Facts(LabFacts(None, "No engine.")),
        Output(1, "ü" * 300_000),
        Result(1, "{}", refused=True),
        Wakeups((("experiment", "abc"), ("all",))),
    ]
    for request in requests:
        web.send(request)
    for reply in replies:
        lab.send(reply)
    assert [await lab.receive() for _ in requests] == requests
    assert [await web.receive() for _ in replies] == replies
    await web.close()
    assert await lab.receive() is None
    lab.send(Output(1, "nobody reads it"))
    await lab.close()


async def test_a_message_that_is_too_long_is_refused_by_its_sender() -> None:
    one, two = sockets()
    lab, web = await open_lab_end(one), await open_web_end(two)
    with pytest.raises(TooLongError):
        web.send(Call(1, "doctor", "", "x" * link.MAX_REQUEST_BYTES))
    web.send(Call(2, "doctor", "", "x" * (link.MAX_REQUEST_BYTES - 100)))
    assert await lab.receive() is not None
    await web.close()
    await lab.close()


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("!I", link.MAX_REQUEST_BYTES + 1),
        struct.pack("!I", 4) + b"null",
        struct.pack("!I", 7) + b"not JSON"[:7],
        struct.pack("!I", 17) + b'["Result",1,"{}"]',
        struct.pack("!I", 8) + b'["Call"]',
        struct.pack("!I", 2) + b"\xff\xff",
        framed(b'["Call",1,"\xff","","[]"]'),
        framed(b"[" * 100_000),
        framed(b'["Call",1,"","","[]",' + b"[" * 100_000),
    ],
)
async def test_the_lab_refuses_invalid_requests(sent: bytes) -> None:
    one, two = sockets()
    lab = await open_lab_end(one)
    await asyncio.get_running_loop().sock_sendall(two, sent)
    with pytest.raises(LinkBrokenError):
        await lab.receive()
    await lab.close()
    two.close()


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_closing_does_not_wait_for_an_end_that_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """Otherwise, on Ctrl-C, uvloop reported the open socket with a traceback."""
    monkeypatch.setattr(link, "CLOSE_S", 1000.0 if is_cancelled else 0.05)
    one, two = sockets()
    lab = await open_lab_end(one)
    for _ in range(8):
        lab.send(Output(1, "x" * 500_000))
    closing = asyncio.create_task(lab.close())
    await eventually(lab._writer.is_closing)
    if is_cancelled:
        closing.cancel()
    await asyncio.wait([closing], timeout=10)
    assert closing.done()
    await eventually(lambda: one.fileno() == -1)
    two.close()
