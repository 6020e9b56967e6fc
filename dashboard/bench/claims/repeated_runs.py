"""All claims, several times in a row: how long a run takes, and whether the verdicts stay the same."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dashboard.bench.processes import BASE, run
from dashboard.bench.statistics import Of, Promise, Result, figure, spread
from dashboard.core.reports.model import ClaimVerdict

LIMIT_S = 1500.0
RUN_LIMIT_S = 180.0
SECONDS = Promise(Of.VALUE, 60.0)
SAME = Promise(Of.VALUE, 0.0)


def unsteady(runs: Sequence[Sequence[dict[str, Any]]]) -> dict[str, list[str]]:
    """Claims that did not come out the same in every run, each with its verdicts in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in runs:
        for claim in one:
            found[claim["id"]].append(claim["verdict"])
    return {name: verdicts for name, verdicts in found.items() if len(set(verdicts)) > 1}


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it: as a person types it, private hosts and clearing away included."""
    rounds = 2 if quick else 10
    seconds: list[float] = []
    runs: list[list[dict[str, Any]]] = []
    for number in range(rounds):
        say(f"claims: run {number + 1} of {rounds}")
        began = time.monotonic()
        # Exit 1 says that one differs, which is a verdict and no failure: the shell keeps it from being one here.
        command = f"{sys.executable} {BASE / 'manage.py'} claims --json || test $? -eq 1"
        said = await run("sh", "-c", command, deadline_s=RUN_LIMIT_S)
        seconds.append(time.monotonic() - began)
        runs.append(json.loads(said))
    changed = unsteady(runs)
    left = await run("docker", "ps", "-aq")
    verdicts = [claim["verdict"] for one in runs for claim in one]
    return Result(
        "claims",
        "Claims: every sentence about the modes, executed",
        "all of them within 60 s on two cores, with the same verdicts every time, and nothing left over",
        (
            figure("all claims, until nothing is left", "s", seconds, promise=SECONDS),
            figure("claims whose verdict changed", "", [float(len(changed))] * rounds, promise=SAME),
            figure("containers left over", "", [float(len(left.split()))] * rounds, promise=SAME),
        ),
        (
            f"{len(runs[0])} claims, {rounds} runs: {spread(seconds)} s each.",
            ", ".join(f"{word} {verdicts.count(word)} times" for word in ClaimVerdict) + ".",
            *(f"{name}: {', '.join(found)}" for name, found in changed.items()),
        ),
    )
