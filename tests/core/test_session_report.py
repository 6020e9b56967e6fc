"""What a class came to: every cell, and that the totals agree; what others may know of it; the tables."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.messages import encode
from dashboard.core.session_anonymous import BASE, NO_CHOICE, anonymous, for_seat, rounded
from dashboard.core.session_csv import PEOPLE, STEPS, people_csv, steps_csv
from dashboard.core.session_facts import SessionFacts
from dashboard.core.session_report import build_report
from dashboard.core.session_shapes import SessionReport, StepReport
from tests.core.class_builders import CLASS, START, A, B, C, classes, facts_of, person, record
from tests.core.test_workshop_walk import WORKSHOP

REPORT = build_report(CLASS, WORKSHOP)


def step(report: SessionReport, slug: str) -> StepReport:
    return next(one for one in report.steps if one.slug == slug)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Ada", [("done", 60.0, 0, "", None), ("done", 60.0, 0, "two", True), ("done", 40.0, 0, "its own", True)]),
        (
            "Bob",
            [("done", 100.0, 3, "", None), ("done", 100.0, 0, "one", False), ("run", None, 1, "the machine's", False)],
        ),
        ("Cleo", [("done", 120.0, 0, "", None), ("run", None, 0, "two", True), ("locked", None, 0, "", None)]),
        ("Dan", [("locked", None, 0, "", None)] * 3),
    ],
)
def test_every_cell(name: str, cells: list[tuple[object, ...]]) -> None:
    found = next(one for one in REPORT.people if one.name == name)
    assert [(one.state, one.seconds, one.attempts, one.predicted, one.right) for one in found.cells] == cells


def test_a_person_s_help_and_last_failing_check() -> None:
    bob = REPORT.people[1]
    assert (bob.cells[0].failing, bob.cells[0].hints, bob.cells[2].hands, bob.cells[2].questions) == (
        "check 0",
        2,
        1,
        1,
    )
    assert (bob.done, bob.answered, bob.known, bob.right, bob.attempts) == (2, 2, 2, 0, 4)


def test_every_figure_of_a_step() -> None:
    one = step(REPORT, A)
    assert (one.question, one.choices, one.answered, one.truth, one.source) == ("", (), 0, "", "")
    assert (one.opened, one.done, one.median_s) == (3, 3, 100.0)
    assert one.p90_s == pytest.approx(116.0)
    assert [(check.sentence, check.count, check.people) for check in one.failing] == [
        ("check 0", 2, 1),
        ("check 1", 1, 1),
    ]
    two = step(REPORT, B)
    assert [(choice.count, choice.right) for choice in two.choices] == [(1, False), (2, True)]
    assert (two.answered, two.known, two.right) == (3, 3, 2)
    assert two.share_right == pytest.approx(2 / 3)
    assert (two.truth, two.source, two.evidence, two.revealed_at) == ("two", "workshop", (), 1500)
    three = step(REPORT, C)
    assert (three.truth, three.source, three.about[:5]) == ("its own", "kernel", "Whose")
    assert [(seen.reading, seen.words, seen.looks) for seen in three.evidence] == [("own", "its own", 1)]


def test_whose_host_says_otherwise_is_held_against_that() -> None:
    odd = person("Odd", {C: record(1300, 0, 1340, truth="machine")})
    found = build_report(facts_of(*CLASS.people, odd, odd), WORKSHOP)
    assert step(found, C).truth == "the machine's"
    assert (found.people[0].cells[2].right, found.people[-1].cells[2].right) == (True, True)


def test_where_nobody_has_a_host_a_step_is_done_once_it_was_revealed_to_who_was_there() -> None:
    people = (
        person("Ada", {B: record(1200, 1)}),
        person("Gone", {B: record(1200, 0)}, left=1300),
        person("Late", {}, joined=1700),
    )
    found = build_report(replace(facts_of(*people, events=CLASS.events[1:3]), hosts="none"), WORKSHOP)
    assert [(one.cells[1].state, one.cells[1].seconds) for one in found.people] == [
        ("done", 300.0),
        ("run", None),
        ("done", None),
    ]


@given(classes())
def test_totals_agree(facts: SessionFacts) -> None:
    report = build_report(facts, WORKSHOP)
    assert report.joined == len(facts.people)
    for name in ("answered", "known", "right", "done", "attempts", "hints", "hands", "questions"):
        by_step = [getattr(one, name) for one in report.steps]
        assert sum(by_step) == sum(getattr(one, name) for one in report.people), name
    for number, one in enumerate(report.steps):
        cells = [each.cells[number] for each in report.people]
        assert sum(choice.count or 0 for choice in one.choices) == one.answered
        assert [sum(cell.predicted == choice.text for cell in cells) for choice in one.choices] == [
            choice.count for choice in one.choices
        ]
        assert one.done == sum(cell.state == "done" for cell in cells) <= (one.opened or 0) <= len(cells)
        times = sorted(cell.seconds for cell in cells if cell.seconds is not None)
        assert (one.median_s is None) == (not times)
        if times and one.median_s is not None and one.p90_s is not None:
            assert times[0] <= one.median_s <= one.p90_s <= times[-1]
        assert sum(check.count or 0 for check in one.failing) == one.attempts
        assert sum(choice.right is True for choice in one.choices) <= 1
        if one.share_right is not None:
            assert 0 <= one.share_right <= 1


def _figures(value: object) -> list[int]:
    if isinstance(value, dict):
        return [one for key, inner in value.items() if key not in {"number", "team_size"} for one in _figures(inner)]
    if isinstance(value, tuple | list):
        return [one for inner in value for one in _figures(inner)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


@given(classes())
def test_an_anonymous_report_has_nobody_in_it_and_no_exact_count(facts: SessionFacts) -> None:
    told = anonymous(build_report(facts, WORKSHOP))
    text = encode(told).decode()
    for one in facts.people:
        assert f'"{one.name}"' not in text
        assert one.seat not in text
    assert facts.id not in text.replace("session", "")
    assert '"odd"' not in text, "what was read and is no answer may be an address"
    assert all(figure % BASE == 0 for figure in _figures(asdict(told)))
    assert told.people == ()


def test_whether_all_answered_the_same_cannot_be_told() -> None:
    """What is published of a class does not change with one person's answer, unless the count is at an edge; and never
    does a figure say "all" or "nobody" for sure."""
    for size in range(1, 40):
        for true in range(size + 1):
            shown, whole = rounded(true), rounded(size)
            could_be = [n for n in range(size + 4) if rounded(n) == shown]
            sizes = [n for n in range(size + 4) if rounded(n) == whole]
            assert len(could_be) >= 3, "at least three counts look like this one"
            assert len(sizes) >= 3


def test_shares_are_told_of_many_and_averages_of_several() -> None:
    def published(count: int) -> StepReport:
        people = [person(f"N{n}", {B: record(1100 + n, n % 3 and 1, 1190 + n)}) for n in range(count)]
        return step(anonymous(build_report(facts_of(*people), WORKSHOP)), B)

    table = [(n, published(n)) for n in (7, 8, 22, 23)]
    assert [(n, one.share_right is not None, one.median_s is not None, one.p90_s is not None) for n, one in table] == [
        (7, False, False, False),
        (8, False, True, False),
        (22, False, True, False),
        (23, True, True, True),
    ]
    many = table[-1][1]
    assert (many.answered, [choice.count for choice in many.choices], many.share_right) == (25, [10, 15], 0.6)


def test_what_was_read_and_no_choice_says_is_not_told_to_others() -> None:
    people = [person(f"N{n}", {C: record(1100, 0, 1190, truth="198.51.100.7")}) for n in range(9)]
    exact = build_report(facts_of(*people), WORKSHOP)
    assert step(exact, C).truth == "198.51.100.7"
    told = step(anonymous(exact), C)
    assert (told.truth, [one.words for one in told.evidence]) == (NO_CHOICE, [NO_CHOICE])


def test_a_seat_knows_all_of_itself_and_of_the_others_what_was_shown() -> None:
    going = build_report(replace(CLASS, closed_at=0.0), WORKSHOP)
    told = for_seat(going, "seat-of-Ada", [B])
    assert [one.name for one in told.people] == ["Ada"]
    assert [one.count for one in step(told, B).choices] == [1, 2], "as it was shown to everybody"
    assert [one.count for one in step(told, C).choices] == [None, None]
    assert (step(told, C).truth, step(told, C).evidence) == ("", ())
    assert told.people[0].cells[2].right is True, "she is done with it"
    bob = for_seat(going, "seat-of-Bob", [B]).people[0]
    assert (bob.cells[2].truth, bob.cells[2].right, bob.known) == ("", None, 1)
    over = for_seat(REPORT, "seat-of-Bob", [B])
    assert (over.people[0].cells[2].right, step(over, C).truth) == (False, "its own")
    assert [one.count for one in step(over, C).choices] == [0, 0], "rounded: it was not shown to all"
    for name in ("Ada", "Cleo", "Dan", "seat-of-Ada", "s1"):
        assert name not in encode(over).decode().replace("session", "")
    assert for_seat(REPORT, "nobody", []).people == ()


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_the_table_of_people_has_every_cell_exactly() -> None:
    lines = read(people_csv(REPORT))
    assert tuple(lines[0]) == PEOPLE
    assert len(lines) == 4 * 3
    assert list(lines[4].values()) == [
        "Bob", "1", "1970-01-01T00:16:40+00:00", "", "2", "b", "B", "done", "100", "0", "one", "two", "no", "0", "0",
        "0", "",
    ]  # fmt: skip
    assert list(lines[7].values())[3:] == [
        "1970-01-01T00:33:20+00:00", "2", "b", "B", "run", "", "0", "two", "two", "yes", "0", "0", "0", "",
    ]  # fmt: skip


def test_the_table_of_steps_has_every_figure_exactly() -> None:
    lines = read(steps_csv(REPORT))
    assert tuple(lines[0]) == (*STEPS, "choice_1", "count_1", "choice_2", "count_2")
    assert list(lines[1].values()) == [
        "2", "b", "B", "?", "3", "3", "2", "0.6667", "two", "workshop", "3", "2", "80.0", "96.0", "0", "0", "0", "0",
        "one", "1", "two", "2",
    ]  # fmt: skip
    assert lines[0]["choice_1"] == ""


def test_no_name_is_a_formula() -> None:
    nasty = '=HYPERLINK("http://192.0.2.1"),\n"|cmd'
    line = read(people_csv(build_report(facts_of(person(nasty, {})), WORKSHOP)))[0]
    assert line["person"] == f"'{nasty}"


def test_an_empty_class_has_a_report_and_tables() -> None:
    empty: Any = build_report(facts_of(closed=0.0), WORKSHOP)
    assert (empty.joined, empty.took_s, empty.people, len(empty.steps)) == (0, 0.0, (), 3)
    assert people_csv(empty).count("\n") == 1
    assert anonymous(empty).joined == 0
    assert {field.name for field in fields(empty)} >= {"schema", "steps", "people"}
    assert empty.created_at == START - 10
