"""The progress of each arm's launch. It follows from the phase of the experiment and from the columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.experiments.messages import STARTING, ArmStatus, Column, ExperimentHead, LaunchStep, Phase
from dashboard.core.modes import NETWORK_DRIVERS, is_observer

_TEXTS = {
    LaunchStep.IMAGE: "getting the image",
    LaunchStep.NETWORK: "creating the network",
    LaunchStep.CREATE: "creating the container",
    LaunchStep.START: "starting the container",
    LaunchStep.READ: "waiting for the first reading",
}
_ENDED = {
    ArmStatus.RUNNING: "running",
    ArmStatus.REFUSED: "refused: the reason is below",
    ArmStatus.EXITED: "exited: the reason is below",
    ArmStatus.LOST: "removed outside Netmodes",
    ArmStatus.GONE: "removed",
}


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """The progress of one arm's launch. ``text`` names the current step. ``fraction`` is the completed part from 0 to
    1, or None if it is not known."""

    key: str
    title: str
    mode: str
    text: str
    fraction: float | None = None


def launch_progress(head: ExperimentHead, columns: Sequence[Column]) -> tuple[ArmProgress, ...]:
    """Returns the progress of every arm; empty if the experiment is not being launched."""
    if head.phase not in STARTING:
        return ()
    return tuple(_arm_progress(head, column) for column in columns if not is_observer(column.key))


def _arm_progress(head: ExperimentHead, column: Column) -> ArmProgress:
    text, fraction = _describe(head, column)
    return ArmProgress(column.key, column.title, column.mode, text, fraction)


def _describe(head: ExperimentHead, column: Column) -> tuple[str, float | None]:
    # Until a lab begins the requested round (``apply_requests``), the statuses are those of the last one.
    has_begun = head.phase is not Phase.WAITING or head.started_at is not None
    if column.status in _ENDED and has_begun:
        return _ENDED[column.status], 1.0
    if head.problem:
        return "waits: the reason is above", None
    if head.phase is Phase.WAITING:
        return "waits for the lab", None
    steps = [step for step in LaunchStep if step is not LaunchStep.NETWORK or column.mode in NETWORK_DRIVERS]
    step = _step_of(head, column)
    place = steps.index(step)
    text = f"{place + 1} of {len(steps)}: {_TEXTS[step]}"
    if step is not LaunchStep.IMAGE:
        return text, place / len(steps)
    within = f" ({head.progress})" if head.progress else ""
    return f"{text}{within}", None if head.fraction is None else head.fraction / len(steps)


def _step_of(head: ExperimentHead, column: Column) -> LaunchStep:
    if head.phase is Phase.PREPARING:
        return LaunchStep.IMAGE
    if column.step is not None:
        return column.step
    return LaunchStep.START if column.status is ArmStatus.CREATED else LaunchStep.CREATE
