"""How far somebody has come, in the database. Every function is one short transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction

from dashboard.core.workshops.progress import EMPTY, StepRecord
from dashboard.models import WorkshopEvent, WorkshopProgress, WorkshopStep

#: More than any workshop needs: a button that is pressed for ever fills no disk.
MOST_EVENTS = 5000


@dataclass(frozen=True, slots=True)
class Walk:
    """One person in one workshop."""

    id: str
    person: str
    workshop: str
    step: str
    started_at: float
    finished_at: float
    records: Mapping[str, StepRecord]


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody did."""

    at: float
    kind: str
    step: str = ""
    detail: str = ""


def person_of(user_id: int) -> str:
    """Somebody with an account."""
    return f"user:{user_id}"


def _record(row: WorkshopStep) -> StepRecord:
    try:
        noted = {str(key): str(text) for key, text in json.loads(row.noted).items()}
    except (ValueError, AttributeError):
        noted = {}
    return StepRecord(
        opened_at=row.opened_at,
        prediction=row.prediction,
        predicted_at=row.predicted_at,
        truth=row.truth,
        attempts=row.attempts,
        unmet=row.unmet,
        noted=noted,
        failing=row.failing,
        hints=row.hints,
        passed_at=row.passed_at,
    )


def walk_from(row: WorkshopProgress) -> Walk:
    """A row with its steps, as a value."""
    records = {one.step: _record(one) for one in row.steps.all()}
    return Walk(row.id, row.person, row.workshop, row.step, row.started_at, row.finished_at, records)


def walk_of(person: str, workshop: str) -> Walk | None:
    """How far the person has come; None who has not begun."""
    rows = WorkshopProgress.objects.prefetch_related("steps")
    row = rows.filter(person=person, workshop=workshop).first()
    return None if row is None else walk_from(row)


def walks_of(person: str) -> dict[str, Walk]:
    """Every workshop that the person has begun."""
    rows = WorkshopProgress.objects.prefetch_related("steps").filter(person=person)
    return {row.workshop: walk_from(row) for row in rows}


def begin(person: str, workshop: str, digest: str, at: float) -> Walk:
    """Begins, or goes on where it was begun."""
    row, made = WorkshopProgress.objects.get_or_create(
        person=person, workshop=workshop, defaults={"digest": digest, "started_at": at}
    )
    if made:
        WorkshopEvent.objects.create(progress=row, at=at, kind="started")
    return walk_from(row)


def forget(person: str, workshop: str) -> None:
    """Begins anew: everything that is known of it is removed."""
    WorkshopProgress.objects.filter(person=person, workshop=workshop).delete()


def update(
    person: str, workshop: str, step: str, decide: Callable[[StepRecord], StepRecord], *events: Event
) -> StepRecord:
    """Reads a step, lets ``decide`` say what it becomes, and writes it, in one transaction with the events."""
    with transaction.atomic():
        progress = WorkshopProgress.objects.select_for_update().get(person=person, workshop=workshop)
        row = WorkshopStep.objects.filter(progress=progress, step=step).first()
        before = _record(row) if row is not None else EMPTY
        after = decide(before)
        if after != before:
            _save(progress, step, after)
        if progress.step != step:
            progress.step = step
            progress.save(update_fields=["step"])
        _tell(progress, events)
    return after


def _save(progress: WorkshopProgress, step: str, record: StepRecord) -> None:
    WorkshopStep.objects.update_or_create(
        progress=progress,
        step=step,
        defaults={
            "opened_at": record.opened_at,
            "prediction": record.prediction,
            "predicted_at": record.predicted_at,
            "truth": record.truth[:200],
            "attempts": record.attempts,
            "unmet": record.unmet,
            "noted": json.dumps({key: text[:300] for key, text in record.noted.items()}),
            "failing": record.failing[:200],
            "hints": record.hints,
            "passed_at": record.passed_at,
        },
    )


def _tell(progress: WorkshopProgress, events: tuple[Event, ...]) -> None:
    if events and progress.events.count() < MOST_EVENTS:
        WorkshopEvent.objects.bulk_create(
            WorkshopEvent(progress=progress, at=one.at, kind=one.kind, step=one.step, detail=one.detail[:400])
            for one in events
        )


def tell(person: str, *events: Event) -> None:
    """Notes what somebody did who does not work on a step."""
    for progress in WorkshopProgress.objects.filter(person=person):
        _tell(progress, events)


def finish(person: str, workshop: str, at: float) -> None:
    """All steps are done."""
    row = WorkshopProgress.objects.filter(person=person, workshop=workshop, finished_at=0.0).first()
    if row is not None:
        row.finished_at = at
        row.save(update_fields=["finished_at"])
        _tell(row, (Event(at, "finished"),))


def events(person: str, workshop: str) -> tuple[Event, ...]:
    """What happened, in order."""
    rows = WorkshopEvent.objects.filter(progress__person=person, progress__workshop=workshop)
    return tuple(Event(row.at, row.kind, row.step, row.detail) for row in rows)
