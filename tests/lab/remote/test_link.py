"""Messages between a lab and its web process."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from dashboard.lab.remote import link
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.nats_connection import LAB_CALLS, LAB_CANCELS, MAX_MESSAGE_BYTES, WEB_REPLIES, Message
from tests.support.polling import eventually, others_run

LONGEST = MAX_MESSAGE_BYTES - len(f"{LAB_CALLS}\n\n")


def sockets() -> tuple[socket.socket, socket.socket]:
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


def framed(message: bytes) -> bytes:
    return struct.pack("!I", len(message)) + message


class End:
    """One end, with the messages that it has received."""

    def __init__(self, *, is_guarded: bool, subjects: tuple[str, ...]) -> None:
        self.link = Link(is_guarded=is_guarded)
        self.subjects = subjects
        self.received: list[Message] = []
        self.serving: asyncio.Task[None]

    async def open(self, own: socket.socket) -> None:
        for subject in self.subjects:
            await self.link.listen(subject, self.received.append)
        await self.link.open(own)
        self.serving = asyncio.create_task(self.link.serve())

    async def close(self) -> None:
        self.serving.cancel()
        await asyncio.wait([self.serving], timeout=10)
        assert self.serving.done()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    """The lab's end and the web process's."""
    lab = End(is_guarded=True, subjects=(f"{LAB_CALLS}.server.*", LAB_CANCELS))
    web = End(is_guarded=False, subjects=(WEB_REPLIES,))
    for end, own in zip((lab, web), sockets(), strict=True):
        await end.open(own)
    yield lab, web
    for end in (lab, web):
        await end.close()


async def test_messages_arrive_whole_and_in_order(ends: tuple[End, End]) -> None:
    lab, web = ends
    requests = [
        Message(f"{LAB_CALLS}.server", b"[\n]\n", f"{WEB_REPLIES}.server.link.1"),
        Message(LAB_CANCELS, b"", ""),
        Message(f"{LAB_CALLS}.server", "ü\0".encode() * 300_000, "x"),
    ]
    replies = [Message(f"{WEB_REPLIES}.{number}", b"\xff" * 900_000) for number in range(3)]
    for message in requests:
        assert await web.link.publish(message.subject, message.data, message.reply)
    for message in replies:
        assert await lab.link.publish(message.subject, message.data)
    await eventually(lambda: lab.received == requests and web.received == replies)
    await web.close()
    await asyncio.wait_for(lab.serving, 10)
    assert not lab.link.is_open
    assert not await lab.link.publish(WEB_REPLIES, b"nobody reads it")


async def test_a_message_that_is_too_long_is_refused_by_its_sender(ends: tuple[End, End]) -> None:
    lab, web = ends
    with pytest.raises(ValueError, match="at most 1,000,000 bytes"):
        await web.link.publish(LAB_CALLS, b"x" * (LONGEST + 1))
    await web.link.publish(LAB_CALLS, b"x" * LONGEST)
    await eventually(lambda: [len(message.data) for message in lab.received] == [LONGEST])


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("!I", MAX_MESSAGE_BYTES + 1),
        framed(b""),
        framed(b"null"),
        framed(LAB_CALLS.encode()),
        framed(f"{LAB_CALLS}\n[]".encode()),
        framed(b"\xff\xff\n\n"),
        framed(f"{LAB_CALLS}\n\xff\n".encode("latin-1")),
        framed(f"{WEB_REPLIES}\n\n".encode()),
        framed(b"netmodes.lab\n\n"),
        framed(b"netmodes.lab.callx\n\n"),
        framed(b"\n\n"),
    ],
)
async def test_the_lab_closes_the_connection_after_an_invalid_message(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = sockets()
    lab = End(is_guarded=True, subjects=(LAB_CALLS, LAB_CANCELS))
    await lab.open(one)
    await asyncio.get_running_loop().sock_sendall(two, sent)
    await asyncio.wait_for(lab.serving, 10)
    assert "an invalid message" in caplog.text
    assert lab.received == []
    assert one.fileno() == -1
    two.close()


async def test_a_message_that_its_handler_cannot_handle_closes_the_connection(
    ends: tuple[End, End], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_message: Message) -> None:
        raise LookupError

    lab, web = ends
    await lab.link.listen(LAB_CALLS, fail)
    await web.link.publish(LAB_CALLS, b"")
    await asyncio.wait_for(web.serving, 10)
    assert "an invalid message" in caplog.text


async def test_an_end_that_does_not_read_the_replies_is_not_read(ends: tuple[End, End]) -> None:
    lab, web = ends
    handled: list[asyncio.Task[bool]] = []

    def reply(message: Message) -> None:
        handled.append(asyncio.ensure_future(lab.link.publish(message.reply, b"x" * 900_000)))

    await lab.link.listen(LAB_CALLS, reply)
    web.link._reader._transport.pause_reading()  # type: ignore[attr-defined]
    sending = [asyncio.create_task(web.link.publish(LAB_CALLS, b"x" * 100_000, WEB_REPLIES)) for _ in range(50)]
    await eventually(lambda: handled)
    for _ in range(200):
        await others_run()
    assert len(handled) < 10
    web.link._reader._transport.resume_reading()  # type: ignore[attr-defined]
    await eventually(lambda: len(web.received) == 50)
    assert all(await asyncio.gather(*sending, *handled))


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_closing_does_not_wait_for_an_end_that_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """Otherwise, on Ctrl-C, uvloop reported the open socket with a traceback."""
    monkeypatch.setattr(link, "CLOSE_S", 1000.0 if is_cancelled else 0.05)
    one, two = sockets()
    lab = End(is_guarded=True, subjects=())
    await lab.open(one)
    sending = [asyncio.create_task(lab.link.publish(WEB_REPLIES, b"x" * 500_000)) for _ in range(8)]
    await others_run()
    lab.serving.cancel()
    await eventually(lambda: not lab.link.is_open)
    if is_cancelled:
        lab.serving.cancel()
    await asyncio.wait([lab.serving], timeout=10)
    assert lab.serving.done()
    await eventually(lambda: one.fileno() == -1)
    await asyncio.gather(*sending)
    two.close()
