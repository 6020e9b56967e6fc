"""Limits of storage: the disk, and the size of all journals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GIB = 1024**3
#: Launches are refused if at least this share of the disk is used and less than ENOUGH_BYTES is free.
MAX_SHARE = 0.9
ENOUGH_BYTES = 10 * GIB


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """A disk as df(1) shows it: ``free`` is the space left for ordinary users."""

    used: int
    free: int

    @property
    def share(self) -> float:
        """The used part, from 0 to 1."""
        return self.used / (self.used + self.free) if self.used + self.free else 0.0

    @property
    def is_full(self) -> bool:
        """Whether nothing may be launched."""
        return self.share >= MAX_SHARE and self.free < ENOUGH_BYTES


def describe_disk(usage: DiskUsage) -> str:
    """The disk in a few words."""
    return f"{usage.share:.0%} of the disk of the data folder is used; {format_size(usage.free)} is free"


def launch_refusal(usage: DiskUsage) -> str:
    """Why nothing may be launched; empty if it may."""
    if not usage.is_full:
        return ""
    return (
        f"{describe_disk(usage)}. Launches are refused from {MAX_SHARE:.0%} on; running experiments continue. Free "
        "disk space, or delete old experiments: ./netmodes prune --days 30."
    )


@dataclass(frozen=True, slots=True)
class Journals:
    """The size of the journals of all experiments."""

    experiments: int
    entries: int
    size: int


def describe_journals(journals: Journals, max_size: int) -> str:
    """The size of the journals, and its limit."""
    entries = "1 entry" if journals.entries == 1 else f"{journals.entries:,} entries"
    experiments = "1 experiment" if journals.experiments == 1 else f"{journals.experiments:,} experiments"
    return (
        f"{entries} of {experiments}, {format_size(journals.size)}; above "
        f"{format_size(max_size)} the oldest ended experiments are deleted, first those of the account with "
        "the largest journals"
    )


def format_size(size: int) -> str:
    """The size as text: ``3.4 GB`` or ``120 MB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


@dataclass(frozen=True, slots=True)
class EndedJournal:
    """The journal of an ended experiment. ``owner``: the user or the group that launched it."""

    experiment: str
    owner: str
    size: int


def fair_share(sizes: Iterable[int], max_size: int) -> int:
    """The largest size to which every owner's journals can be cut so that all fit; owners below it lose nothing."""
    left, ordered = max_size, sorted(sizes)
    for number, size in enumerate(ordered):
        share = left // (len(ordered) - number)
        if size > share:
            return share
        left -= size
    return max_size


def over_budget(oldest_first: Iterable[EndedJournal], owned: Mapping[str, int], max_size: int) -> tuple[str, ...]:
    """The ended experiments to delete so that all journals fit. ``owned``: the size of each owner's journals, including
    those of running experiments. Only owners above their fair share lose experiments, however much others write."""
    total, sizes, chosen = sum(owned.values()), dict(owned), []
    share = fair_share(sizes.values(), max_size)
    for journal in oldest_first:
        if total > max_size and journal.size and sizes.get(journal.owner, 0) > share:
            chosen.append(journal.experiment)
            sizes[journal.owner] -= journal.size
            total -= journal.size
    return tuple(chosen)
