"""A class: how long its door is open, who sits in which group, who is there, and who needs help. No clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, Stage, StepRecord, stage

NAME_MOST = 40
TEXT_MOST = 500
#: Somebody is there until this long after the last connection was lost: a phone that is put down for a moment stays.
GRACE_S = 12.0
#: Stuck: so many failed checks in a step, or so long in it.
STUCK_FAILURES = 2
STUCK_S = 5 * 60.0
HOURS = (1, 2, 4, 8, 24, 72)
MAX_PARTICIPANTS = 500
TEAMS_MOST = 10


class HostsFor(StrEnum):
    """Who gets a private host."""

    NONE = "none"
    PERSON = "person"
    TEAM = "team"


class Door(StrEnum):
    """Whether somebody can come in with the code."""

    OPEN = "open"
    SHUT = "shut"  # knocking: the instructor admits
    EXPIRED = "expired"
    CLOSED = "closed"


def door(closed_at: float, expires_at: float, now: float, *, shut: bool) -> Door:
    """Where a session's door stands."""
    if closed_at:
        return Door.CLOSED
    if now >= expires_at:
        return Door.EXPIRED
    return Door.SHUT if shut else Door.OPEN


def name_of(typed: str) -> str:
    """A name as it is shown. ValueError with a sentence if it is none."""
    name = " ".join(typed.split())
    if not name or not name.isprintable():
        raise ValueError("Type the name by which the others know you.")
    if len(name) > NAME_MOST:
        raise ValueError(f"A name has at most {NAME_MOST} characters.")
    return name


def text_of(typed: str) -> str:
    """What somebody writes to somebody. ValueError if it is nothing, or too much."""
    text = " ".join("".join(one if one.isprintable() else " " for one in typed).split())
    if not text:
        raise ValueError("Write something first.")
    if len(text) > TEXT_MOST:
        raise ValueError(f"Write at most {TEXT_MOST} characters: this has {len(text)}.")
    return text


def group_for(groups: Iterable[int], size: int) -> int:
    """The group of who comes next: the first with a free place, counted from 1 on."""
    taken = Counter(groups)
    number = 1
    while taken[number] >= size:
        number += 1
    return number


def group_key(session: str, group: int) -> str:
    """How a group's host is called."""
    return f"{session}-{group}"


def is_present(connections: int, left_at: float, now: float) -> bool:
    """Whether somebody counts as being there; ``left_at`` is when the last connection was lost."""
    return connections > 0 or (left_at > 0 and now - left_at <= GRACE_S)


class Need(StrEnum):
    """Why somebody needs help."""

    HAND = "hand"
    FAILS = "fails"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Cell:
    """One person in one step. ``seconds`` in it so far, or until it was done; None if it was not opened."""

    step: str
    stage: Stage
    attempts: int
    seconds: float | None
    failing: str
    predicted: bool
    hints: int


@dataclass(frozen=True, slots=True)
class Line:
    """One person in the grid. ``need`` and ``since`` tell why help is needed, and for how many seconds."""

    cells: tuple[Cell, ...]
    at: int
    done: int
    needs: tuple[Need, ...]
    waits_s: float


def _seconds(record: StepRecord, now: float) -> float | None:
    if not record.opened_at:
        return None
    return max(0.0, (record.passed_at or now) - record.opened_at)


def line_of(
    workshop: Workshop,
    records: Records,
    now: float,
    *,
    hand_raised_at: float = 0.0,
    until: int | None = None,
    free: bool = False,
) -> Line:
    """Somebody's line in the grid, and whether help is needed: a raised hand, or ``STUCK_FAILURES`` failed checks or
    ``STUCK_S`` in a step that is not done."""
    cells, needs, waits = [], [], [0.0]
    for number, step in enumerate(workshop.steps):
        record = records.get(step.slug, EMPTY)
        where = stage(workshop, records, number, until, free=free)
        seconds = _seconds(record, now)
        failing = record.failing if where is not Stage.DONE else ""
        predicted = record.prediction is not None
        cells.append(Cell(step.slug, where, record.attempts, seconds, failing, predicted, record.hints))
    if hand_raised_at:
        needs.append(Need.HAND)
        waits.append(now - hand_raised_at)
    working = [one for one in cells if one.stage in {Stage.PREDICT, Stage.RUN} and one.seconds is not None]
    failed = [one.seconds or 0.0 for one in working if one.attempts >= STUCK_FAILURES]
    if failed:
        needs.append(Need.FAILS)
        waits += failed
    # Where all steps are open somebody may have left one undone long ago: only the newest counts.
    slow = [one.seconds for one in working[-1:] if one.seconds is not None and one.seconds >= STUCK_S]
    if slow:
        needs.append(Need.SLOW)
        waits += slow
    done = sum(1 for one in cells if one.stage is Stage.DONE)
    opened = [number for number, one in enumerate(cells) if one.seconds is not None]
    return Line(tuple(cells), max(opened, default=0), done, tuple(needs), max(waits))


def in_order(lines: Mapping[str, Line]) -> tuple[str, ...]:
    """Who needs help: raised hands first, then who has waited longest."""
    asking = [(key, one) for key, one in lines.items() if one.needs]
    return tuple(key for key, _ in sorted(asking, key=lambda one: (Need.HAND not in one[1].needs, -one[1].waits_s)))
