"""Rules of training sessions: who may join, groups, presence, the progress of participants, and who needs help.
No clock is read: times are arguments."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, StepRecord, StepStage, step_stage

MAX_NAME = 40
MAX_TEXT = 500
#: A participant stays present this long after the last connection was lost: a phone may sleep for a moment.
GRACE_S = 12.0
#: A participant is stuck after this many failed checks in a step, or this long in it.
STUCK_FAILURES = 2
STUCK_S = 5 * 60.0
HOURS = (1, 2, 4, 8, 24, 72)
MAX_PARTICIPANTS = 500
MAX_TEAM_SIZE = 10


class HostsFor(StrEnum):
    """For whom the session has private hosts: nobody, each participant, or each team."""

    NONE = "none"
    PERSON = "person"
    TEAM = "team"


class JoinStatus(StrEnum):
    """Whether the join code admits new participants."""

    OPEN = "open"
    ADMISSION = "admission"  # newcomers wait until the instructor admits them
    EXPIRED = "expired"
    CLOSED = "closed"


def join_status(closed_at: float, expires_at: float, now: float, *, admission_required: bool) -> JoinStatus:
    """Returns the status of a session for new participants. ``closed_at`` is 0 while the session is open."""
    if closed_at:
        return JoinStatus.CLOSED
    if now >= expires_at:
        return JoinStatus.EXPIRED
    return JoinStatus.ADMISSION if admission_required else JoinStatus.OPEN


def parse_name(typed: str) -> str:
    """Returns a participant's name without superfluous blanks. Raises ValueError with a message for the user if the
    text cannot be a name."""
    name = " ".join(typed.split())
    if not name or not name.isprintable():
        raise ValueError("Enter the name by which the others know you.")
    if len(name) > MAX_NAME:
        raise ValueError(f"A name has at most {MAX_NAME} characters.")
    return name


def parse_text(typed: str) -> str:
    """Returns a hint or a question as one line. Raises ValueError with a message if it is empty or too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in typed).split())
    if not text:
        raise ValueError("Write something first.")
    if len(text) > MAX_TEXT:
        raise ValueError(f"Write at most {MAX_TEXT} characters: this has {len(text)}.")
    return text


def next_group(groups: Iterable[int], size: int, past: Collection[int] = ()) -> int:
    """Returns the number of the group that a new participant joins: the first one with fewer than ``size`` members.
    Groups are counted from 1. ``groups`` has the group of each participant. A group in ``past`` that has no members is
    not used again, because its runs keep the number."""
    members = Counter(groups)
    number = 1
    while members[number] >= size or (members[number] == 0 and number in past):
        number += 1
    return number


def group_key(session: str, group: int) -> str:
    """Returns the key of a group and of its host: ``SESSION-N``."""
    return f"{session}-{group}"


def session_of_group(key: str) -> str:
    """Returns the id of the session from the key of a group."""
    return key.rpartition("-")[0]


def number_of_group(key: str) -> int:
    """Returns the number of a group from its key."""
    return int(key.rpartition("-")[2])


def is_present(connections: int, left_at: float, now: float) -> bool:
    """Whether a participant has a connection, or lost the last one (at ``left_at``) at most ``GRACE_S`` seconds ago."""
    return connections > 0 or (left_at > 0 and now - left_at <= GRACE_S)


class HelpReason(StrEnum):
    """Why a participant needs help."""

    HAND = "hand"
    FAILS = "fails"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class StepCell:
    """The progress of one participant in one step. ``seconds`` is the time from opening the step to finishing it, or
    until now; None if the step was not opened."""

    step: str
    stage: StepStage
    attempts: int
    seconds: float | None
    failing: str
    predicted: bool
    hints: int


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """The progress of one participant in the instructor's grid. ``current`` is the highest index of an opened step;
    ``done`` is the number of finished steps. ``needs`` lists the reasons to help; ``waits_s`` is the age of the oldest
    of these reasons in seconds."""

    cells: tuple[StepCell, ...]
    current: int
    done: int
    needs: tuple[HelpReason, ...]
    waits_s: float

    @property
    def newest(self) -> StepCell:
        """The cell of the opened step with the highest index; the first cell if no step was opened."""
        return self.cells[self.current]


def _seconds(record: StepRecord, now: float) -> float | None:
    if not record.opened_at:
        return None
    return max(0.0, (record.passed_at or now) - record.opened_at)


def progress_row(
    workshop: Workshop,
    records: Records,
    now: float,
    *,
    hand_raised_at: float = 0.0,
    until: int | None = None,
    free: bool = False,
    closed_at: float = 0.0,
) -> ProgressRow:
    """Computes the progress of a participant at the time ``now``; in a closed session, at the time ``closed_at``.
    Unfinished steps are locked if their index is ``until`` or higher. If ``free`` is true, the other steps may be done
    in any order.

    Reasons to help, until the session is closed, are:

    - a raised hand
    - at least ``STUCK_FAILURES`` failed checks in an open step that is not done
    - at least ``STUCK_S`` seconds in the last opened step, if it is not done
    """
    now = closed_at or now
    cells = []
    for number, step in enumerate(workshop.steps):
        record = records.get(step.slug, EMPTY)
        reached = step_stage(workshop, records, number, until, free=free)
        failing = record.failing if reached is not StepStage.DONE else ""
        predicted = record.prediction is not None
        seconds = _seconds(record, now)
        cells.append(StepCell(step.slug, reached, record.attempts, seconds, failing, predicted, record.hints))
    waits: dict[HelpReason, float] = {}
    if hand_raised_at:
        waits[HelpReason.HAND] = now - hand_raised_at
    working = {
        number: (cell.attempts, cell.seconds)
        for number, cell in enumerate(cells)
        if cell.stage in {StepStage.PREDICT, StepStage.RUN} and cell.seconds is not None
    }
    if failed := [seconds for attempts, seconds in working.values() if attempts >= STUCK_FAILURES]:
        waits[HelpReason.FAILS] = max(failed)
    current = max((number for number, cell in enumerate(cells) if cell.seconds is not None), default=0)
    # An earlier step may have been left unfinished long ago, so only the newest one counts.
    if current in working and working[current][1] >= STUCK_S:
        waits[HelpReason.SLOW] = working[current][1]
    if closed_at:
        waits.clear()
    return ProgressRow(
        cells=tuple(cells),
        current=current,
        done=sum(1 for cell in cells if cell.stage is StepStage.DONE),
        needs=tuple(waits),
        waits_s=max(waits.values(), default=0.0),
    )


def by_urgency(rows: Mapping[str, ProgressRow]) -> tuple[str, ...]:
    """Returns the participants who need help: raised hands first, then by the longest wait."""
    asking = [(key, row) for key, row in rows.items() if row.needs]
    return tuple(
        key for key, _ in sorted(asking, key=lambda item: (HelpReason.HAND not in item[1].needs, -item[1].waits_s))
    )
