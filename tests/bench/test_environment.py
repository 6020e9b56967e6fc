"""dashboard.bench.environment."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from dashboard.bench import environment
from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.environment import _locked, format_load, machine_facts, open_environment
from dashboard.latency.environment import read_machine
from tests.support.fakes import make_info


def test_the_facts_of_the_machine_are_those_that_a_measurement_records() -> None:
    facts = machine_facts(make_info(version="29.1.0"))
    assert facts["kernel"] == f"Linux {platform.release()}"
    assert facts["processor"] == read_machine().cpu_model
    assert facts["engine"].startswith("Docker Engine 29.1.0, API ")


def test_the_load_has_three_averages() -> None:
    assert len([float(average) for average in format_load().split()]) == 3


async def test_a_second_run_with_the_same_data_folder_is_refused(tmp_path: Path) -> None:
    with _locked(tmp_path / "bench.lock"), pytest.raises(BenchmarkError, match="uses this data folder"):
        async with open_environment(tmp_path, lambda _text: None):
            pass


async def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "TOOLS", ("sh", "no-such-program"))
    with pytest.raises(BenchmarkError, match=r"Not installed: no-such-program\."):
        async with open_environment(tmp_path, lambda _text: None):
            pass
