"""What happened in a class, in one order."""

from __future__ import annotations

from dashboard.core.training.results.events import NOBODY, happenings, names_of
from dashboard.core.training.results.facts import Deed
from tests.core.training_builders import CLASS, START, B, facts_of, person, record


def test_everything_is_in_the_order_of_its_time_and_first_of_all_one_joins() -> None:
    one = person("Ada", {B: record(START, 1, START)}, left=START)
    found = happenings(facts_of(one, events=(Deed(START, "step", "", B),)))
    assert [(each.deed.kind, each.who) for each in found] == [
        ("created", NOBODY),
        ("joined", 0),
        ("step", NOBODY),
        ("opened", 0),
        ("predicted", 0),
        ("passed", 0),
        ("left", 0),
        ("closed", NOBODY),
    ]


def test_people_are_named_or_numbered_in_the_order_of_joining() -> None:
    assert names_of(CLASS, anonymous=False) == ("Ada", "Bob", "Cleo", "Dan")
    assert names_of(CLASS, anonymous=True) == ("Person 1", "Person 2", "Person 3", "Person 4")
