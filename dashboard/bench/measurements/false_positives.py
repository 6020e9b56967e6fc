"""How often two identical arms are called different, and how often the interval holds what is true of them: 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dashboard.bench.environment import say_load
from dashboard.bench.measurements.testbed import arena
from dashboard.bench.statistics import Of, Promise, Result, share, spread
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.verdicts import Faster, Slower, judge_blocks, name_of
from dashboard.core.paths.model import PathKind

LIMIT_S = 1200.0
PROMISE = Promise(Of.VALUE, 5.0)
COVERAGE = Promise(Of.VALUE, 97.0, least=93.0)
RUNS, QUICK_RUNS, SECONDS = 200, 10, 1.0


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    runs = QUICK_RUNS if quick else RUNS
    judged = []
    async with arena(folder / "lab") as place:
        (one,) = place.series([PathKind.BRIDGE_ADDRESS], [Probe.TCP_RR])
        arms = (replace(one, key="a"), replace(one, key="b"))
        for number in range(runs):
            if number % 10 == 0:
                say(f"no-alarm: run {number + 1} of {runs}, load {say_load()}")
            taken = await place.measure(arms, Options(seconds=SECONDS), seed=number)
            judged.append(judge_blocks(taken.blocks["a"], taken.blocks["b"], seed=number))
    counts = Counter(name_of(found.verdict) for found in judged)
    widths = [found.ci95_us.high - found.ci95_us.low for found in judged if found.ci95_us is not None]
    return Result(
        "no-alarm",
        "No false alarm: two identical arms",
        "a verdict other than same or inconclusive in at most 5 % of runs, and 0 within the interval in 93 to 97 %",
        (
            share("called slower or faster", [isinstance(one.verdict, Slower | Faster) for one in judged], PROMISE),
            share(
                "0 is within the interval", [one.ci95_us is not None and 0.0 in one.ci95_us for one in judged], COVERAGE
            ),
        ),
        (
            f"{runs} runs of {SECONDS:g} s: {', '.join(f'{count} {name}' for name, count in counts.most_common())}.",
            f"{spread([found.rounds for found in judged])} rounds, intervals {spread(widths)} µs wide.",
        ),
    )
