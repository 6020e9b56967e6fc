"""Journal entries as items of the timeline."""

from dashboard.core.experiments.journal import Entry
from dashboard.core.experiments.messages import TimelineItem


def format_cause(entry: Entry) -> str:
    """The cause in one line."""
    return " · ".join(part for part in (str(entry.cause.source), entry.cause.detail, entry.cause.actor) if part)


def timeline_item(entry: Entry, first_at: float) -> TimelineItem:
    """One entry; its offset counts from ``first_at``, the time of the first entry."""
    offset = round(max(0.0, entry.at - first_at), 3)
    return TimelineItem(entry.seq, entry.at, offset, entry.text, format_cause(entry), entry.about)
