"""The arguments of a benchmark, and the interface of a benchmark's module."""

import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dashboard.bench.statistics import Result


class BenchmarkError(RuntimeError):
    """A benchmark cannot run here, or what it measures failed. ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """The arguments of one run of a benchmark. ``folder`` is for its files; if ``quick`` is true, it takes fewer
    rounds."""

    name: str
    folder: Path
    quick: bool

    def say(self, text: str) -> None:
        """Prints the progress of the benchmark on stderr."""
        sys.stderr.write(f"{self.name}: {text}\n")
        sys.stderr.flush()


class Benchmark(Protocol):
    """The interface of a benchmark's module. It may also define ``LIMIT_S``, its time limit in seconds, and ``LOOP``,
    the factory of its event loop if that is not asyncio's."""

    def benchmark(self, run: BenchmarkRun) -> Coroutine[Any, Any, Result]:
        """Runs the measurement, and returns figures with their promises."""
