"""Counters of all labs in this process. Counting adds to an integer, without locks or messages."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from dashboard.core.operations.heartbeat import Distribution, LabMetrics, Launches

#: Upper bounds of the buckets, in seconds. A user perceives up to 0.1 s as instant; a launch of a minute pulls an
#: image.
SHORT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAUNCH_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Histogram:
    """A histogram of durations in seconds. Only the event loop's thread adds values; any thread may read them."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...] = SHORT_BOUNDS_S) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Adds a value. A negative one, from a clock that was set back, counts as 0."""
        value = max(value, 0.0)
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def now(self) -> Distribution:
        """Returns the current distribution."""
        return Distribution(self._bounds, tuple(self._counts), self._total)


@dataclass(slots=True)
class Telemetry:
    """The counters and histograms from which ``LabMetrics`` are made."""

    entries_appended: int = 0
    entries_written: int = 0
    entries_given_up: int = 0
    write_failures: int = 0
    commit_s: Histogram = field(default_factory=Histogram)
    database_s: Histogram = field(default_factory=Histogram)
    launches: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    blocks: Counter[str] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    wakeups: Counter[str] = field(default_factory=Counter)

    def record_launch(self, mode: str, outcome: str, seconds: float) -> None:
        """Counts the launch of an arm, which took ``seconds``."""
        self.launches.setdefault((mode, outcome), Histogram(LAUNCH_BOUNDS_S)).add(seconds)

    def metrics(self) -> LabMetrics:
        """Returns the current values of all metrics."""
        return LabMetrics(
            entries_appended=self.entries_appended,
            entries_written=self.entries_written,
            entries_given_up=self.entries_given_up,
            write_failures=self.write_failures,
            commit_s=self.commit_s.now(),
            database_s=self.database_s.now(),
            launches=tuple(Launches(*key, seconds.now()) for key, seconds in sorted(self.launches.copy().items())),
            blocks=tuple(sorted(self.blocks.copy().items())),
            claims=tuple(sorted(self.claims.copy().items())),
            wakeups=tuple(sorted(self.wakeups.copy().items())),
        )


#: Shared by all labs of the process, including those of private hosts.
telemetry = Telemetry()
