"""A cache of the newest journal entries of the experiments that this process drives, so that readers need no query."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dashboard.core.experiments.journal import Entry

#: The maximum number of entries kept for each experiment, and their maximum size in the database in bytes.
MAX_ENTRIES, MAX_BYTES = 512, 1024 * 1024


@dataclass(slots=True)
class _Ring:
    entries: deque[tuple[Entry, int]] = field(default_factory=deque)
    size: int = 0


_rings: dict[str, _Ring] = {}


def remember(experiment: str, entries: Iterable[tuple[Entry, int]], replaced: Collection[int]) -> None:
    """Adds committed journal entries to the cache, each given with its size in bytes. Also removes the entries whose
    numbers are in ``replaced``."""
    ring = _rings.setdefault(experiment, _Ring())
    if replaced:
        kept = [one for one in ring.entries if one[0].seq not in replaced]
        ring.entries, ring.size = deque(kept), sum(size for _, size in kept)
    for entry, size in entries:
        ring.entries.append((entry, size))
        ring.size += size
    while ring.entries and (len(ring.entries) > MAX_ENTRIES or ring.size > MAX_BYTES):
        ring.size -= ring.entries.popleft()[1]


def recent(experiment: str, after: int) -> tuple[Entry, ...] | None:
    """The cached entries with numbers above ``after``; None if the cache may lack some of them."""
    ring = _rings.get(experiment)
    kept = list(ring.entries) if ring is not None else []
    if not kept or kept[0][0].seq > after + 1:
        return None
    return tuple(entry for entry, _ in kept if entry.seq > after)


def forget(experiment: str) -> None:
    """Removes all entries of an experiment from the cache. Called when this process no longer drives the experiment, or
    deletes it."""
    _rings.pop(experiment, None)
