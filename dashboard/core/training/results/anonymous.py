"""What of a class may be told to others: no person is in it, and no figure leads back to one.

Whoever knows who was there must not learn from the report what one of them answered. So every count is rounded to the
nearest multiple of 5, each by itself: 0 means none to 2, 5 means 3 to 7, and nobody can tell whether *all* answered the
same, or one did otherwise. Shares are told from 23 people on, averages from 8 on (HESA, "Rounding and suppression to
anonymise statistics"). What was read and is no answer of the workshop may be an address: it is not told. Moments become
a day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from dashboard.core.training.results.model import (
    CellReport,
    ChoiceReport,
    Evidence,
    FailingCheck,
    SessionReport,
    StepReport,
)
from dashboard.core.training.results.report import share_of
from dashboard.core.workshops.progress import Stage

BASE = 5
SHARES_FROM = 23
AVERAGES_FROM = 8
NO_CHOICE = "none of these answers"
DAY_S = 86_400.0
TIMES_S = 10.0
LENGTHS_S = 300.0


def rounded(count: int | None) -> int:
    """The nearest multiple of ``BASE``."""
    return BASE * (((count or 0) + BASE // 2) // BASE)


def _nearest(seconds: float | None, step: float) -> float | None:
    return None if seconds is None else step * round(seconds / step)


def _share(part: int | None, whole: int | None) -> float | None:
    """From the rounded figures, so that it tells nothing that they do not."""
    if (whole or 0) < SHARES_FROM:
        return None
    share = share_of(rounded(part), rounded(whole))
    return None if share is None else min(1.0, share)


def _evidence(one: Evidence) -> Evidence:
    words = one.words or NO_CHOICE
    return Evidence(words, words, rounded(one.looks))


def _step(step: StepReport) -> StepReport:
    said_by_choice = any(one.right for one in step.choices)
    evidence = (_evidence(one) for one in step.evidence)
    return replace(
        step,
        choices=tuple(
            ChoiceReport(one.text, rounded(one.count), _share(one.count, step.answered), one.right)
            for one in step.choices
        ),
        answered=rounded(step.answered),
        known=rounded(step.known),
        right=rounded(step.right),
        share_right=_share(step.right, step.known),
        truth=step.truth if said_by_choice or not step.truth else NO_CHOICE,
        evidence=tuple(one for one in evidence if one.looks),
        revealed_at=0.0,
        opened=rounded(step.opened),
        done=rounded(step.done),
        median_s=_nearest(step.median_s, TIMES_S) if (step.done or 0) >= AVERAGES_FROM else None,
        p90_s=_nearest(step.p90_s, TIMES_S) if (step.done or 0) >= SHARES_FROM else None,
        attempts=rounded(step.attempts),
        failing=tuple(
            FailingCheck(one.sentence, rounded(one.count), rounded(one.people))
            for one in step.failing
            if rounded(one.people)
        ),
        hints=rounded(step.hints),
        hands=rounded(step.hands),
        questions=rounded(step.questions),
    )


def anonymous(report: SessionReport) -> SessionReport:
    """The report without anybody. Told of a closed session only: figures that still move tell who moved them."""
    return replace(
        report,
        id="",
        created_at=report.created_at // DAY_S * DAY_S,
        closed_at=report.closed_at // DAY_S * DAY_S,
        took_s=_nearest(report.took_s, LENGTHS_S) or 0.0,
        joined=rounded(report.joined),
        steps=tuple(_step(one) for one in report.steps),
        people=(),
        anonymous=True,
    )


def _untold(step: StepReport) -> StepReport:
    """A step whose answer was not shown: the question, and nothing of what is true or was answered."""
    choices = tuple(ChoiceReport(one.text, None, None, None) for one in step.choices)
    return replace(
        step, choices=choices, known=None, right=None, share_right=None, truth="", source="", evidence=(), failing=()
    )


def _own(cell: CellReport, shown: Collection[str]) -> CellReport:
    known = cell.state == Stage.DONE or cell.step in shown
    return cell if known else replace(cell, truth="", right=None)


def report_for_participant(report: SessionReport, participant: str, revealed: Collection[str]) -> SessionReport:
    """What one of the class may know: of themselves everything; of the others what was shown to all, and for the rest
    the rounded figures. As long as the session goes on nothing is told of a step that is not ``revealed``."""
    rounding = anonymous(report)
    over = bool(report.closed_at)
    shown = {one.slug for one in report.steps} if over else set(revealed)
    steps = []
    for exact, one in zip(report.steps, rounding.steps, strict=True):
        if exact.slug in revealed:
            told = (exact.choices, exact.answered, exact.truth, exact.evidence)
            choices, answered, truth, evidence = told
            steps.append(replace(one, choices=choices, answered=answered, truth=truth, evidence=evidence))
        else:
            steps.append(one if over else _untold(one))
    own = tuple(
        replace(
            one,
            cells=(cells := tuple(_own(cell, shown) for cell in one.cells)),
            known=sum(1 for cell in cells if cell.right is not None),
            right=sum(1 for cell in cells if cell.right),
        )
        for one in report.people
        if one.seat == participant
    )
    return replace(report, id="", joined=rounding.joined, steps=tuple(steps), people=own)
