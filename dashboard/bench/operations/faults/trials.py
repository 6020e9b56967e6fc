"""The results of injected faults, and figures of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dashboard.bench.statistics import Figure, at_most, figure

#: Seconds until the server is ready: after its start, or after the end of the fault.
MAX_READY_S = 5.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one injected fault.

    ``ready_s`` is the time in seconds until the server is ready. After most faults, it also includes the time until
    what the fault disturbed works again. It begins at the end of the fault or, if the server has ended, at the start of
    the next server. ``lost`` counts acknowledged objects that the server no longer has. ``leaked`` counts containers
    and networks without an experiment, and what is left of private hosts. ``touched`` counts foreign containers and
    networks that have changed.
    """

    fault: str
    ready_s: float
    lost: int
    leaked: int
    touched: int


@dataclass(slots=True)
class Trials:
    """Collects trials in ``done`` and, in ``problems``, the reasons why the trials of a fault could not be completed.
    Prints each with ``say``."""

    say: Callable[[str], None]
    done: list[Trial] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def record(self, trial: Trial) -> None:
        """Adds a trial."""
        self.done.append(trial)
        self.say(str(trial))

    def fail(self, fault: str, reason: str) -> None:
        """Adds a fault that ended before its last trial. It counts as a broken promise."""
        self.problems.append(f"{fault}: {reason}")
        self.say(self.problems[-1])


def figures_of(trials: Sequence[Trial], problems: Sequence[str] = ()) -> tuple[Figure, ...]:
    """Returns the figures of all trials. Three of them are the most objects that any one trial lost, leaked or touched.
    Another is the number of faults that ended early (``problems``). The others are the longest ``ready_s`` of each
    fault. Without trials, returns only the number of faults that ended early."""
    zero = at_most(0)
    ended = figure("faults that ended early", "", [float(len(problems))], promise=zero)
    if not trials:
        return (ended,)
    totals = (
        figure("acknowledged objects lost", "", [float(trial.lost) for trial in trials], percent=100, promise=zero),
        figure("objects left behind", "", [float(trial.leaked) for trial in trials], percent=100, promise=zero),
        figure("foreign objects changed", "", [float(trial.touched) for trial in trials], percent=100, promise=zero),
    )
    seconds: dict[str, list[float]] = {}
    for trial in trials:
        seconds.setdefault(trial.fault, []).append(trial.ready_s)
    promise = at_most(MAX_READY_S)
    ready = (figure(f"{name}: ready", "s", times, percent=100, promise=promise) for name, times in seconds.items())
    return (*totals, ended, *ready)
