"""What a class came to: every cell, and that the totals agree."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.training.results.facts import SessionFacts
from dashboard.core.training.results.model import SessionReport, StepReport
from dashboard.core.training.results.report import build_report
from tests.core.training_builders import CLASS, START, A, B, C, classes, facts_of, person, record
from tests.core.workshops.test_progress import WORKSHOP

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


def test_an_empty_class_has_a_report_and_tables() -> None:
    empty: Any = build_report(facts_of(closed=0.0), WORKSHOP)
    assert (empty.joined, empty.took_s, empty.people, len(empty.steps)) == (0, 0.0, (), 3)
    assert {field.name for field in fields(empty)} >= {"schema", "steps", "people"}
    assert empty.created_at == START - 10
