"""``./netmodes bench``: the exit code shows whether every promise is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.statistics import Result, at_most, figure
from dashboard.engine.protocol import EngineInfo
from dashboard.management.commands import bench


def result(name: str, value: float) -> Result:
    return Result(name, name, "at most 1", (figure("time", "ms", [value], promise=at_most(1)),))


@dataclass
class FakeEnvironment:
    """Returns a value for each benchmark, or fails."""

    values: dict[str, float | str]
    info: dict[str, str] = field(default_factory=dict)

    async def run(self, name: str, **_options: Any) -> Result:
        value = self.values[name]
        if isinstance(value, str):
            raise BenchmarkError(value)
        return result(name, value)


def run_bench(monkeypatch: pytest.MonkeyPatch, **values: float | str) -> None:
    @asynccontextmanager
    async def environment(_folder: Path, _say: Callable[[str], None]) -> AsyncIterator[FakeEnvironment]:
        yield FakeEnvironment(values)

    def no_facts(_info: EngineInfo) -> dict[str, str]:
        return {}

    monkeypatch.setattr(bench, "open_environment", environment)
    monkeypatch.setattr(bench, "machine_facts", no_facts)
    call_command("bench", *values, "--json")


def test_nothing_is_raised_if_every_promise_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_bench(monkeypatch, page=0.5, idle=1.0)
    report = json.loads(capsys.readouterr().out)
    assert report["kept"]
    assert [found["name"] for found in report["results"]] == ["page", "idle"]


def test_a_broken_promise_exits_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_bench(monkeypatch, page=0.5, idle=2.0)
    assert ended.value.code == 1
    assert not json.loads(capsys.readouterr().out)["kept"]


def test_a_benchmark_that_fails_exits_with_1_and_the_others_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_bench(monkeypatch, page="it took longer than 240 s", idle=0.5)
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == {"page": "it took longer than 240 s"}
    assert [found["name"] for found in report["results"]] == ["idle"]


def test_an_unknown_name_exits_with_2() -> None:
    with pytest.raises(CommandError, match="Unknown benchmark nonsense") as refused:
        call_command("bench", "nonsense")
    assert refused.value.returncode == 2
