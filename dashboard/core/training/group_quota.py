"""What a group of a class does on its own host besides the steps: how much of it at once, with which images, which
claims; and what is left of it for the session's report. No clock.

Whatever limits here protects the others: measurements and runs of claims take turns over all hosts of a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.run import choose
from dashboard.core.experiments.validation import Problem
from dashboard.core.modes import ExperimentSpec
from dashboard.core.training.capacity import MOST_CONTAINERS, MOST_EXPERIMENTS, too_many

#: So many of each are kept of a group; a stopped experiment that is launched again is the same one.
MOST_KEPT = 60
#: All groups wait while one measures.
MOST_MEASURE_S = 60.0


class WorkKind(StrEnum):
    """What a group did."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


@dataclass(frozen=True, slots=True)
class Work:
    """One thing that a group did on its host. ``began`` and ``ended`` in seconds of the epoch, ``ended`` 0 while it
    goes on; ``state`` as in its list; ``summary`` is what came of it, in a sentence or empty."""

    group: int
    kind: WorkKind
    id: str
    title: str
    modes: tuple[str, ...]
    began: float
    ended: float
    state: str
    summary: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a group has under way: experiments that run or are about to, their containers with those of measurements;
    measurements and runs of claims that wait or run. ``kept`` is the number of those of the kind that is asked for,
    over or not."""

    experiments: int = 0
    containers: int = 0
    measurements: int = 0
    claim_runs: int = 0
    kept: int = 0


def _too_much(load: Load, what: str) -> str:
    if load.kept < MOST_KEPT:
        return ""
    return f"There are {load.kept} {what} of yours in this session already, and no more are kept."


def refuse_launch(load: Load, arms: int, *, anew: bool = True) -> str:
    """Why an experiment of so many arms is not launched now; empty if it is. ``anew``: not one that is there."""
    return (
        (_too_much(load, "experiments") if anew else "")
        or too_many("experiments", load.experiments, 1, MOST_EXPERIMENTS)
        or too_many("containers", load.containers, arms, MOST_CONTAINERS)
    )


def refuse_measurement(load: Load, arms: int, seconds: float) -> str:
    """Why a measurement of so many seconds, for which so many arms are launched, does not begin; empty if it does."""
    if seconds > MOST_MEASURE_S:
        return f"In a class a measurement takes at most {MOST_MEASURE_S:g} s, not {seconds:g}: all others wait for it."
    if load.measurements:
        return "A measurement of yours waits or runs: one at a time. Wait for it, or cancel it."
    return _too_much(load, "measurements") or too_many("containers", load.containers, arms, MOST_CONTAINERS)


def refuse_claims(load: Load) -> str:
    """Why claims are not executed now; empty if they are."""
    if load.claim_runs:
        return "A run of claims of yours waits or is under way: one at a time. Wait for it, or cancel it."
    return _too_much(load, "runs of claims")


def _whole(reference: str) -> str:
    """With its tag, also where that is ``latest`` and nobody writes it."""
    name = reference.rpartition("/")[2]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


def image_problems(spec: ExperimentSpec, images: Collection[str]) -> tuple[Problem, ...]:
    """The images that are not on a host which reaches no registry; ``images`` are the names of those that are."""
    there = {_whole(one) for one in images}
    have = ", ".join(sorted(one.removesuffix(":latest") for one in images)) or "none"
    found = []
    wanted = [(None, spec.image), *((arm.key, arm.image) for arm in spec.arms if arm.image != spec.image)]
    if all(arm.image != spec.image for arm in spec.arms):
        wanted = wanted[1:]
    for arm, image in wanted:
        if _whole(image) not in there:
            sentence = f"Your host has no image “{image[:80]}” and reaches no registry: choose one of {have}."
            found.append(Problem(arm, "image", sentence))
    return tuple(found)


def not_in_a_class(claim: Claim) -> str:
    """Why a claim is not executed for a group of a class; empty if it is."""
    if Need.MEASURE in claim.needs:
        return (
            "Not in a class: it compares microseconds, and a machine that all of you use is not quiet. "
            "Measure one of your experiments, or ask your instructor to run it."
        )
    return ""


def choose_for_class(claims: Iterable[Claim], ids: Collection[str]) -> tuple[Claim, ...]:
    """The claims of these ids, all that are executed in a class where none is given; ValueError with a sentence."""
    chosen = choose(tuple(claims), tuple(ids))
    refused = [reason for claim in chosen if (reason := not_in_a_class(claim))]
    if ids and refused:
        raise ValueError(refused[0])
    return tuple(claim for claim in chosen if not not_in_a_class(claim))
