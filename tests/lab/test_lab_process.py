"""A lab without pages: what it does before it opens, and on signals. The process: tests/team/test_team.py."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.db.backends.signals import connection_created

from dashboard import interrupts
from dashboard.lab import lab_process
from dashboard.store.database import limit_waiting
from tests.support.polling import others_run


class Part:
    """A part of the lab that opens and closes at once."""

    def __init__(self, *_: object) -> None:
        pass

    async def open(self) -> None:
        pass

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def send(self, *_: object) -> None:
        pass


class Lab:
    """A supervisor whose lab does not open. ``closed`` has the argument ``leave`` of each ``close_lab``, during which
    the signals ``while_closing`` arrive."""

    context, problem = None, "closed"
    closed: ClassVar[list[bool]] = []
    while_closing: ClassVar[list[signal.Signals]] = []

    def __init__(self, _publisher: object) -> None:
        pass

    async def open_lab(self, _folder: Path, _say: Any) -> None:
        pass

    async def close_lab(self, _say: Any, *, leave: bool) -> None:
        for number in self.while_closing:
            signal.raise_signal(number)
            for _ in range(3):
                await others_run()
        self.closed.append(leave)


@pytest.fixture
def ended_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Replaces the parts of a lab. Returns the signals that would have ended the process at once."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    for name in ("NatsConnection", "WakeupChannel", "RpcServer"):
        monkeypatch.setattr(lab_process, name, Part)
    monkeypatch.setattr(lab_process, "Supervisor", Lab)
    monkeypatch.setattr(Lab, "closed", [])
    monkeypatch.setattr(interrupts, "_first_at", [])
    monkeypatch.setattr(interrupts, "leave_terminal", lambda: None)
    ended: list[int] = []
    monkeypatch.setattr(interrupts, "_end", ended.append)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield ended
    for number, handler in before.items():
        signal.signal(number, handler)
    connection_created.disconnect(limit_waiting)


@pytest.mark.parametrize(("number", "leaves"), [(signal.SIGINT, False), (signal.SIGHUP, False), (signal.SIGTERM, True)])
async def test_only_sigterm_leaves_the_experiments_to_the_next_lab(
    ended_with: list[int], tmp_path: Path, number: signal.Signals, leaves: bool
) -> None:
    code = await lab_process.run_lab(tmp_path, print, lambda _engine: signal.raise_signal(number))
    assert (code, Lab.closed, ended_with) == (0, [leaves], [])


@pytest.mark.parametrize(("grace_s", "ended"), [(60.0, []), (-1.0, [signal.SIGINT])])
async def test_another_signal_ends_a_closing_lab_at_once_except_in_the_first_seconds(
    ended_with: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, grace_s: float, ended: list[int]
) -> None:
    monkeypatch.setattr(interrupts, "GRACE_S", grace_s)
    monkeypatch.setattr(Lab, "while_closing", [signal.SIGINT])
    await lab_process.run_lab(tmp_path, print, lambda _engine: signal.raise_signal(signal.SIGTERM))
    assert (Lab.closed, ended_with) == ([True], ended)


class EndedError(Exception):
    """Ends the test."""


async def test_a_lab_without_pages_waits_for_other_writers_as_long_as_any_lab(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def end(*_: object) -> None:
        raise EndedError

    monkeypatch.setattr(lab_process, "Supervisor", end)
    with pytest.raises(EndedError):
        await lab_process.run_lab(tmp_path, print, print)
    assert connection_created.disconnect(limit_waiting), "it was connected"
