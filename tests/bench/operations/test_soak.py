"""The figures of the soak: slope with its interval, growth of descriptors and threads."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.operations import soak
from dashboard.bench.operations.soak import (
    Sample,
    anonymous_mb,
    figures_of,
    growth,
    lowest,
    slope_per_hour,
    take_sample,
)
from dashboard.bench.server import RefusedError
from dashboard.bench.statistics import Verdict


def samples(mb_per_hour: float, count: int = 60, extra: float = 0.0) -> list[Sample]:
    """One sample every 20 s, with a disturbance of half a megabyte."""
    return [
        Sample(
            20.0 * n, 50 + mb_per_hour * 20 * n / 3600, 100 + (n % 2) / 2, 40 + (extra if n >= 50 else 0), 12 + n % 3
        )
        for n in range(count)
    ]


def test_the_slope_is_that_of_the_line_through_the_samples() -> None:
    assert slope_per_hour([(0.0, 1.0), (1800.0, 2.0), (3600.0, 3.0)]) == pytest.approx(2.0)
    assert slope_per_hour([(5.0, 1.0), (5.0, 9.0)]) == 0.0


def test_the_lowest_memory_of_five_rounds_counts() -> None:
    points = [(float(n), 100 + n + (n % 5 != 3) * 50.0) for n in range(17)]
    assert lowest(points) == [(3.0, 103.0), (8.0, 108.0), (13.0, 113.0)]
    assert lowest(points[:4]) == points[:4]


def test_growth_compares_the_lowest_values_of_the_last_and_the_first_sixth() -> None:
    assert growth([5, 9, 5, 5, 5, 5, 8, 19, 5]) == 0
    assert growth([5, 5, 6, 20, 5, 5, 7, 8, 9]) == 4
    assert growth([5]) == 0


def test_a_leak_breaks_the_promise_and_a_flat_line_keeps_it() -> None:
    memory, lab, pages, descriptors, threads = figures_of(samples(60.0), judged=True)
    assert (memory.statistic, memory.n, memory.verdict) == ("slope", 12, Verdict.BROKEN)
    assert memory.value == pytest.approx(60.0, abs=2)
    assert memory.ci95[0] < memory.value < memory.ci95[1]
    assert lab.value == pytest.approx(60.0)
    assert pages.value == pytest.approx(0.0, abs=2)
    assert (lab.verdict, pages.verdict) == (None, None)
    assert (descriptors.verdict, threads.verdict) == (Verdict.KEPT, Verdict.KEPT)
    memory, _, _, descriptors, _ = figures_of(samples(0.0, extra=3), judged=True)
    assert memory.verdict in {Verdict.KEPT, Verdict.KEPT_BARELY}
    assert (descriptors.value, descriptors.verdict) == (3, Verdict.BROKEN)


def test_a_short_soak_judges_nothing() -> None:
    assert [figure.verdict for figure in figures_of(samples(60.0), judged=False)] == [None] * 5


def test_the_warm_up_lasts_for_two_hundred_rounds_and_fifteen_minutes() -> None:
    def at(step_s: float, count: int) -> list[Sample]:
        return [Sample(step_s * n, 50, 100, 40, 12) for n in range(1, count + 1)]

    assert soak.warm_up_rounds(at(10, 200), quick=False) == 200
    assert soak.warm_up_rounds(at(10, 199), quick=False) is None
    assert soak.warm_up_rounds(at(4, 300), quick=False) == 225
    assert soak.warm_up_rounds(at(4, 224), quick=False) is None
    assert soak.warm_up_rounds(at(5, 300), quick=True) == 5


class Rounds:
    """Rounds of ten seconds without a server; ``refused`` ones fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refused: int) -> None:
        self.numbers: list[int] = []
        self._refused = refused
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
        monkeypatch.setattr(soak, "serving", lambda: nullcontext(SimpleNamespace(pid=0)))
        monkeypatch.setattr(soak, "one_round", self._one)
        monkeypatch.setattr(soak, "take_sample", lambda *_: Sample(10.0 * len(self.numbers), 50, 100, 40, 12))

    async def _one(self, _server: object, _machine: object, number: int) -> None:
        self.numbers.append(number)
        if number in self._refused:
            raise RefusedError("the Engine refuses bridge: no")


async def test_half_an_hour_after_the_warm_up_is_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rounds = Rounds(monkeypatch, 7)
    result = await soak.benchmark(BenchmarkRun("soak", tmp_path, quick=False))
    assert rounds.numbers == list(range(380))
    assert result.kept
    assert result.notes[0] == "380 rounds in 63 minutes; the first 200, in 33 minutes, are warm-up."
    assert "Rounds in which the Engine refused an arm: 1 (the Engine refuses bridge: no)." in result.notes


async def test_an_engine_that_often_refuses_ends_the_soak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rounds = Rounds(monkeypatch, 1, 2, 5, 8)
    with pytest.raises(RefusedError):
        await soak.benchmark(BenchmarkRun("soak", tmp_path, quick=False))
    assert rounds.numbers[-1] == 8


def test_a_sample_counts_processes_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell has one child, cat, which runs once it has copied a line."""
    pipe = subprocess.PIPE
    with subprocess.Popen(["sh", "-c", "cat; :"], stdin=pipe, stdout=pipe, bufsize=0) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(b"\n")
        assert shell.stdout.readline() == b"\n"
        monkeypatch.setattr(soak, "LASTING_S", math.inf)
        alone = take_sample(shell.pid, 0.0)
        monkeypatch.setattr(soak, "LASTING_S", -math.inf)
        with_child = take_sample(shell.pid, 0.0)
    assert (alone.threads, with_child.threads) == (1, 2)
    assert alone.lab_mb > 0
    assert (alone.pages_mb, with_child.pages_mb > 0) == (0.0, True)
    assert 2 < alone.descriptors < with_child.descriptors


def test_a_process_that_ends_meanwhile_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen(["true"])
    gone = psutil.Process(ended.pid)
    ended.wait()
    monkeypatch.setattr(psutil.Process, "children", lambda _self, **_options: [gone])
    monkeypatch.setattr(soak, "LASTING_S", -math.inf)
    assert take_sample(os.getpid(), 0.0).pages_mb == 0.0


#: Maps a file, then writes to memory of its own. After each step it prints a line and waits for one.
MAPPING = """
import mmap, sys, tempfile
def wait():
    print(flush=True)
    sys.stdin.readline()
wait()
file = tempfile.TemporaryFile()
file.truncate(30_000_000)
mapped = mmap.mmap(file.fileno(), 30_000_000)
assert sum(mapped[place] for place in range(0, 30_000_000, 4096)) == 0
wait()
block = mmap.mmap(-1, 30_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for place in range(0, 30_000_000, 4096):
    block[place] = 1
wait()
"""


def test_memory_that_a_file_backs_is_not_counted() -> None:
    """In a process of its own: memory of this one may be freed at any time, or be shared with a child that ends."""
    pipe = subprocess.PIPE
    found: list[float] = []
    with subprocess.Popen([sys.executable, "-IS", "-c", MAPPING], stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == b"\n"
            found.append(anonymous_mb(process.pid))
            process.stdin.write(b"\n")
    before, mapped, written = found
    assert mapped - before < 5
    assert 25 < written - mapped < 40
