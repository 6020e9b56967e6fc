"""Makes the report of a session anonymous: it contains no participant, and no figure that identifies one.

Even a reader who knows the participants must not learn what any of them answered. So every count is rounded
independently to the nearest multiple of 5: 0 means 0 to 2, 5 means 3 to 7. The report does not show whether *all* gave
the same answer or one did not. Shares are shown only for at least 23 participants, averages for at least 8 (HESA,
"Rounding and suppression to anonymise statistics"). A value that was read from a kernel may be an address, so it is
left out unless it is one of the workshop's answers. Times are reduced to the day.
"""

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
from dashboard.core.workshops.progress import StepStage

BASE = 5
MIN_FOR_SHARES = 23
MIN_FOR_AVERAGES = 8
NO_CHOICE = "none of these answers"
DAY_S = 86_400.0
#: The figures of a revealed step that everybody has seen, or can compute from what was shown.
REVEALED = ("choices", "answered", "known", "right", "share_right", "truth", "evidence")
STEP_TIME_S = 10.0
SESSION_TIME_S = 300.0


def rounded(count: int | None) -> int:
    """Rounds to the nearest multiple of ``BASE``; None counts as 0."""
    return BASE * (((count or 0) + BASE // 2) // BASE)


def _nearest(seconds: float | None, step: float) -> float | None:
    return None if seconds is None else step * round(seconds / step)


def _share(part: int | None, whole: int | None) -> float | None:
    """Returns the share of ``part`` in ``whole``, from 0 to 1. It is computed from the rounded numbers, so it reveals
    no more than these. None if ``whole`` is below ``MIN_FOR_SHARES``."""
    if (whole or 0) < MIN_FOR_SHARES:
        return None
    share = share_of(rounded(part), rounded(whole))
    return None if share is None else min(1.0, share)


def _evidence(evidence: Evidence) -> Evidence:
    words = evidence.words or NO_CHOICE
    return Evidence(words, words, rounded(evidence.looks))


def _step(step: StepReport) -> StepReport:
    is_a_choice = any(choice.right for choice in step.choices)
    return replace(
        step,
        choices=tuple(
            ChoiceReport(choice.text, rounded(choice.count), _share(choice.count, step.answered), choice.right)
            for choice in step.choices
        ),
        answered=rounded(step.answered),
        known=rounded(step.known),
        right=rounded(step.right),
        share_right=_share(step.right, step.known),
        truth=step.truth if is_a_choice or not step.truth else NO_CHOICE,
        evidence=tuple(shown for shown in map(_evidence, step.evidence) if shown.looks),
        revealed_at=0.0,
        opened=rounded(step.opened),
        done=rounded(step.done),
        median_s=_nearest(step.median_s, STEP_TIME_S) if (step.done or 0) >= MIN_FOR_AVERAGES else None,
        p90_s=_nearest(step.p90_s, STEP_TIME_S) if (step.done or 0) >= MIN_FOR_SHARES else None,
        attempts=rounded(step.attempts),
        failing=tuple(
            FailingCheck(check.sentence, rounded(check.count), rounded(check.people))
            for check in step.failing
            if rounded(check.people)
        ),
        hints=rounded(step.hints),
        hands=rounded(step.hands),
        questions=rounded(step.questions),
    )


def anonymous(report: SessionReport) -> SessionReport:
    """Returns the anonymous report. It is meant for closed sessions only: in an open one, a figure that changes would
    reveal who has just answered."""
    return replace(
        report,
        id="",
        created_at=report.created_at // DAY_S * DAY_S,
        closed_at=report.closed_at // DAY_S * DAY_S,
        took_s=_nearest(report.took_s, SESSION_TIME_S) or 0.0,
        joined=rounded(report.joined),
        steps=tuple(map(_step, report.steps)),
        people=(),
        anonymous=True,
    )


def _unrevealed(step: StepReport) -> StepReport:
    """Returns a copy of the step without the correct answer and without the counts of the answers. The question
    remains."""
    choices = tuple(ChoiceReport(choice.text, None, None, None) for choice in step.choices)
    return replace(
        step, choices=choices, known=None, right=None, share_right=None, truth="", source="", evidence=(), failing=()
    )


def _own_cell(cell: CellReport, revealed: Collection[str]) -> CellReport:
    known = cell.state == StepStage.DONE or cell.step in revealed
    return cell if known else replace(cell, truth="", right=None)


def report_for_participant(report: SessionReport, participant: str, revealed: Collection[str]) -> SessionReport:
    """Returns the report that a participant may see. ``revealed`` are the steps whose answers the instructor has
    revealed.

    Everything about the participant is included. The figures about all participants are rounded, except those about
    answers (``REVEALED``) to steps in ``revealed``.

    While the session is open, steps that are not revealed show neither the correct answer nor which answers were given.
    The participant's own results show the correct answer only in steps that are done or revealed.
    """
    rounding = anonymous(report)
    over = bool(report.closed_at)
    visible = {step.slug for step in report.steps} if over else set(revealed)
    steps = []
    for exact, rounded_step in zip(report.steps, rounding.steps, strict=True):
        if exact.slug in revealed:
            steps.append(replace(rounded_step, **{name: getattr(exact, name) for name in REVEALED}))
        else:
            steps.append(rounded_step if over else _unrevealed(rounded_step))
    own = tuple(
        replace(
            person,
            cells=(cells := tuple(_own_cell(cell, visible) for cell in person.cells)),
            known=sum(cell.right is not None for cell in cells),
            right=sum(bool(cell.right) for cell in cells),
        )
        for person in report.people
        if person.seat == participant
    )
    return replace(report, id="", joined=rounding.joined, steps=tuple(steps), people=own)
