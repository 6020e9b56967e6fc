"""The arguments of a benchmark, and the interface of its module."""

import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dashboard.bench.statistics import Result


class BenchmarkError(RuntimeError):
    """A benchmark cannot run here, or what it measures failed; ``str()`` is a sentence."""


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """One run of a benchmark: its folder, and whether it takes fewer rounds."""

    name: str
    folder: Path
    quick: bool

    def say(self, text: str) -> None:
        """Reports progress on stderr."""
        sys.stderr.write(f"{self.name}: {text}\n")
        sys.stderr.flush()


class Benchmark(Protocol):
    """The interface of a benchmark's module. Long benchmarks also define ``LIMIT_S``; ``LOOP`` is the factory of their
    event loop, if it is not asyncio's."""

    def benchmark(self, run: BenchmarkRun) -> Coroutine[Any, Any, Result]:
        """Measures, and returns figures with their promises."""
