"""The report of a session: every cell, and that totals agree."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.training.results.facts import SessionFacts
from dashboard.core.training.results.model import SessionReport, StepReport
from dashboard.core.training.results.report import build_report, share_of
from dashboard.core.workshops.progress import Event
from tests.core.training_builders import SESSION, START, A, B, C, facts_of, person, record, sessions
from tests.core.workshops.test_progress import WORKSHOP

REPORT = build_report(SESSION, WORKSHOP)


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
def test_every_cell_of_the_report_is_exact(name: str, cells: list[tuple[object, ...]]) -> None:
    found = next(one for one in REPORT.people if one.name == name)
    assert [(one.state, one.seconds, one.attempts, one.predicted, one.right) for one in found.cells] == cells


def test_requests_for_help_are_counted_and_the_last_failed_check_is_named() -> None:
    bob = REPORT.people[1]
    assert (bob.cells[0].failing, bob.cells[0].hints, bob.cells[2].hands, bob.cells[2].questions) == (
        "check 0",
        2,
        1,
        1,
    )
    assert (bob.done, bob.answered, bob.known, bob.right, bob.attempts) == (2, 2, 2, 0, 4)


def test_every_figure_of_a_step_is_exact() -> None:
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
    assert (three.truth, three.source, bool(three.about)) == ("its own", "kernel", True)
    assert [(seen.reading, seen.words, seen.looks) for seen in three.evidence] == [("own", "its own", 1)]


def test_a_prediction_is_judged_by_the_reading_of_the_own_host() -> None:
    odd = person("Odd", {C: record(1300, 0, 1340, truth="machine")})
    found = build_report(facts_of(*SESSION.participants, odd, odd), WORKSHOP)
    assert step(found, C).truth == "the machine's"
    assert (found.people[0].cells[2].right, found.people[-1].cells[2].right) == (True, True)


def test_a_reading_of_the_own_host_before_the_step_was_run_judges_no_prediction() -> None:
    before = replace(record(1300, 1, truth="machine"), failing="no container web")
    found = build_report(facts_of(SESSION.participants[0], person("Eve", {C: before})), WORKSHOP)
    eve = found.people[1].cells[2]
    assert (eve.state, eve.predicted, eve.truth, eve.right) == ("run", "its own", "its own", True)


def test_a_prediction_after_the_reveal_is_not_counted_but_its_step_is() -> None:
    early, late = person("Ada", {B: record(1400, 0, 1450)}), person("Cleo", {B: record(1600, 1, 1650)})
    found = build_report(facts_of(early, late, events=SESSION.events[1:3]), WORKSHOP)
    two = step(found, B)
    assert [choice.count for choice in two.choices] == [1, 0]
    assert (two.answered, two.known, two.right, two.done) == (1, 1, 0, 2)
    cleo = found.people[1]
    assert (cleo.cells[1].state, cleo.cells[1].predicted, cleo.cells[1].right) == ("done", "", None)
    assert (cleo.done, cleo.answered, cleo.known, cleo.right) == (1, 0, 0, 0)


def test_without_hosts_a_revealed_step_is_done_for_those_who_were_present() -> None:
    people = (
        person("Ada", {B: record(1200, 1)}),
        person("Gone", {B: record(1200, 0)}, left=1300),
        person("Late", {}, joined=1700),
    )
    found = build_report(replace(facts_of(*people, events=SESSION.events[1:3]), hosts="none"), WORKSHOP)
    assert [(one.cells[1].state, one.cells[1].seconds) for one in found.people] == [
        ("done", 300.0),
        ("run", None),
        ("done", None),
    ]


@given(sessions())
def test_totals_by_step_and_by_participant_agree(facts: SessionFacts) -> None:
    report = build_report(facts, WORKSHOP)
    assert report.joined == len(facts.participants)
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


def test_an_empty_session_has_a_report() -> None:
    empty: Any = build_report(facts_of(closed=0.0), WORKSHOP)
    assert (empty.joined, empty.took_s, empty.people, len(empty.steps)) == (0, 0.0, (), 3)
    assert {field.name for field in fields(empty)} >= {"schema", "steps", "people"}
    assert empty.created_at == START - 10


@pytest.mark.parametrize(
    ("opened", "passed", "seconds"), [(1100, 1160, 60.0), (1100, 1100, 0.0), (0, 1160, None), (1200, 1160, None)]
)
def test_the_time_of_a_step_needs_both_its_ends_in_order(opened: float, passed: float, seconds: float | None) -> None:
    found = build_report(facts_of(person("Ada", {A: record(opened, passed=passed)})), WORKSHOP)
    assert found.people[0].cells[0].seconds == seconds


def test_the_duration_of_a_session_is_from_the_first_participant_to_its_end() -> None:
    people = (person("Ada", {}, joined=START + 50), person("Bob", {}, joined=START + 20))
    assert build_report(facts_of(*people, closed=START + 100), WORKSHOP).took_s == 80.0
    assert build_report(facts_of(*people, closed=START), WORKSHOP).took_s == 0.0


def test_a_share_of_nothing_is_unknown() -> None:
    assert (share_of(0, 0), share_of(0, 2), share_of(1, 2)) == (None, 0.0, 0.5)


def test_only_the_most_frequent_failed_checks_are_listed() -> None:
    events = tuple(
        Event(1200 + number, "checked", A, f"check {number}") for number in range(7) for _ in range(number + 1)
    )
    found = step(build_report(facts_of(person("Ada", {A: record(1100)}, *events)), WORKSHOP), A)
    assert [(one.sentence, one.count, one.people) for one in found.failing] == [
        (f"check {number}", number + 1, 1) for number in (6, 5, 4, 3, 2)
    ]
    silent = (Event(1200, "checked", A, ""), Event(1300, "hint", A, "x"), Event(1400, "checked", B, "other"))
    found = step(build_report(facts_of(person("Ada", {A: record(1100)}, *silent)), WORKSHOP), A)
    assert found.failing == ()
