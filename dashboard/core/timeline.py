"""Journal entries as lines of the timeline."""

from __future__ import annotations

from dashboard.core.journal import Entry
from dashboard.core.stream import TimelineItem


def timeline_item(entry: Entry, first_at: float) -> TimelineItem:
    """One line; its offset counts from ``first_at``, the time of the first entry."""
    cause = " · ".join(part for part in (str(entry.cause.source), entry.cause.detail, entry.cause.actor) if part)
    return TimelineItem(entry.seq, entry.at, round(max(0.0, entry.at - first_at), 3), entry.text, cause, entry.about)
