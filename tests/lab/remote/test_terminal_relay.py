"""Terminals through a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.conf import settings

from dashboard.bench.operations.postgres_redis import Redis, temporary_folder
from dashboard.core.terminal.limits import OutputChunk, TerminalError, TerminalOwner
from dashboard.lab.remote import terminal_relay
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.remote.terminal_calls import TERMINAL_CALLS
from dashboard.lab.remote.terminal_relay import RemoteTerminals, TerminalServer
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from tests.support.lab_harness import RecordingPublisher

OWNER = TerminalOwner("participant", "class", "class-1", "launch", record=True)


class Shells:
    """Fake terminals that record their calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def attach(self, owner: TerminalOwner, window: str, cols: int, rows: int) -> OutputChunk:
        self.calls.append(("attach", owner, window, cols, rows))
        if window == "too many":
            raise TerminalError("Close one.")
        return OutputChunk("run", 3, b"\x00\xff\x1b[1m", 8, cols, rows, 1)

    async def read_from(
        self, participant: str, window: str, run: str, offset: int, change: int, wait_s: float
    ) -> OutputChunk:
        await asyncio.sleep(wait_s)
        return OutputChunk(run, offset, b"", offset, 80, 24, change + 1, "It ended.", again=False)

    async def write(self, participant: str, window: str, data: bytes) -> None:
        self.calls.append(("write", participant, window, data))


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with temporary_folder() as folder:
        running = Redis(folder)
        yield running
        running.stop()


@pytest.fixture
async def shells(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shells]:
    monkeypatch.setattr(settings, "REDIS_URL", redis.url)
    supervisor, fake = Supervisor(RecordingPublisher()), Shells()
    supervisor._terminals = fake  # type: ignore[assignment]
    methods = {name: RemoteCall(call.function) for name, call in TERMINAL_CALLS.items()}
    for method in methods.values():
        _ = method.name, method._arguments, method._hints
        if fake_method := getattr(Shells, method.function.__name__, None):
            method.__dict__["function"] = fake_method
    monkeypatch.setattr(terminal_relay, "TERMINAL_CALLS", methods)
    server = TerminalServer(supervisor)
    server.start()
    yield fake
    await server.close()


@pytest.fixture
async def remote(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RemoteTerminals]:
    monkeypatch.setattr(settings, "REDIS_URL", redis.url)
    fake = RemoteTerminals()
    fake.open()
    yield fake
    await fake.close()


async def _attached(remote: RemoteTerminals) -> OutputChunk:
    """Attaches a window. A call is lost until both ends have subscribed, so it is repeated, as a page does."""
    for _ in range(20):
        try:
            async with asyncio.timeout(0.5):
                return await remote.attach(OWNER, "tab", 100, 30)
        except (TimeoutError, LabUnavailableError):
            continue
    raise AssertionError("no answer")


async def test_bytes_and_errors_arrive_and_a_waiting_call_delays_no_other(
    shells: Shells, remote: RemoteTerminals
) -> None:
    assert await _attached(remote) == OutputChunk("run", 3, b"\x00\xff\x1b[1m", 8, 100, 30, 1)
    assert shells.calls[-1] == ("attach", OWNER, "tab", 100, 30)
    with pytest.raises(TerminalError, match="Close one"):
        await remote.attach(OWNER, "too many", 80, 24)
    await remote.write("participant", "tab", b"\x03\xffx")
    written: tuple[Any, ...] = shells.calls[-1]
    assert written == ("write", "participant", "tab", b"\x03\xffx")
    slow, quick = remote.read_from("participant", "tab", "run", 8, 1, 0.3), remote.write("participant", "tab", b"y")
    waiting = asyncio.ensure_future(slow)
    await quick
    assert not waiting.done(), "a waiting call delays no other"
    assert (await waiting).ended == "It ended."


async def test_calls_without_a_lab_or_redis_are_refused_with_the_reason(
    redis: Redis, remote: RemoteTerminals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_relay, "CALL_TIMEOUT_S", 0.2)
    with pytest.raises(LabUnavailableError, match="does not respond"):
        await remote.attach(OWNER, "tab", 80, 24)
    monkeypatch.setattr(settings, "REDIS_URL", "")
    alone = RemoteTerminals()
    alone.open()
    with pytest.raises(LabUnavailableError, match="Set REDIS_URL"):
        await alone.attach(OWNER, "tab", 80, 24)
    await alone.close()
