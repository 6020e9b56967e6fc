"""Queries of progress in workshops. Every function is one short transaction."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import transaction

from dashboard.core.workshops.progress import EMPTY, Event, StepRecord
from dashboard.models import WorkshopEvent, WorkshopProgress, WorkshopStep

#: The maximum number of events stored per progress, more than any needs, so that pressing a button cannot fill the
#: disk.
MAX_EVENTS = 5000
#: The fields of a step's record; the columns of its row have the same names.
_FIELDS = tuple(StepRecord.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one person in one workshop."""

    id: str
    person: str
    workshop: str
    step: str
    started_at: float
    finished_at: float
    records: Mapping[str, StepRecord]


def user_person(user_id: int) -> str:
    """The key under which the progress of a user with an account is stored."""
    return f"user:{user_id}"


def _record(row: WorkshopStep) -> StepRecord:
    try:
        noted = {str(key): str(text) for key, text in json.loads(row.noted).items()}
    except (ValueError, AttributeError):
        noted = {}
    return StepRecord(**{name: getattr(row, name) for name in _FIELDS} | {"noted": noted})


def progress_from_row(row: WorkshopProgress) -> Progress:
    """The progress that a row and its steps store."""
    records = {step.step: _record(step) for step in row.steps.all()}
    return Progress(row.id, row.person, row.workshop, row.step, row.started_at, row.finished_at, records)


def load_progress(person: str, workshop: str) -> Progress | None:
    """The person's progress in a workshop; None if they have not started it."""
    rows = WorkshopProgress.objects.prefetch_related("steps")
    row = rows.filter(person=person, workshop=workshop).first()
    return None if row is None else progress_from_row(row)


def load_all_progress(person: str) -> dict[str, Progress]:
    """The person's progress in every workshop that they have started, by workshop."""
    rows = WorkshopProgress.objects.prefetch_related("steps").filter(person=person)
    return {row.workshop: progress_from_row(row) for row in rows}


def start(person: str, workshop: str, digest: str, at: float) -> Progress:
    """Returns the person's progress in a workshop. If they have not started it, creates the progress and stores
    ``digest``, the digest of the workshop's content, with it."""
    row, created = WorkshopProgress.objects.get_or_create(
        person=person, workshop=workshop, defaults={"digest": digest, "started_at": at}
    )
    if created:
        WorkshopEvent.objects.create(progress=row, at=at, kind="started")
    return progress_from_row(row)


def delete_progress(person: str, workshop: str) -> None:
    """Deletes the person's progress in a workshop, so that they can start over."""
    WorkshopProgress.objects.filter(person=person, workshop=workshop).delete()


def update_step(
    person: str, workshop: str, step: str, decide: Callable[[StepRecord], StepRecord], *events: Event
) -> StepRecord:
    """Replaces a step's record with the result of ``decide``, which gets the old record. Also makes the step the
    current one and adds the events, all in one transaction. Returns the new record."""
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
        _add_events(progress, events)
    return after


def _save(progress: WorkshopProgress, step: str, record: StepRecord) -> None:
    noted = json.dumps({key: text[:300] for key, text in record.noted.items()})
    limited = {"truth": record.truth[:200], "failing": record.failing[:200], "noted": noted}
    values = {name: getattr(record, name) for name in _FIELDS} | limited
    WorkshopStep.objects.update_or_create(progress=progress, step=step, defaults=values)


def _add_events(progress: WorkshopProgress, events: tuple[Event, ...]) -> None:
    if events and progress.events.count() < MAX_EVENTS:
        WorkshopEvent.objects.bulk_create(
            WorkshopEvent(progress=progress, at=event.at, kind=event.kind, step=event.step, detail=event.detail[:400])
            for event in events
        )


def record_events(person: str, *events: Event) -> None:
    """Records events that change no step, in every workshop that the person has started."""
    for progress in WorkshopProgress.objects.filter(person=person):
        _add_events(progress, events)


def mark_finished(person: str, workshop: str, at: float) -> None:
    """Records that the person has done all steps, unless that is already recorded."""
    row = WorkshopProgress.objects.filter(person=person, workshop=workshop, finished_at=0.0).first()
    if row is not None:
        row.finished_at = at
        row.save(update_fields=["finished_at"])
        _add_events(row, (Event(at, "finished"),))


def load_events(person: str, workshop: str) -> tuple[Event, ...]:
    """The events of the person's progress in a workshop, oldest first."""
    rows = WorkshopEvent.objects.filter(progress__person=person, progress__workshop=workshop)
    return tuple(Event(row.at, row.kind, row.step, row.detail) for row in rows)
