"""Whether a responder that waits 1, 2 or 5 µs longer is found, and how often the interval covers what it waited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dashboard.bench.environment import say_load
from dashboard.bench.measurements.testbed import Taken, arena
from dashboard.bench.statistics import Figure, Of, Promise, Result, share, spread
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import Judgement, Slower, judge_blocks
from dashboard.core.paths.model import PathKind

LIMIT_S = 1800.0
RUNS, QUICK_RUNS, SECONDS = 200, 10, 3.0
#: All arms wait, the baseline least, so that the same lines run in all of them and the clock's own cost cancels out.
BASE_NS = 1000
LONGER_US = (1, 2, 5)
SIGN = Promise(Of.VALUE, 100.0, least=95.0)
COVERAGE = Promise(Of.VALUE, 97.0, least=93.0)


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm of one run: what was found, and how much longer its responder's own clock says that it waited."""

    found: Judgement
    truth_us: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.found.ci95_us is not None and self.truth_us in self.found.ci95_us

    @property
    def signed_rightly(self) -> bool:
        """Whether it is called slower."""
        return isinstance(self.found.verdict, Slower)

    @property
    def error_us(self) -> float:
        """What was found less the truth."""
        return (self.found.delta_us or 0.0) - self.truth_us


def arms_of(one: Series) -> tuple[Series, ...]:
    """The baseline, key 0, and one for each wait."""
    waits = (0, *LONGER_US)
    return tuple(replace(one, key=str(longer), busy_wait_ns=BASE_NS + 1000 * longer) for longer in waits)


def trials_of(taken: Taken, seed: int) -> dict[int, Trial]:
    """Each arm of a run against its baseline."""
    waited = taken.outcome.waited_us
    base = median(waited["0"])
    return {
        longer: Trial(
            judge_blocks(taken.blocks["0"], taken.blocks[str(longer)], seed=seed), median(waited[str(longer)]) - base
        )
        for longer in LONGER_US
    }


def figures_of(trials: list[dict[int, Trial]]) -> list[Figure]:
    """Signs and coverage by wait; and how often the interval covers what all the other runs found, which leaves out
    what a longer wait costs besides, for client and responder alike."""
    found = [
        share(f"{longer} µs longer: called slower", [one[longer].signed_rightly for one in trials], SIGN)
        for longer in LONGER_US
    ]
    found += [
        share(f"{longer} µs longer: covered by the interval", [one[longer].covered for one in trials], COVERAGE)
        for longer in LONGER_US
    ]
    found += [
        share(
            f"{longer} µs longer: what the other runs found is covered", covers_others([one[longer] for one in trials])
        )
        for longer in LONGER_US
    ]
    return found


def covers_others(trials: Sequence[Trial]) -> list[bool]:
    """For each run whether its interval covers the median of what the others found."""
    deltas = [one.found.delta_us or 0.0 for one in trials]
    return [
        one.found.ci95_us is not None and median([*deltas[:number], *deltas[number + 1 :]]) in one.found.ci95_us
        for number, one in enumerate(trials)
    ]


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    runs = QUICK_RUNS if quick else RUNS
    trials = []
    async with arena(folder / "lab") as place:
        (one,) = place.series([PathKind.BRIDGE_ADDRESS], [Probe.TCP_RR])
        arms = arms_of(one)
        for number in range(runs):
            if number % 10 == 0:
                say(f"resolution: run {number + 1} of {runs}, load {say_load()}")
            trials.append(trials_of(await place.measure(arms, Options(seconds=SECONDS), seed=number), number))
    notes = [
        f"{runs} runs of {SECONDS:g} s, four arms in each: one waits {BASE_NS / 1000:g} µs, the others longer.",
        "The truth is what the responder's own clock says that it waited longer, a median for each run.",
    ]
    for longer in LONGER_US:
        mine = [one[longer] for one in trials]
        widths = [one.found.ci95_us.high - one.found.ci95_us.low for one in mine if one.found.ci95_us is not None]
        notes.append(
            f"{longer} µs: waited {spread([one.truth_us for one in mine])} µs longer; found less waited "
            f"{spread([one.error_us for one in mine])} µs; intervals {spread(widths)} µs wide; "
            f"{sum((one.found.delta_us or 0) > 0 for one in mine)} of {runs} deltas above zero."
        )
    return Result(
        "resolution",
        "Resolution: a responder that waits 1, 2 or 5 µs longer",
        "called slower in at least 95 % of runs of 3 s, and covered by the interval in 93 to 97 %",
        tuple(figures_of(trials)),
        tuple(notes),
    )
