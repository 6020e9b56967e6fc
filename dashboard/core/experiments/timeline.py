"""Turns journal entries into items of the timeline."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dashboard.core.experiments.journal import Entry
from dashboard.core.experiments.messages import TimelineItem


@dataclass(slots=True)
class CountedEntries:
    """Reads entries with ``read``, and counts in ``items`` those with a text: items of the timeline."""

    read: Callable[[], Iterable[Entry]]
    items: int = 0

    def __call__(self) -> Iterator[Entry]:
        """Yields the entries, and counts them from 0."""
        self.items = 0
        for entry in self.read():
            self.items += bool(entry.text)
            yield entry


def format_cause(entry: Entry) -> str:
    """Returns the cause of an entry as one line, such as ``kernel · address eth0``."""
    return " · ".join(part for part in (str(entry.cause.source), entry.cause.detail, entry.cause.actor) if part)


def timeline_item(entry: Entry, first_at: float) -> TimelineItem:
    """Returns the entry as an item of the timeline. ``first_at`` is the time of the journal's first entry."""
    offset = round(max(0.0, entry.at - first_at), 3)
    return TimelineItem(entry.seq, entry.at, offset, entry.text, format_cause(entry), entry.about)
