"""Writes CSV tables of a session's report: one line per participant and step, or one line per step.

Spreadsheets evaluate no cell as a formula (``core.reports.csv_tables``). Durations are in seconds, times are ISO 8601
in UTC.
"""

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


def _time(seconds: float) -> str:
    return moment_of(seconds).isoformat(timespec="seconds") if seconds else ""


def _yes_no(right: bool | None) -> str:
    return "" if right is None else "yes" if right else "no"


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def people_csv(report: SessionReport) -> str:
    """Returns CSV with one line per participant and step, with participants in the order of joining."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(PEOPLE)
    for person in report.people:
        head = (person.name, person.group, _time(person.joined_at), _time(person.left_at))
        for step, cell in zip(report.steps, person.cells, strict=True):
            cells: tuple[Cell, ...] = (
                *head, step.number, step.slug, step.title, cell.state, _seconds(cell.seconds), cell.attempts,
                cell.predicted, cell.truth, _yes_no(cell.right), cell.hints, cell.hands, cell.questions, cell.failing,
            )  # fmt: skip
            writer.writerow(safe_line(cells))
    return table.getvalue()


def _choices(step: StepReport, columns: int) -> tuple[Cell, ...]:
    cells: list[Cell] = [cell for choice in step.choices for cell in (choice.text, choice.count)]
    return (*cells, *[None] * (2 * columns - len(cells)))


def steps_csv(report: SessionReport) -> str:
    """Returns CSV with one line per step: its figures, then each answer and how many participants gave it."""
    columns = max((len(step.choices) for step in report.steps), default=0)
    numbered = [name for number in range(1, columns + 1) for name in (f"choice_{number}", f"count_{number}")]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow((*STEPS, *numbered))
    for step in report.steps:
        share = None if step.share_right is None else round(step.share_right, 4)
        cells: tuple[Cell, ...] = (
            step.number, step.slug, step.title, step.question, step.answered, step.known, step.right, share,
            step.truth, step.source, step.opened, step.done, _seconds(step.median_s), _seconds(step.p90_s),
            step.attempts, step.hints, step.hands, step.questions,
        )  # fmt: skip
        writer.writerow(safe_line((*cells, *_choices(step, columns))))
    return table.getvalue()
