"""When storage is short: of the disk, and of the journals of all experiments."""

from collections.abc import Iterable
from dataclasses import dataclass

GIB = 1024**3
#: Launches are refused on a disk that is this full, unless so much is free that it does not matter.
MAX_SHARE = 0.9
ENOUGH_BYTES = 10 * GIB


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """A disk as df(1) shows it: ``free`` is what is left for ordinary users."""

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
    return f"{usage.share:.0%} of the disk of the data folder is used; {format_size(usage.free)} are free"


def launch_refusal(usage: DiskUsage) -> str:
    """Why nothing may be launched; empty if it may."""
    if not usage.is_full:
        return ""
    return (
        f"{describe_disk(usage)}. Launches are refused from {MAX_SHARE:.0%} on; what runs goes on. Free space, "
        "or delete old experiments: prune --days 30."
    )


@dataclass(frozen=True, slots=True)
class Journals:
    """The size of the journals of all experiments."""

    experiments: int
    entries: int
    size: int


def describe_journals(journals: Journals, max_size: int) -> str:
    """The journals in a few words."""
    return (
        f"{journals.entries:,} entries of {journals.experiments:,} experiments, {format_size(journals.size)}; the "
        f"oldest ended experiments are deleted from {format_size(max_size)} on"
    )


def format_size(size: int) -> str:
    """``3.4 GB``, ``120 MB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def over_budget(oldest_first: Iterable[tuple[str, int]], total: int, max_size: int) -> tuple[str, ...]:
    """Which of these ended experiments (id, size of the journal) are to be deleted, so that all journals fit."""
    chosen: list[str] = []
    for identity, size in oldest_first:
        if total <= max_size:
            break
        if size:
            chosen.append(identity)
            total -= size
    return tuple(chosen)
