"""Puts all events of a session in order."""

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.core.training.results.facts import ParticipantFacts, SessionFacts
from dashboard.core.workshops.progress import Event

INSTRUCTOR = -1


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An event of the participant with the index ``who``, or of the instructor if ``who`` is ``INSTRUCTOR``. ``rank``
    orders events of the same time."""

    at: float
    rank: int
    who: int
    event: Event


def display_names(facts: SessionFacts, *, anonymous: bool) -> tuple[str, ...]:
    """Returns the participants' names in the order of joining; ``Person 1`` and so on if ``anonymous`` is true."""
    return tuple(f"Person {n}" if anonymous else one.name for n, one in enumerate(facts.participants, 1))


def _of_participant(who: int, participant: ParticipantFacts) -> Iterator[TimelineEntry]:
    yield TimelineEntry(participant.joined_at, 0, who, Event(participant.joined_at, "joined"))
    for step, record in participant.records.items():
        if record.opened_at:
            yield TimelineEntry(record.opened_at, 2, who, Event(record.opened_at, "opened", step))
    for event in participant.events:
        yield TimelineEntry(event.at, 3, who, event)
    if participant.left_at:
        yield TimelineEntry(participant.left_at, 4, who, Event(participant.left_at, "left"))


def timeline(facts: SessionFacts) -> list[TimelineEntry]:
    """Returns all events of the instructor and the participants, in order of time."""
    entries = [TimelineEntry(event.at, 1, INSTRUCTOR, event) for event in facts.events]
    for who, participant in enumerate(facts.participants):
        entries += _of_participant(who, participant)
    return sorted(entries, key=lambda entry: (entry.at, entry.rank))
