"""Anonymous results of a session: they contain no participants, and no figure identifies one."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given

from dashboard.core.experiments.messages import encode
from dashboard.core.training.results.anonymous import (
    BASE,
    DAY_S,
    NO_CHOICE,
    SESSION_TIME_S,
    anonymous,
    report_for_participant,
    rounded,
)
from dashboard.core.training.results.facts import SessionFacts
from dashboard.core.training.results.model import SessionReport, StepReport
from dashboard.core.training.results.report import build_report
from tests.core.training_builders import END, SESSION, B, C, facts_of, person, record, sessions
from tests.core.workshops.test_progress import WORKSHOP

REPORT = build_report(SESSION, WORKSHOP)


def step(report: SessionReport, slug: str) -> StepReport:
    return next(one for one in report.steps if one.slug == slug)


def _figures(value: object) -> list[int]:
    if isinstance(value, dict):
        return [one for key, inner in value.items() if key not in {"number", "team_size"} for one in _figures(inner)]
    if isinstance(value, tuple | list):
        return [one for inner in value for one in _figures(inner)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


@given(sessions())
def test_an_anonymous_report_has_no_participants_and_no_exact_counts(facts: SessionFacts) -> None:
    told = anonymous(build_report(facts, WORKSHOP))
    text = encode(told).decode()
    for one in facts.participants:
        assert f'"{one.name}"' not in text
        assert one.id not in text
    assert facts.id not in text.replace("session", "")
    assert '"odd"' not in text, "what was read and is no answer may be an address"
    assert all(figure % BASE == 0 for figure in _figures(asdict(told)))
    assert told.people == ()


def test_the_report_does_not_reveal_whether_all_gave_the_same_answer() -> None:
    """Published figures do not change with one person's answer, unless the count is at a rounding boundary; and no
    figure proves that all or none gave the same answer."""
    for size in range(1, 40):
        for true in range(size + 1):
            shown, whole = rounded(true), rounded(size)
            could_be = [n for n in range(size + 4) if rounded(n) == shown]
            sizes = [n for n in range(size + 4) if rounded(n) == whole]
            assert len(could_be) >= 3, "at least three counts look like this one"
            assert len(sizes) >= 3


def test_shares_need_many_participants_and_averages_several() -> None:
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


def test_a_reading_that_matches_no_choice_is_omitted() -> None:
    people = [person(f"N{n}", {C: record(1100, 0, 1190, truth="198.51.100.7")}) for n in range(9)]
    exact = build_report(facts_of(*people), WORKSHOP)
    assert step(exact, C).truth == "198.51.100.7"
    told = step(anonymous(exact), C)
    assert (told.truth, [one.words for one in told.evidence]) == (NO_CHOICE, [NO_CHOICE])


def test_a_participant_sees_everything_about_themselves_and_only_revealed_steps_of_the_others() -> None:
    going = build_report(replace(SESSION, closed_at=0.0), WORKSHOP)
    told = report_for_participant(going, "participant-of-Ada", [B])
    assert [one.name for one in told.people] == ["Ada"]
    assert [one.count for one in step(told, B).choices] == [1, 2], "as shown to everyone"
    assert [one.count for one in step(told, C).choices] == [None, None]
    assert (step(told, C).truth, step(told, C).evidence) == ("", ())
    assert told.people[0].cells[2].right is True, "she is done with it"
    bob = report_for_participant(going, "participant-of-Bob", [B]).people[0]
    assert (bob.cells[2].truth, bob.cells[2].right, bob.known) == ("", None, 1)
    over = report_for_participant(REPORT, "participant-of-Bob", [B])
    assert (over.people[0].cells[2].right, step(over, C).truth) == (False, "its own")
    assert [one.count for one in step(over, C).choices] == [0, 0], "rounded: it was not shown to all"
    for name in ("Ada", "Cleo", "Dan", "participant-of-Ada", "s1"):
        assert name not in encode(over).decode().replace("session", "")
    assert report_for_participant(REPORT, "nobody", []).people == ()


@pytest.mark.parametrize("closed", [0.0, END])
def test_a_participant_sees_the_exact_answers_to_a_revealed_step_and_rounded_figures_of_all_else(closed: float) -> None:
    told = report_for_participant(build_report(replace(SESSION, closed_at=closed), WORKSHOP), "participant-of-Ada", [B])
    two = step(told, B)
    assert (two.answered, two.known, two.right, two.share_right) == (3, 3, 2, 2 / 3)
    assert (two.opened, two.done) == (5, 0)
    three = step(told, C)
    assert (three.known, three.right, three.share_right) == ((0, 0, None) if closed else (None, None, None))


def test_an_empty_session_has_an_anonymous_report() -> None:
    assert anonymous(build_report(facts_of(closed=0.0), WORKSHOP)).joined == 0


def test_times_of_a_session_are_rounded_to_days_and_minutes() -> None:
    told = anonymous(REPORT)
    assert (told.created_at % DAY_S, told.closed_at % DAY_S) == (0, 0)
    assert abs(REPORT.took_s - told.took_s) <= SESSION_TIME_S / 2
    assert told.took_s > 0
    assert told.took_s % SESSION_TIME_S == 0
    assert (told.id, told.people, told.anonymous) == ("", (), True)
