"""Faults that cannot be injected."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.operations.faults import engines, hosts, kills, storage
from dashboard.bench.operations.faults.faults import benchmark, inject
from dashboard.bench.operations.faults.trials import Trial, Trials
from dashboard.engine.hosts.private_host import PrivateHostError
from tests.support.polling import eventually


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BenchmarkError("ready: not within 90 s"), "ready: not within 90 s"),
        (PrivateHostError("dockerd does not answer"), "PrivateHostError: dockerd does not answer"),
        (subprocess.CalledProcessError(1, ["docker"]), "CalledProcessError: "),
    ],
)
async def test_a_fault_that_fails_in_any_way_keeps_the_trials(error: Exception, reason: str) -> None:
    trials = Trials(lambda _text: None)

    async def fail() -> None:
        trials.record(Trial("engine killed", 1.0, 0, 0, 0))
        raise error

    await inject("engine killed", fail(), trials)
    assert len(trials.done) == 1
    assert trials.problems[0].startswith(f"engine killed: {reason}")


async def test_a_hang_that_fails_leaves_no_churn_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_ended = False
    suspended = await asyncio.create_subprocess_exec("sleep", "60")

    @asynccontextmanager
    async def own_engine(_folder: Path) -> AsyncIterator[Any]:
        yield SimpleNamespace(pid=suspended.pid, endpoint=""), None

    @asynccontextmanager
    async def serving(_folder: Path, endpoint: str) -> AsyncIterator[str]:
        yield endpoint

    async def churn(_machine: Any, over: Callable[[], bool]) -> None:
        nonlocal has_ended
        await eventually(over)
        has_ended = True

    async def settle(*_args: Any) -> None:
        return None

    async def fail(*_args: Any) -> float:
        raise BenchmarkError("the truth after the fault: not within 90 s")

    monkeypatch.setattr(engines, "own_engine", own_engine)
    monkeypatch.setattr(engines, "serving", serving)
    monkeypatch.setattr(engines, "Ledger", lambda: SimpleNamespace(launch=lambda _server: "e", is_settled=None))
    for name, value in (("settle", settle), ("churn", churn), ("truth_after", fail), ("CHURN_S", 0), ("HANG_S", 0)):
        monkeypatch.setattr(engines, name, value)
    trials, run = Trials(lambda _text: None), BenchmarkRun("faults", tmp_path, quick=True)
    try:
        await inject("engine hung", engines.hang(run, tmp_path, trials), trials)
    finally:
        suspended.kill()
        await suspended.wait()
    assert has_ended
    assert trials.problems == ["engine hung: the truth after the fault: not within 90 s"]


async def test_a_cancelled_benchmark_ends() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await inject("engine killed", cancelled(), Trials(lambda _text: None))


@pytest.mark.parametrize("failing", ["hang", "hosts", "engine"])
async def test_engines_that_do_not_start_leave_a_result(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def own_engine(folder: Path) -> AsyncIterator[tuple[None, None]]:
        if folder.name == failing:
            raise PrivateHostError("dockerd does not answer")
        yield None, None

    async def hang(_run: BenchmarkRun, folder: Path, trials: Trials) -> None:
        async with own_engine(folder):
            trials.record(Trial("engine hung", 1.0, 0, 0, 0))

    async def succeed(*args: Any) -> None:
        args[-1].record(Trial("another", 1.0, 0, 0, 0))

    monkeypatch.setattr(engines, "own_engine", own_engine)
    monkeypatch.setattr(engines, "hang", hang)
    for module, name in (
        *((engines, "kill"), (hosts, "kill"), (kills, "kill_repeatedly")),
        *((storage, "fill"), (storage, "lock"), (storage, "damage")),
    ):
        monkeypatch.setattr(module, name, succeed)
    result = await benchmark(BenchmarkRun("faults", tmp_path, quick=True))
    figures = {figure.name: figure for figure in result.figures}
    assert figures["faults that ended early"].value == 1
    assert "another: ready" in figures
    assert any("dockerd does not answer" in note for note in result.notes)
