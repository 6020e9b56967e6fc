"""What the lab of this process counts. Counting is an addition to a whole number: nothing is locked, named or sent."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from dashboard.core.operations.heartbeat import Distribution, LabFigures, Launches

#: Seconds. What a person sees as "at once" ends at 0.1; a launch that takes a minute waits for an image.
QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAUNCH_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Buckets:
    """A distribution that grows. Only the thread of the event loop adds; any may look."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...] = QUICK_S) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """One more. Clocks that are set back make no negative times."""
        value = max(value, 0.0)
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def now(self) -> Distribution:
        """As it is now."""
        return Distribution(self._bounds, tuple(self._counts), self._total)


@dataclass(slots=True)
class Telemetry:
    """The figures of ``LabFigures``, as they grow."""

    entries_appended: int = 0
    entries_written: int = 0
    entries_given_up: int = 0
    write_failures: int = 0
    commit_s: Buckets = field(default_factory=Buckets)
    database_s: Buckets = field(default_factory=Buckets)
    launches: dict[tuple[str, str], Buckets] = field(default_factory=dict)
    blocks: Counter[str] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    wakeups: Counter[str] = field(default_factory=Counter)

    def launched(self, mode: str, outcome: str, seconds: float) -> None:
        """An arm of ``mode`` came to ``outcome``."""
        found = self.launches.get((mode, outcome))
        if found is None:
            found = self.launches[mode, outcome] = Buckets(LAUNCH_S)
        found.add(seconds)

    def figures(self) -> LabFigures:
        """All of it now."""
        return LabFigures(
            entries_appended=self.entries_appended,
            entries_written=self.entries_written,
            entries_given_up=self.entries_given_up,
            write_failures=self.write_failures,
            commit_s=self.commit_s.now(),
            database_s=self.database_s.now(),
            launches=tuple(Launches(*key, found.now()) for key, found in sorted(self.launches.copy().items())),
            blocks=tuple(sorted(self.blocks.copy().items())),
            claims=tuple(sorted(self.claims.copy().items())),
            wakeups=tuple(sorted(self.wakeups.copy().items())),
        )


#: One for all labs of the process: those of a class's hosts count into it too.
counted = Telemetry()
