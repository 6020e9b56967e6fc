"""All events of a session in one order."""

from __future__ import annotations

from dashboard.core.training.results.events import INSTRUCTOR, display_names, timeline
from dashboard.core.workshops.progress import Event
from tests.core.training_builders import SESSION, START, B, facts_of, person, record


def test_events_are_in_the_order_of_time_and_begin_with_a_join() -> None:
    one = person("Ada", {B: record(START, 1, START)}, left=START)
    found = timeline(facts_of(one, events=(Event(START, "step", "", B),)))
    assert [(each.event.kind, each.who) for each in found] == [
        ("created", INSTRUCTOR),
        ("joined", 0),
        ("step", INSTRUCTOR),
        ("opened", 0),
        ("predicted", 0),
        ("passed", 0),
        ("left", 0),
        ("closed", INSTRUCTOR),
    ]


def test_participants_are_named_or_numbered_in_the_order_of_joining() -> None:
    assert display_names(SESSION, anonymous=False) == ("Ada", "Bob", "Cleo", "Dan")
    assert display_names(SESSION, anonymous=True) == ("Person 1", "Person 2", "Person 3", "Person 4")
