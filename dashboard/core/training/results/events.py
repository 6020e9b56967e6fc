"""What happened in a class, all of it in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.core.training.results.facts import Deed, PersonFacts, SessionFacts

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Happening:
    """A deed of somebody, or (``who`` NOBODY) of the instructor. ``rank`` orders what happened at once."""

    at: float
    rank: int
    who: int
    deed: Deed


def names_of(facts: SessionFacts, *, anonymous: bool) -> tuple[str, ...]:
    """How people are called: by their names, or by numbers in the order of joining."""
    return tuple(f"Person {n}" if anonymous else one.name for n, one in enumerate(facts.people, 1))


def _of_person(who: int, person: PersonFacts) -> Iterator[Happening]:
    yield Happening(person.joined_at, 0, who, Deed(person.joined_at, "joined"))
    for step, record in person.records.items():
        if record.opened_at:
            yield Happening(record.opened_at, 2, who, Deed(record.opened_at, "opened", step))
    for deed in person.deeds:
        yield Happening(deed.at, 3, who, deed)
    if person.left_at:
        yield Happening(person.left_at, 4, who, Deed(person.left_at, "left"))


def happenings(facts: SessionFacts) -> list[Happening]:
    """Everything that happened until the end, in its order."""
    found = [Happening(one.at, 1, NOBODY, one) for one in facts.events]
    for who, person in enumerate(facts.people):
        found += _of_person(who, person)
    return sorted(found, key=lambda one: (one.at, one.rank))
