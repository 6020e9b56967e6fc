"""What a group may run on its host in addition to the workshop steps: how much, which images, which claims. No clock.

The limits protect the other groups: measurements and claim runs take turns over all hosts of a server.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.run import choose
from dashboard.core.experiments.validation import Problem
from dashboard.core.modes import ExperimentSpec
from dashboard.core.training.capacity import MAX_CONTAINERS, MAX_EXPERIMENTS, refuse_more

#: How many runs of each kind are kept for a group; launching a stopped experiment again adds none.
MAX_KEPT = 60
#: The longest measurement in a session: all groups wait while one measures.
MAX_MEASUREMENT_S = 60.0


class RunKind(StrEnum):
    """The kinds of runs on a group's host."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


@dataclass(frozen=True, slots=True)
class GroupLoad:
    """What a group runs now: experiments that run or are about to, containers (including those of measurements), and
    measurements and claim runs that wait or run. ``kept`` counts the runs of the requested kind, finished or not."""

    experiments: int = 0
    containers: int = 0
    measurements: int = 0
    claim_runs: int = 0
    kept: int = 0


def _refuse_kept(load: GroupLoad, what: str) -> str | None:
    if load.kept < MAX_KEPT:
        return None
    return f"Your group already has {load.kept} {what} in this session, which is the maximum."


def refuse_launch(load: GroupLoad, arms: int, *, new: bool = True) -> str | None:
    """Why an experiment with this many arms cannot be launched now; None if it can. ``new``: not launched before."""
    return (
        (_refuse_kept(load, "experiments") if new else None)
        or refuse_more("experiments", load.experiments, 1, MAX_EXPERIMENTS)
        or refuse_more("containers", load.containers, arms, MAX_CONTAINERS)
    )


def refuse_measurement(load: GroupLoad, arms: int, seconds: float) -> str | None:
    """Why a measurement of this length that launches this many arms cannot start; None if it can."""
    if seconds > MAX_MEASUREMENT_S:
        return (
            f"In a session a measurement takes at most {MAX_MEASUREMENT_S:g} s, not {seconds:g}, "
            "because all other groups wait for it."
        )
    if load.measurements:
        return "Your group already has a measurement that waits or runs. Wait for it, or cancel it."
    return _refuse_kept(load, "measurements") or refuse_more("containers", load.containers, arms, MAX_CONTAINERS)


def refuse_claims(load: GroupLoad) -> str | None:
    """Why claims cannot be run now; None if they can."""
    if load.claim_runs:
        return "Your group already has a claim run that waits or runs. Wait for it, or cancel it."
    return _refuse_kept(load, "claim runs")


def _with_tag(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


def missing_images(spec: ExperimentSpec, images: Collection[str]) -> tuple[Problem, ...]:
    """A problem for each image of a specification that is not among the ``images`` of a host, which reaches no
    registry."""
    available = {_with_tag(image) for image in images}
    names = ", ".join(sorted(image.removesuffix(":latest") for image in images)) or "none"
    used: list[tuple[str | None, str]] = [(arm.key, arm.image) for arm in spec.arms if arm.image != spec.image]
    if len(used) < len(spec.arms):
        used.insert(0, (None, spec.image))
    return tuple(
        Problem(
            arm, "image", f"Your host has no image “{image[:80]}” and no access to a registry. Choose from: {names}."
        )
        for arm, image in used
        if _with_tag(image) not in available
    )


def refuse_claim(claim: Claim) -> str | None:
    """Why a claim cannot be run on a group's host; None if it can."""
    if Need.MEASURE not in claim.needs:
        return None
    return (
        "Not available in a session: it compares microseconds, and this machine is shared and not quiet. "
        "Measure one of your experiments, or ask your instructor to run it."
    )


def choose_claims(claims: Iterable[Claim], ids: Collection[str]) -> tuple[Claim, ...]:
    """The claims with these ids, or without ids all that can be run in a session. Raises ValueError with a message for
    the user."""
    chosen = choose(tuple(claims), tuple(ids))
    refused = [reason for claim in chosen if (reason := refuse_claim(claim))]
    if ids and refused:
        raise ValueError(refused[0])
    return tuple(claim for claim in chosen if not refuse_claim(claim))
