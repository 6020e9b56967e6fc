"""Limits of storage: how full the disk may be, how old data may be, and the size of all journals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GIB = 1024**3
#: Launches are refused if at least this share of the disk is used and less than ENOUGH_BYTES is free.
MAX_SHARE = 0.9
ENOUGH_BYTES = 10 * GIB
#: The maximum age in days after which old data may be deleted: a hundred years.
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """The use of a disk in bytes, as df(1) shows it. ``free`` is the space left for ordinary users."""

    used: int
    free: int

    @property
    def share(self) -> float:
        """The used share, from 0 to 1."""
        return self.used / (self.used + self.free) if self.used + self.free else 0.0

    @property
    def is_full(self) -> bool:
        """Whether launches are refused because the disk is too full."""
        return self.share >= MAX_SHARE and self.free < ENOUGH_BYTES


def describe_disk(usage: DiskUsage) -> str:
    """Describes the use of the disk in a few words."""
    return f"{usage.share:.0%} of the disk of the data folder is used; {format_size(usage.free)} is free"


def launch_refusal(usage: DiskUsage) -> str:
    """Returns why launches are refused. Empty if they are not."""
    if not usage.is_full:
        return ""
    return (
        f"{describe_disk(usage)}. Launches are refused from {MAX_SHARE:.0%} on; running experiments continue. Free "
        "disk space, or delete old experiments: ./netmodes prune --days 30."
    )


@dataclass(frozen=True, slots=True)
class Journals:
    """The number of experiments, the number of their journal entries, and the size of these entries in bytes."""

    experiments: int
    entries: int
    size: int


def describe_journals(journals: Journals, max_size: int) -> str:
    """Describes the size of all journals and its limit ``max_size``; 0 is no limit."""
    entries = "1 entry" if journals.entries == 1 else f"{journals.entries:,} entries"
    experiments = "1 experiment" if journals.experiments == 1 else f"{journals.experiments:,} experiments"
    size = f"{entries} of {experiments}, {format_size(journals.size)}"
    if not max_size:
        return f"{size}; no limit"
    return (
        f"{size}; above {format_size(max_size)} the oldest ended experiments are deleted, first those of the account "
        "with the largest journals"
    )


def format_size(size: int) -> str:
    """Returns a size in bytes as text: ``3.4 GB``, ``4.1 MB`` or ``812 kB``."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1000))} kB"


@dataclass(frozen=True, slots=True)
class EndedJournal:
    """The journal of an ended experiment. ``owner`` is the user or group that launched it. ``size`` is in bytes."""

    experiment: str
    owner: str
    size: int


def fair_share(sizes: Iterable[int], max_size: int) -> int:
    """Returns the size to which the journals of each owner must be cut so that all fit into ``max_size``. Owners with
    smaller journals lose nothing. ``sizes`` has the size of each owner's journals."""
    left, ordered = max_size, sorted(sizes)
    for number, size in enumerate(ordered):
        share = left // (len(ordered) - number)
        if size > share:
            return share
        left -= size
    return max_size


def over_budget(oldest_first: Iterable[EndedJournal], owned: Mapping[str, int], max_size: int) -> tuple[str, ...]:
    """Returns the ended experiments to delete so that all journals fit into ``max_size``. ``oldest_first`` are the
    journals of ended experiments. ``owned`` is the size of each owner's journals, including those of running
    experiments. Only owners above their fair share lose experiments, regardless of how much others write."""
    total, sizes, chosen = sum(owned.values()), dict(owned), []
    share = fair_share(sizes.values(), max_size)
    for journal in oldest_first:
        if total > max_size and journal.size and sizes.get(journal.owner, 0) > share:
            chosen.append(journal.experiment)
            sizes[journal.owner] -= journal.size
            total -= journal.size
    return tuple(chosen)
