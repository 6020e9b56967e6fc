"""Timings of claims: verdicts from paired blocks, and one measurement for several questions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.claims.testbed import NotTestableError
from dashboard.core.measurements.measurement import Block
from dashboard.lab.claims import testbed_timing
from dashboard.lab.claims.engines import ClaimEngine
from dashboard.lab.claims.testbed_timing import Blocks, Launch, Observe, Timings, is_narrow, judge_timing
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine


def blocks(center_us: float, count: int = 30) -> list[Block]:
    """Blocks that differ slightly."""
    return [Block("x", number, 0.0, 0.05, 300, center_us + (number % 5) / 50) for number in range(count)]


FAST, SLOW = blocks(16.0), blocks(43.0)


def test_the_slower_path_has_its_figures() -> None:
    found = judge_timing("slow", "fast", {"slow": SLOW, "fast": FAST})
    assert (found.verdict, found.rounds) == ("slower", 30)
    assert found.delta_us == pytest.approx(27.0)
    assert "slow minus fast: +27.0 µs per round trip" in found.summary
    assert judge_timing("fast", "slow", {"slow": SLOW, "fast": FAST}).verdict == "faster"
    assert judge_timing("one", "two", {"one": FAST, "two": FAST}).verdict == "same"


def test_measuring_ends_when_every_interval_is_narrow() -> None:
    wide = [replace(one, center_us=one.center_us + 9 * (one.round % 2)) for one in FAST]
    assert is_narrow({"fast": FAST, "slow": SLOW})
    assert not is_narrow({"fast": FAST, "slow": SLOW, "wide": wide})
    assert not is_narrow({"fast": FAST, "slow": SLOW[:3]})


def test_too_few_blocks_are_inconclusive() -> None:
    found = judge_timing("slow", "fast", {"slow": SLOW[:3], "fast": FAST})
    assert found.verdict == "inconclusive"
    assert "3 paired blocks" in found.summary


async def test_the_same_lines_are_measured_once(monkeypatch: pytest.MonkeyPatch, fake: FakeEngine) -> None:
    measured = 0

    async def measure(_made: object, _engine: ClaimEngine, _observe: Observe) -> Blocks:
        nonlocal measured
        measured += 1
        return {"a/loopback": FAST, "b/published-proxy": SLOW}

    async def launch() -> list[tuple[str, object]]:
        return []

    monkeypatch.setattr(testbed_timing, "_measure", measure)
    timings, engine = Timings(), ClaimEngine(fake, fake.facts, "nginx", WatchPool())
    asked: Launch = launch  # type: ignore[assignment]
    observe: Observe = None  # type: ignore[assignment]
    lines = ("docker run one", "docker run two")
    for question, verdict in (
        ("b/published-proxy against a/loopback", "slower"),
        ("a/loopback against a/loopback", "same"),
    ):
        assert (await timings.answer(lines, question, engine, asked, observe)).verdict == verdict
    with pytest.raises(NotTestableError, match="no path b/nonsense"):
        await timings.answer(lines, "b/nonsense against a/loopback", engine, asked, observe)
    assert measured == 1
