"""Which benchmarks there are, in the order in which they run: ``idle`` leaves its containers to the host's end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from dashboard.bench import (
    alarm,
    change,
    fanout,
    fidelity,
    history,
    idle,
    launch,
    order,
    page,
    resolution,
    stalls,
    storage,
    watchers,
)
from dashboard.bench.figures import Result
from dashboard.bench.stage import LIMIT_S


class Benchmark(Protocol):
    """What a benchmark's module offers."""

    def benchmark(self, folder: Path, say: Callable[[str], None], *, quick: bool) -> Coroutine[Any, Any, Result]:
        """Measures, in a folder of its own; ``quick`` with fewer rounds."""
        ...


BENCHMARKS: dict[str, Benchmark] = {
    "launch": launch,
    "change": change,
    "fan-out": fanout,
    "page": page,
    "history": history,
    "fidelity": fidelity,
    "no-alarm": alarm,
    "resolution": resolution,
    "order": order,
    "stalls": stalls,
    "watchers": watchers,
    "storage": storage,
    "idle": idle,
}


def limit_of(name: str) -> float:
    """How many seconds a benchmark may take: its module's ``LIMIT_S``, if it has one."""
    return float(getattr(BENCHMARKS[name], "LIMIT_S", LIMIT_S))
