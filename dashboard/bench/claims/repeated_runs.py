"""``claims``: runs all claims several times in a row, measures how long each run takes, and compares the verdicts."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.processes import BASE, output_of
from dashboard.bench.statistics import ClaimOutcome, Result, at_most, figure, spread
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.hosts.programs import engine_root

LIMIT_S = 1500.0
#: Podman takes several times as long as Docker for each container.
RUN_LIMIT_S = 1400.0


def changed_verdicts(runs: Sequence[Sequence[dict[str, Any]]]) -> dict[str, list[str]]:
    """The claims with different verdicts in different runs: maps the id of each to its verdicts, in the order of the
    runs."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for outcomes in runs:
        for claim in outcomes:
            verdicts[claim["id"]].append(claim["verdict"])
    return {claim: found for claim, found in verdicts.items() if len(set(found)) > 1}


def outcomes_of(runs: Sequence[Sequence[dict[str, Any]]]) -> tuple[ClaimOutcome, ...]:
    """The outcomes of the claims of the last run, in its order, each with the verdicts of all runs."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for outcomes in runs:
        for claim in outcomes:
            verdicts[claim["id"]].append(claim["verdict"])
    return tuple(
        ClaimOutcome(claim["id"], claim["statement"], tuple(dict.fromkeys(verdicts[claim["id"]])), claim["reason"])
        for claim in runs[-1]
    )


def versions_of(runs: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """The versions of the engines on which the claims ran, sorted. Private hosts may have another version than the
    engine."""
    return sorted({claim["engine"].partition(" (")[0] for outcomes in runs for claim in outcomes if claim["engine"]})


async def benchmark(run: BenchmarkRun) -> Result:
    """Runs ``./netmodes claims`` like a user. The times include starting private hosts and removing everything."""
    # On another engine one run suffices: the question is what the verdicts are, not whether they repeat.
    rounds = (2 if engine_root() is None else 1) if run.quick else 10
    seconds: list[float] = []
    runs: list[list[dict[str, Any]]] = []
    # Exit 1 means that a claim differs, which is a verdict and not a failure.
    command = f"{sys.executable} {BASE / 'manage.py'} claims --json || test $? -eq 1"
    for number in range(rounds):
        run.say(f"run {number + 1} of {rounds}")
        began = time.monotonic()
        printed = await output_of("sh", "-c", command, deadline_s=RUN_LIMIT_S)
        seconds.append(time.monotonic() - began)
        runs.append(json.loads(printed))
    changed = changed_verdicts(runs)
    left = (await output_of("docker", "ps", "-aq")).split()
    verdicts = [claim["verdict"] for outcomes in runs for claim in outcomes]
    return Result(
        "claims",
        "Claims: all claims about network modes",
        "all of them within 60 s on two cores, with the same verdicts every time, and nothing left over",
        (
            figure("all claims, until nothing is left", "s", seconds, promise=at_most(60)),
            figure("claims with a verdict that changed", "", [float(len(changed))] * rounds, promise=at_most(0)),
            figure("containers left over", "", [float(len(left))] * rounds, promise=at_most(0)),
        ),
        (
            f"On {', '.join(versions_of(runs))}.",
            f"{len(runs[0])} claims, {rounds} runs: {spread(seconds)} s each.",
            ", ".join(f"{verdict} {verdicts.count(verdict)} times" for verdict in ClaimVerdict) + ".",
            *(f"{claim}: {', '.join(found)}" for claim, found in changed.items()),
        ),
        outcomes_of(runs),
    )
