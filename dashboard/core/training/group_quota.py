"""Limits what a group may run on its host in addition to the workshop steps: the number of runs, images and claims.

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
    """What a group can run on its host."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


@dataclass(frozen=True, slots=True)
class GroupLoad:
    """What a group runs now. ``experiments`` includes those about to start. ``containers`` includes those of
    measurements. ``measurements`` and ``claim_runs`` count those that wait or run. ``kept`` counts the stored runs of
    the requested kind, finished or not."""

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
    """Returns the reason why an experiment with this many arms cannot be launched now; None if it can. ``new`` is false
    if an earlier experiment is launched again."""
    return (
        (_refuse_kept(load, "experiments") if new else None)
        or refuse_more("experiments", load.experiments, 1, MAX_EXPERIMENTS)
        or refuse_more("containers", load.containers, arms, MAX_CONTAINERS)
    )


def refuse_measurement(load: GroupLoad, arms: int, seconds: float) -> str | None:
    """Returns the reason why a measurement cannot start; None if it can. ``arms`` is the number of containers that it
    launches, ``seconds`` its length."""
    if seconds > MAX_MEASUREMENT_S:
        return (
            f"In a session a measurement takes at most {MAX_MEASUREMENT_S:g} s, not {seconds:g}, "
            "because all other groups wait for it."
        )
    if load.measurements:
        return "A measurement of your group is already waiting or running. Wait until it has ended, or cancel it."
    return _refuse_kept(load, "measurements") or refuse_more("containers", load.containers, arms, MAX_CONTAINERS)


def refuse_claims(load: GroupLoad) -> str | None:
    """Returns the reason why no claims can be run now; None if they can."""
    if load.claim_runs:
        return "A claim run of your group is already waiting or running. Wait until it has ended, or cancel it."
    return _refuse_kept(load, "claim runs")


def _with_tag(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


def missing_images(spec: ExperimentSpec, images: Collection[str]) -> tuple[Problem, ...]:
    """Returns a problem for each image of the experiment that the host does not have. ``images`` are the images that
    the host has. It cannot pull others, because a group's host has no access to a registry."""
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
    """Returns the reason why this claim cannot be run on a group's host; None if it can."""
    if Need.MEASURE not in claim.needs:
        return None
    return (
        "This claim is not available in a session: it compares microseconds, and this machine is shared and not "
        "quiet. Measure one of your experiments, or ask your instructor to run it."
    )


def choose_claims(claims: Iterable[Claim], ids: Collection[str]) -> tuple[Claim, ...]:
    """Returns the claims with these ids. Without ids, returns all claims that can be run in a session. Raises
    ValueError with a message for the user if an id is unknown, or if its claim cannot be run in a session."""
    chosen = choose(tuple(claims), tuple(ids))
    refused = [reason for claim in chosen if (reason := refuse_claim(claim))]
    if ids and refused:
        raise ValueError(refused[0])
    return tuple(claim for claim in chosen if not refuse_claim(claim))
