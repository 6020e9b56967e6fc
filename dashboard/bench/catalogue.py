"""Which benchmarks there are, in the order in which they run: ``idle`` leaves its containers to the host's end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from dashboard.bench.claims import repeated_runs
from dashboard.bench.environment import LIMIT_S
from dashboard.bench.experiments import change, fan_out, idle, launch, page
from dashboard.bench.measurements import (
    coordinated_omission,
    false_positives,
    fidelity,
    history,
    order,
    resolution,
    storage,
    watchers,
)
from dashboard.bench.operations import pages, team
from dashboard.bench.reports import replay, report
from dashboard.bench.statistics import Result
from dashboard.bench.training import private_hosts, sessions


class Benchmark(Protocol):
    """What a benchmark's module offers."""

    def benchmark(self, folder: Path, say: Callable[[str], None], *, quick: bool) -> Coroutine[Any, Any, Result]:
        """Measures, in a folder of its own; ``quick`` with fewer rounds."""
        ...


BENCHMARKS: dict[str, Benchmark] = {
    "launch": launch,
    "change": change,
    "fan-out": fan_out,
    "page": page,
    "pages": pages,
    "history": history,
    "report": report,
    "replay": replay,
    "claims": repeated_runs,
    "class-hosts": private_hosts,
    "class": sessions,
    "team": team,
    "fidelity": fidelity,
    "no-alarm": false_positives,
    "resolution": resolution,
    "order": order,
    "stalls": coordinated_omission,
    "watchers": watchers,
    "storage": storage,
    "idle": idle,
}


#: Whether the measuring is true: half an hour of runs on whose answers the others do not depend.
TRUTH = ("fidelity", "no-alarm", "resolution", "order", "stalls", "watchers", "storage")


#: Left out unless they are asked for: they take minutes, or a browser.
LONG = frozenset({*TRUTH, "claims", "pages", "replay", "class", "class-hosts", "team"})


def choose(asked: Sequence[str]) -> tuple[str, ...]:
    """The benchmarks that are meant, in their order: ``truth`` is those of ``TRUTH``, nothing is all but ``LONG``.
    KeyError with the names that there are not."""
    if unknown := [name for name in asked if name not in BENCHMARKS and name != "truth"]:
        raise KeyError(", ".join(unknown))
    wanted = {*asked, *(TRUTH if "truth" in asked else ())}
    return tuple(name for name in BENCHMARKS if (name in wanted if asked else name not in LONG))


def limit_of(name: str) -> float:
    """How many seconds a benchmark may take: its module's ``LIMIT_S``, if it has one."""
    return float(getattr(BENCHMARKS[name], "LIMIT_S", LIMIT_S))
