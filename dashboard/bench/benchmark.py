"""The arguments of a benchmark, the interface of a benchmark's module, and waiting for a condition."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dashboard.bench.statistics import Result


class BenchmarkError(RuntimeError):
    """A benchmark cannot run on this machine, or it has failed. ``str()`` is the reason."""


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, deadline_s: float = 90.0, poll_s: float = 0.05
) -> float:
    """Waits until the condition is true, and returns how many seconds that took. Raises BenchmarkError after
    ``deadline_s``; its message names ``what``."""
    started = time.monotonic()
    while not await condition():
        if time.monotonic() - started > deadline_s:
            raise BenchmarkError(f"{what}: not within {deadline_s:g} s")
        await asyncio.sleep(poll_s)
    return time.monotonic() - started


@dataclass(frozen=True, slots=True)
class BenchmarkRun:
    """The arguments of one run of a benchmark. ``folder`` is for the benchmark's files. If ``quick`` is true, the
    benchmark takes fewer rounds."""

    name: str
    folder: Path
    quick: bool

    def say(self, text: str) -> None:
        """Prints the progress of the benchmark on stderr."""
        sys.stderr.write(f"{self.name}: {text}\n")
        sys.stderr.flush()


class Benchmark(Protocol):
    """The interface of a benchmark's module. The module may also define ``LIMIT_S``, its time limit in seconds, and
    ``EVENT_LOOP``, the function that creates its event loop."""

    def benchmark(self, run: BenchmarkRun) -> Coroutine[Any, Any, Result]:
        """Runs the measurement, and returns figures with their promises."""
