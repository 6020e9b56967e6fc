"""The messages of the live page: a snapshot, then numbered patches.

The id of a row is ``section/key/field``. A patch contains only what changed since the state with the number ``base``. A
browser whose state has a different number reconnects and receives a new snapshot.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dashboard.core.experiments.journal import NO_TRIAL, Trial
from dashboard.core.experiments.launching.progress import ArmProgress
from dashboard.core.experiments.messages import NO_ANSWER, Answer, Column, ExperimentHead, Row, TimelineItem
from dashboard.core.experiments.picture import DrawnPath, Picture

PROTOCOL_VERSION = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole experiment after the journal entry ``seq``. ``omitted`` is the number of earlier items that
    ``timeline`` lacks."""

    seq: int
    experiment: ExperimentHead
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    wide: Picture
    narrow: Picture
    timeline: tuple[TimelineItem, ...]
    paths: tuple[DrawnPath, ...] = ()
    answer: Answer = NO_ANSWER
    launching: tuple[ArmProgress, ...] = ()
    trial: Trial = NO_TRIAL
    omitted: int = 0
    type: Literal["snapshot"] = "snapshot"
    v: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row to set, and its position: after the row with the id ``after``, or first if ``after`` is empty."""

    id: str
    after: str
    row: Row


@dataclass(frozen=True, slots=True)
class RowPatch:
    """The changes of the rows. First those with the ids in ``remove`` are removed, then ``set`` is applied in order."""

    set: tuple[PlacedRow, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Patch:
    """The changes between the journal entries ``base`` and ``seq``. None means unchanged."""

    base: int
    seq: int
    rows: RowPatch
    experiment: ExperimentHead | None = None
    columns: tuple[Column, ...] | None = None
    wide: Picture | None = None
    narrow: Picture | None = None
    timeline: tuple[TimelineItem, ...] = ()
    paths: tuple[DrawnPath, ...] | None = None
    answer: Answer | None = None
    launching: tuple[ArmProgress, ...] | None = None
    trial: Trial | None = None
    type: Literal["patch"] = "patch"
    v: int = PROTOCOL_VERSION


def row_id(row: Row) -> str:
    """Returns the id of the row in patches and pages."""
    return f"{row.section}/{row.key}/{row.field}"


def diff_rows(before: tuple[Row, ...], after: tuple[Row, ...]) -> RowPatch:
    """Returns the patch that turns ``before`` into ``after``. Neither may contain the same id twice.

    A row is not sent again if only its predecessor was added or removed. A row whose position among the remaining rows
    changed is removed and set again.
    """
    old = {row_id(row): row for row in before}
    new_ids = [row_id(row) for row in after]
    moved = _moved(old, new_ids)
    placed = []
    previous = ""
    for identity, row in zip(new_ids, after, strict=True):
        if identity in moved or old.get(identity) != row:
            placed.append(PlacedRow(identity, previous, row))
        previous = identity
    kept = set(new_ids) - moved
    return RowPatch(tuple(placed), tuple(identity for identity in old if identity not in kept))


def _moved(before: Iterable[str], after: Iterable[str]) -> set[str]:
    """Returns the smallest set of ids that must move to turn the order ``before`` into ``after``: the common ids that
    are outside a longest increasing subsequence (patience sorting)."""
    place = {identity: number for number, identity in enumerate(before)}
    common = [identity for identity in after if identity in place]
    ends: list[int] = []
    last: list[str] = []
    predecessor: dict[str, str | None] = {}
    for identity in common:
        length = bisect_left(ends, place[identity])
        predecessor[identity] = last[length - 1] if length else None
        ends[length : length + 1] = [place[identity]]
        last[length : length + 1] = [identity]
    moved = set(common)
    step = last[-1] if last else None
    while step is not None:
        moved.discard(step)
        step = predecessor[step]
    return moved
