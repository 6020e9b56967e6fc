"""The catalogue of benchmarks, in the order in which they run.

``idle`` runs last: its containers remain until the private host is removed.
"""

from collections.abc import Sequence

from dashboard.bench.benchmark import Benchmark
from dashboard.bench.claims import repeated_runs
from dashboard.bench.environment import LIMIT_S
from dashboard.bench.experiments import change, fan_out, idle, launch, page, swarm
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
from dashboard.bench.operations import overload, pages, soak, team
from dashboard.bench.operations.faults import faults
from dashboard.bench.operations.machines import faults as machine_faults
from dashboard.bench.operations.machines import machines
from dashboard.bench.reports import replay, report
from dashboard.bench.training import private_hosts, sessions

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
    "swarm": swarm,
    "class": sessions,
    "team": team,
    "machines": machines,
    "machine-faults": machine_faults,
    "overload": overload,
    "faults": faults,
    "soak": soak,
    "fidelity": fidelity,
    "no-alarm": false_positives,
    "resolution": resolution,
    "order": order,
    "stalls": coordinated_omission,
    "watchers": watchers,
    "storage": storage,
    "idle": idle,
}

#: The benchmarks that show whether measurements are accurate. They take half an hour; the others do not depend on them.
TRUTH = ("fidelity", "no-alarm", "resolution", "order", "stalls", "watchers", "storage")

#: Run if none is named. The others take minutes, or need a browser.
DEFAULT = frozenset({"launch", "change", "fan-out", "page", "history", "report", "idle"})


def choose(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the benchmarks to run, in the order of the catalogue. ``names`` may contain ``truth``, which
    stands for all names in ``TRUTH``. If ``names`` is empty, returns ``DEFAULT``. Raises KeyError with the unknown
    names."""
    if unknown := [name for name in names if name not in BENCHMARKS and name != "truth"]:
        raise KeyError(", ".join(unknown))
    wanted = {*names, *(TRUTH if "truth" in names else ())} or DEFAULT
    return tuple(name for name in BENCHMARKS if name in wanted)


def limit_of(name: str) -> float:
    """The time limit of a benchmark in seconds: ``LIMIT_S`` of the benchmark's module, or a default if that has
    none."""
    return float(getattr(BENCHMARKS[name], "LIMIT_S", LIMIT_S))
