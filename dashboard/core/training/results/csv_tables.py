"""A session's report for a spreadsheet: a line for each person in each step, or a line for each step.

CSV as ``core.reports.csv_tables`` writes it: no text is a formula. Times are seconds, moments ISO 8601 in UTC.
"""

from __future__ import annotations

import csv
import io

from dashboard.core.measurements.formatting import moment_of
from dashboard.core.reports.csv_tables import Cell, safe_line
from dashboard.core.training.results.model import SessionReport, StepReport

PEOPLE = (
    "person", "team", "joined_at", "left_at", "number", "step", "title", "state", "seconds", "failed_checks",
    "predicted", "truth", "right", "hints", "hands", "questions", "last_failing_check",
)  # fmt: skip
STEPS = (
    "number", "step", "title", "question", "answered", "known", "right", "share_right", "truth", "source", "opened",
    "done", "median_s", "p90_s", "failed_checks", "hints", "hands", "questions",
)  # fmt: skip


def _moment(seconds: float) -> str:
    return moment_of(seconds).isoformat(timespec="seconds") if seconds else ""


def _said(right: bool | None) -> str:
    return "" if right is None else "yes" if right else "no"


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def people_csv(report: SessionReport) -> str:
    """One line for each person and step, in the order of joining."""
    found = io.StringIO(newline="")
    writer = csv.writer(found)
    writer.writerow(PEOPLE)
    for person in report.people:
        head = (person.name, person.group, _moment(person.joined_at), _moment(person.left_at))
        for step, one in zip(report.steps, person.cells, strict=True):
            cells: tuple[Cell, ...] = (
                *head, step.number, step.slug, step.title, one.state, _seconds(one.seconds), one.attempts,
                one.predicted, one.truth, _said(one.right), one.hints, one.hands, one.questions, one.failing,
            )  # fmt: skip
            writer.writerow(safe_line(cells))
    return found.getvalue()


def _choices(step: StepReport, most: int) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for one in step.choices:
        cells += [one.text, one.count]
    return (*cells, *[None] * (2 * most - len(cells)))


def steps_csv(report: SessionReport) -> str:
    """One line for each step; behind the figures each answer with how many gave it."""
    most = max((len(one.choices) for one in report.steps), default=0)
    numbered = [name for number in range(1, most + 1) for name in (f"choice_{number}", f"count_{number}")]
    found = io.StringIO(newline="")
    writer = csv.writer(found)
    writer.writerow((*STEPS, *numbered))
    for one in report.steps:
        share = None if one.share_right is None else round(one.share_right, 4)
        cells: tuple[Cell, ...] = (
            one.number, one.slug, one.title, one.question, one.answered, one.known, one.right, share, one.truth,
            one.source, one.opened, one.done, _seconds(one.median_s), _seconds(one.p90_s), one.attempts, one.hints,
            one.hands, one.questions,
        )  # fmt: skip
        writer.writerow(safe_line((*cells, *_choices(one, most))))
    return found.getvalue()
