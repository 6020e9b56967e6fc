"""Limits how fast and how large a journal may grow.

A journal has one allowance for entries and one for bytes, which refill at a steady rate (token buckets). While one of
them is empty, changes are merged into one entry (``core.experiments.budget.merge``). The same happens after the whole
budget is used up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of one experiment's journal.

    ``max_…`` limit the whole journal. ``burst_…`` are the full allowances. ``…_per_s`` are the rates at which they
    refill. For comparison, a launch of 50 arms writes about 700 entries and 2 MB. One entry in which 2,000 ports open
    or close has 700 kB.
    """

    max_entries: int = 20_000
    max_bytes: int = 64 * MIB
    burst_entries: float = 1_000.0
    burst_bytes: float = 8.0 * MIB
    entries_per_s: float = 1.0
    bytes_per_s: float = 2_048.0


#: Entries and bytes that may wait for a database that accepts no writes, before they are merged.
MAX_WAITING_ENTRIES = 1_000
MAX_WAITING_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of its budget a journal has used.

    ``entries`` and ``bytes`` are the size of the journal. ``allowed_entries`` and ``allowed_bytes`` are the allowances
    at the time ``at`` (monotonic, seconds). One entry may exceed ``allowed_bytes``, which is then negative. The next
    entry may be written when it is positive again.
    """

    limits: Limits
    at: float
    allowed_entries: float
    allowed_bytes: float
    entries: int = 0
    bytes: int = 0

    @property
    def is_used_up(self) -> bool:
        """Whether the journal has reached its maximum size."""
        return self.entries >= self.limits.max_entries or self.bytes >= self.limits.max_bytes

    def refilled(self, now: float) -> Pace:
        """Returns the pace with the allowances at ``now``."""
        seconds = max(0.0, now - self.at)
        limits = self.limits
        return replace(
            self,
            at=now,
            allowed_entries=min(limits.burst_entries, self.allowed_entries + seconds * limits.entries_per_s),
            allowed_bytes=min(limits.burst_bytes, self.allowed_bytes + seconds * limits.bytes_per_s),
        )

    def allows(self, now: float) -> bool:
        """Whether one more entry may be written at ``now``."""
        pace = self.refilled(now)
        return not self.is_used_up and pace.allowed_entries >= 1.0 and pace.allowed_bytes > 0.0

    def spent(self, size: int, now: float) -> Pace:
        """Returns the pace after one more entry of ``size`` bytes."""
        pace = self.refilled(now)
        return replace(
            pace,
            allowed_entries=pace.allowed_entries - 1.0,
            allowed_bytes=pace.allowed_bytes - size,
            entries=pace.entries + 1,
            bytes=pace.bytes + size,
        )


def new_pace(limits: Limits, now: float, entries: int = 0, size: int = 0) -> Pace:
    """Returns the pace of a journal that already has ``entries`` entries of ``size`` bytes in total. Both of its
    allowances are full."""
    return Pace(limits, now, limits.burst_entries, limits.burst_bytes, entries, size)


def describe_used_up(limits: Limits) -> str:
    """Returns the text of the entry that announces that the budget is used up."""
    return (
        f"The journal has reached its limit ({limits.max_entries:,} entries or {limits.max_bytes // MIB} MiB): later"
        " changes are merged into one entry, which stays current. To record every change, launch a new experiment."
    )
