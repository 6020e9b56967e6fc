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


def outcomes_of(runs: Sequence[Sequence[dict[str, Any]]]) -> tuple[ClaimOutcome, ...]:
    """Returns the outcome of each claim in the last run. Its ``verdicts`` contain each verdict that the claim had in
    any run, once. Each run is the list that ``./netmodes claims --json`` prints."""
    verdicts: dict[str, dict[str, None]] = defaultdict(dict)
    for results in runs:
        for claim in results:
            verdicts[claim["id"]][claim["verdict"]] = None
    return tuple(
        ClaimOutcome(claim["id"], claim["statement"], tuple(verdicts[claim["id"]]), claim["reason"])
        for claim in runs[-1]
    )


def versions_of(runs: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """The sorted versions of the engines on which the claims ran: the benchmark's engine and the engines of private
    hosts."""
    return sorted({claim["engine"].partition(" (")[0] for results in runs for claim in results if claim["engine"]})


async def benchmark(run: BenchmarkRun) -> Result:
    """Runs ``./netmodes claims`` as a user does. The times include starting private hosts and removing everything."""
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
    outcomes = outcomes_of(runs)
    changed = [claim for claim in outcomes if len(claim.verdicts) > 1]
    left = (await output_of("docker", "ps", "-aq")).split()
    verdicts = [claim["verdict"] for results in runs for claim in results]
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
            *(f"{claim.id}: {', '.join(claim.verdicts)}" for claim in changed),
        ),
        outcomes,
    )
