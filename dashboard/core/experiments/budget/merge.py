"""Merges successive journal entries into one if changes come faster than a journal may grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from msgspec import UNSET

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View
from dashboard.core.namespaces.composition import compose, size_of_changes, size_of_state
from dashboard.core.namespaces.delta import Changes

#: The first word of a detail of a kernel cause, and its plural in the text of a merged entry.
KINDS = {"listener": "listeners", "link": "links", "address": "addresses", "route": "routes", "nat": "nat rules"}


def is_mergeable(entry: Entry) -> bool:
    """Whether the entry may be merged with others. An entry that removes columns may not: if a later entry adds one of
    these columns again, merging the two could change the order of the columns."""
    return not entry.facts.removed


def is_replaceable(cause: Cause, facts: Facts, view: View, *, is_full: bool = False) -> bool:
    """Whether an entry with this cause and these facts may be merged instead of appended.

    Changes that the machine or the Engine makes by itself may be merged, because their number is unlimited. Actions of
    users, new phases and new statuses of arms get entries of their own. ``view`` is the view before the entry.

    ``is_full`` is true if the journal has used up its budget. In this case, new statuses of arms and results of
    requests may be merged, too.
    """
    if is_full and not facts.removed:
        is_trial = facts.trial is not UNSET and cause.source is Source.PERSON and not facts.columns
        if is_trial or (cause.source in {Source.KERNEL, Source.ENGINE} and facts.head is None):
            return True
    status = {column.key: column.status for column in view.columns}
    return (
        cause.source in {Source.KERNEL, Source.ENGINE}
        and facts.head is None
        and not facts.removed
        and not facts.forgotten
        and all(status.get(column.key) is column.status for column in facts.columns)
    )


def merge(entries: Sequence[Entry], view: View) -> Entry:
    """Merges entries into one that has the same effect. All entries must be mergeable (``is_mergeable``).

    ``view`` is the view after the last entry. The merged entry has the text, the number and the time of the last entry.
    A reader that has already applied some of the entries may apply the merged one: the result is still ``view``.
    """
    last = entries[-1]
    facts = [entry.facts for entry in entries]
    columns = {column.key for each in facts for column in each.columns}
    whole = {key for each in facts for key in (*each.states, *each.forgotten)}
    changes: dict[str, Changes] = {}
    for key in {key for each in facts for key in each.changes} - whole:
        joined = _join(each.changes[key] for each in facts if key in each.changes)
        if joined is None or key not in view.states or size_of_changes(joined) > size_of_state(view.states[key]):
            whole.add(key)
        elif joined:
            changes[key] = joined
    merged = Facts(
        head=view.head if any(each.head is not None for each in facts) else None,
        columns=tuple(column for column in view.columns if column.key in columns),
        states={key: view.states[key] for key in sorted(whole) if key in view.states},
        changes=dict(sorted(changes.items())),
        forgotten=tuple(sorted(key for key in whole if key not in view.states)),
        trial=view.trial if any(each.trial is not UNSET for each in facts) else UNSET,
    )
    about = tuple(dict.fromkeys(chain.from_iterable(entry.about for entry in entries)))
    return replace(last, facts=merged, about=about)


def _join(all_changes: Iterable[Changes]) -> Changes | None:
    joined: Changes | None = Changes()
    for changes in all_changes:
        joined = compose(joined, changes) if joined is not None else None
    return joined


@dataclass(frozen=True, slots=True)
class Tally:
    """The changes in a merged entry: their number, the time of the first, and their kinds, such as ``listeners``."""

    count: int = 0
    since: float = 0.0
    kinds: tuple[str, ...] = ()

    def add(self, entry: Entry) -> Tally:
        """Returns the tally with one more change."""
        details = entry.cause.detail.split(", ")
        kinds = [KINDS.get(part.split(" ", 1)[0], "") for part in details]
        if entry.cause.source is not Source.KERNEL:
            kinds = details
        return Tally(
            self.count + 1,
            self.since if self.count else entry.at,
            tuple(dict.fromkeys((*self.kinds, *filter(None, kinds)))),
        )


def describe_merged(tally: Tally, until: float) -> str:
    """Returns the text of a merged entry. ``until`` is the time of its last change."""
    seconds = max(0.0, until - tally.since)
    span = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    kinds = f" ({', '.join(tally.kinds)})" if tally.kinds else ""
    return f"{tally.count:,} changes within {span} are merged into this entry{kinds}"


def describe_unwritten(count: int) -> str:
    """Returns the text of an entry into which ``count`` entries were merged while the database accepted no writes."""
    return f"The database accepted no writes: {count:,} entries are merged into this one"
