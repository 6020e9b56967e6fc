"""Estimates how long a run of claims takes: from the durations of earlier runs, or else from what the claims need."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.run import MAX_CONCURRENT, NOT_HARMLESS, make_plan

#: Seconds of a claim that has not run here yet.
HARMLESS_S = 2.0
PRIVATE_S = 3.0
MEASURE_S = 8.0
#: Seconds until a private host serves.
HOST_S = 3.0


def claim_seconds(claim: Claim, recorded: Mapping[str, float]) -> float:
    """Returns the estimated seconds of one claim, without the start of a private host. ``recorded`` has the seconds of
    earlier runs by claim id."""
    if claim.id in recorded:
        return recorded[claim.id]
    if Need.MEASURE in claim.needs:
        return MEASURE_S
    return PRIVATE_S if claim.needs & NOT_HARMLESS else HARMLESS_S


def run_seconds(claims: Sequence[Claim], recorded: Mapping[str, float], done: Collection[str] = ()) -> float:
    """Returns the estimated seconds until a run ends. ``done`` has the ids of the claims that have ended. Until the
    first claim has ended, the estimate includes the start of private hosts."""
    plan = make_plan(claim for claim in claims if claim.id not in done)
    alone = _seconds(plan.alone, recorded)
    concurrent = [*_seconds(plan.harmless, recorded), *_seconds(plan.shared, recorded), *alone]
    # Claims that change the machine run one at a time.
    together = max([sum(concurrent) / MAX_CONCURRENT, sum(alone), *concurrent])
    hosts = HOST_S if not done and (plan.shared or plan.alone or plan.quiet) else 0.0
    return hosts + together + sum(_seconds(plan.quiet, recorded))


def describe_seconds(seconds: float) -> str:
    """Formats an estimate, rounded up: ``about 5 s``, ``about 40 s``, ``about 1.5 min``. The longer the time, the
    coarser the rounding."""
    if seconds < 55:
        step = 1 if seconds < 10 else 5
        return f"about {max(1, math.ceil(seconds / step) * step)} s"
    return f"about {math.ceil(seconds / 30) / 2:g} min"


def _seconds(claims: Iterable[Claim], recorded: Mapping[str, float]) -> list[float]:
    return [claim_seconds(claim, recorded) for claim in claims]
