"""The line between a terminal's window and its shell, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.conf import settings

from dashboard.bench.operations.postgres_redis import Redis, temporary_folder
from dashboard.core.terminal.limits import Piece, Place, TerminalError
from dashboard.lab.remote import terminal_relay
from dashboard.lab.remote.rpc import Question
from dashboard.lab.remote.terminal_relay import FarTerminals, TerminalServer
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from tests.lab_harness import RecordingPublisher

PARTICIPANT = Place("participant", "class", "class-1", "launch", record=True)


class Shells:
    """What stands for the lab's terminals: it says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def attach(self, place: Place, tab: str, cols: int, rows: int) -> Piece:
        self.asked.append(("attach", place, tab, cols, rows))
        if tab == "one too many":
            raise TerminalError("Close one.")
        return Piece("run", 3, b"\x00\xff\x1b[1m", 8, cols, rows, 1)

    async def read_from(self, participant: str, tab: str, run: str, offset: int, change: int, wait_s: float) -> Piece:
        await asyncio.sleep(wait_s)
        return Piece(run, offset, b"", offset, 80, 24, change + 1, "It ended.", again=False)

    async def write(self, participant: str, tab: str, data: bytes) -> None:
        self.asked.append(("write", participant, tab, data))


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with temporary_folder() as folder:
        running = Redis(folder)
        yield running
        running.stop()


@pytest.fixture
async def shells(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shells]:
    monkeypatch.setattr(settings, "REDIS_URL", redis.url)
    keeper, made = Supervisor(RecordingPublisher()), Shells()
    keeper._terminals = made  # type: ignore[assignment]
    methods = {name: Question(terminal_relay._METHODS[name].function) for name in terminal_relay._METHODS}
    for name, method in methods.items():
        _ = method._arguments, method._hints
        if hasattr(Shells, name):
            method.__dict__["function"] = getattr(Shells, name)
    monkeypatch.setattr(terminal_relay, "_METHODS", methods)
    server = TerminalServer(keeper)
    server.start()
    yield made
    await server.close()


@pytest.fixture
async def far(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FarTerminals]:
    monkeypatch.setattr(settings, "REDIS_URL", redis.url)
    made = FarTerminals()
    made.open()
    yield made
    await made.close()


async def _attached(far: FarTerminals) -> Piece:
    """Both ends begin to listen in their own time: what was said before is lost, and asked again as a page does."""
    for _ in range(20):
        try:
            async with asyncio.timeout(0.5):
                return await far.attach(PARTICIPANT, "tab", 100, 30)
        except (TimeoutError, LabUnavailableError):
            continue
    raise AssertionError("nobody answers")


async def test_bytes_errors_and_waiting_come_through(shells: Shells, far: FarTerminals) -> None:
    assert await _attached(far) == Piece("run", 3, b"\x00\xff\x1b[1m", 8, 100, 30, 1)
    assert shells.asked[-1] == ("attach", PARTICIPANT, "tab", 100, 30)
    with pytest.raises(TerminalError, match="Close one"):
        await far.attach(PARTICIPANT, "one too many", 80, 24)
    await far.write("participant", "tab", b"\x03\xffx")
    written: tuple[Any, ...] = shells.asked[-1]
    assert written == ("write", "participant", "tab", b"\x03\xffx")
    slow, quick = far.read_from("participant", "tab", "run", 8, 1, 0.3), far.write("participant", "tab", b"y")
    waiting = asyncio.ensure_future(slow)
    await quick
    assert not waiting.done(), "a question that waits holds up no other"
    assert (await waiting).ended == "It ended."


async def test_without_a_lab_or_a_redis_it_says_so(
    redis: Redis, far: FarTerminals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_relay, "SLOW_S", 0.2)
    with pytest.raises(LabUnavailableError, match="does not answer just now"):
        await far.attach(PARTICIPANT, "tab", 80, 24)
    monkeypatch.setattr(settings, "REDIS_URL", "")
    alone = FarTerminals()
    alone.open()
    with pytest.raises(LabUnavailableError, match="set REDIS_URL"):
        await alone.attach(PARTICIPANT, "tab", 80, 24)
    await alone.close()
