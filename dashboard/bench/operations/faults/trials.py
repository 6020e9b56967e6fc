"""The results of injected faults, and their figures. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.bench.statistics import Figure, at_most, figure

#: Seconds until the server is ready: after its start, or after the end of the fault.
MAX_READY_S = 5.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One injected fault. ``ready_s``: from the end of the fault, or the start of the next server, until the
    server responds and shows the engine's state. ``lost``: acknowledged objects that the server no longer has.
    ``leaked``: containers and networks without an experiment, and files of hosts. ``touched``: foreign containers and
    networks that have changed."""

    fault: str
    ready_s: float
    lost: int
    leaked: int
    touched: int


def figures_of(trials: Sequence[Trial]) -> tuple[Figure, ...]:
    """The largest value of each kind over all trials, and the longest time to ready of each fault."""
    zero = at_most(0)
    totals = (
        figure("acknowledged and lost", "", [float(trial.lost) for trial in trials], percent=100, promise=zero),
        figure("left behind", "", [float(trial.leaked) for trial in trials], percent=100, promise=zero),
        figure("foreign touched", "", [float(trial.touched) for trial in trials], percent=100, promise=zero),
    )
    seconds: dict[str, list[float]] = {}
    for trial in trials:
        seconds.setdefault(trial.fault, []).append(trial.ready_s)
    promise = at_most(MAX_READY_S)
    ready = (figure(f"{name}: ready", "s", times, percent=100, promise=promise) for name, times in seconds.items())
    return (*totals, *ready)
