"""Sessions in the database: made, found, steered and closed. Every function is one short transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from django.db import IntegrityError, transaction
from django.db.models import Q

from dashboard.core.training.form import NewSession
from dashboard.core.training.join_codes import RANDOM_BYTES, code_from, digest_of
from dashboard.core.training.pacing import Pace
from dashboard.core.workshops.model import Workshop
from dashboard.models import Experiment, GroupHost, RevealedStep, SessionEvent, TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.training import hosts as group_host_store

TRIES = 8
#: What the instructor may set, and what stands in the session's history of it.
SETTINGS = {
    "step": "step",
    "gate": "gate",
    "pace": "pace",
    "locked": "locked",
    "admission_required": "doors",
    "timer_ends_at": "timer",
    "pointed_row": "pointer",
    "scores": "scores",
}
#: More than any class needs: a button that is pressed for ever fills no disk.
MOST_EVENTS = 5000


def create(owner: int, wanted: NewSession, workshop: Workshop, now: float) -> TrainingSession:
    """A new session with a code that no other session has or had."""
    first = workshop.steps[0].slug
    for attempt in range(TRIES):
        code = code_from(secrets.token_bytes(RANDOM_BYTES))
        row = TrainingSession(
            owner_id=owner,
            title=wanted.title,
            workshop=workshop.slug,
            digest=workshop.digest,
            code=code,
            code_digest=digest_of(code),
            created_at=now,
            expires_at=now + wanted.hours * 3600,
            max_participants=wanted.max_participants,
            pace=str(wanted.pace),
            step=first,
            gate=first,
            scores=wanted.scores,
            hosts=str(wanted.hosts),
            team_size=wanted.team_size,
            terminal=wanted.terminal,
            record_terminal=wanted.record_terminal,
            memory_mb=wanted.memory_mb,
            pids=wanted.pids,
            cpus=wanted.cpus,
            ttl_s=wanted.hours * 3600,
            idle_s=wanted.idle_minutes * 60,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
                SessionEvent.objects.create(session=row, at=now, kind="created", detail=workshop.slug)
        except IntegrityError:
            if attempt == TRIES - 1:
                raise
            continue
        break
    return row


def of_owner(owner: int) -> tuple[TrainingSession, ...]:
    """The sessions of an instructor, the newest first."""
    return tuple(TrainingSession.objects.filter(owner_id=owner).order_by("-created_at")[:100])


def get(session: str) -> TrainingSession | None:
    """A session, whoever asks: for what has looked already who that is."""
    return TrainingSession.objects.filter(pk=session).first()


def owned(session: str, owner: int) -> TrainingSession | None:
    """A session if it is this instructor's."""
    return TrainingSession.objects.filter(pk=session, owner_id=owner).first()


def by_code(code: str) -> TrainingSession | None:
    """The session with this code, open or not. What is looked up is the code's SHA-256."""
    return TrainingSession.objects.filter(code_digest=digest_of(code)).first()


def _tell(session: str, now: float, kind: str, detail: str) -> None:
    if SessionEvent.objects.filter(session_id=session).count() < MOST_EVENTS:
        SessionEvent.objects.create(session_id=session, at=now, kind=kind, detail=detail[:300])


def steer(session: str, owner: int, now: float, **changes: str | bool | float) -> bool:
    """Writes what the instructor sets; False if the session is not this instructor's or closed. ValueError for what
    cannot be set."""
    if unknown := changes.keys() - SETTINGS:
        raise ValueError(f"This cannot be set: {', '.join(sorted(unknown))}.")
    with transaction.atomic():
        rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            _tell(session, now, SETTINGS[name], str(value))
    return True


def go_to(session: str, owner: int, now: float, step: str) -> bool:
    """The instructor's step. A timer belongs to the step for which it was set."""
    return steer(session, owner, now, step=step, timer_ends_at=0.0)


def set_pace(session: str, owner: int, now: float, pace: Pace, gate: str) -> bool:
    """Together, or at one's own pace up to a gate."""
    return steer(session, owner, now, pace=str(pace), gate=gate)


def write_notes(session: str, owner: int, notes: str) -> bool:
    """What only the instructor reads."""
    return bool(TrainingSession.objects.filter(pk=session, owner_id=owner).update(notes=notes[:20_000]))


def show(session: str, owner: int, now: float, experiment: str) -> bool:
    """Mirrors an experiment of the instructor's, none if it is empty; False if there is no such experiment."""
    # An experiment of a command has no owner: whoever may sign in sees it. What a group of a class runs is theirs.
    theirs = Experiment.objects.filter(Q(owner_id=owner) | Q(owner_id=None), pk=experiment, host="")
    if experiment and not theirs.exists():
        return False
    with transaction.atomic():
        rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
        if not rows.update(mirror_id=experiment or None, pointed_row=""):
            return False
        _tell(session, now, "mirror", experiment)
    return True


def reveal(session: str, owner: int, now: float, step: str, truth: str = "") -> bool:
    """Shows the answer of a step to everybody. ``truth`` is what was read just now, if anything was."""
    with transaction.atomic():
        row = TrainingSession.objects.select_for_update().filter(pk=session, owner_id=owner, closed_at=0.0).first()
        if row is None:
            return False
        if RevealedStep.objects.get_or_create(session=row, step=step, defaults={"at": now})[1]:
            _tell(session, now, "revealed", step)
    if truth:
        keep_truth(row, step, truth, now)
    return True


def person_of_class(session: str) -> str:
    """Who keeps what was read for everybody, where nobody has a host."""
    return f"class:{session}"


def keep_truth(row: TrainingSession, step: str, truth: str, now: float) -> None:
    """What the kernel said when the instructor revealed a step."""
    person = person_of_class(row.id)
    workshop_store.begin(person, row.workshop, row.digest, now)
    workshop_store.update(person, row.workshop, step, lambda record: replace(record, truth=truth))


def close(session: str, owner: int, now: float) -> bool:
    """Ends a session for good; its hosts are wanted stopped. False if it is not open."""
    with transaction.atomic():
        if not TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0).update(closed_at=now):
            return False
        GroupHost.objects.filter(session_id=session).update(wanted="stopped")
        _tell(session, now, "closed", "")
    return True


def extend(session: str, owner: int, now: float, hours: int) -> bool:
    """Lets the code live on."""
    rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
    return bool(rows.update(expires_at=now + hours * 3600))


def delete(session: str, owner: int) -> bool:
    """Forgets a closed session with everything in it, also how far its people have come and what they ran."""
    row = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at__gt=0).first()
    if row is None:
        return False
    people: Sequence[str] = [f"seat:{one}" for one in row.participants.values_list("id", flat=True)]
    with transaction.atomic():
        for person in (*people, person_of_class(session)):
            workshop_store.forget(person, row.workshop)
        group_host_store.forget_works(session)
        row.delete()
    return True
