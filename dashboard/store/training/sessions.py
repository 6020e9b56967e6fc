"""Training sessions: creates, finds, changes, closes and deletes them. Every function is one short transaction."""

import math
import secrets
from dataclasses import asdict, replace

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.roles import Action, may
from dashboard.core.training.form import NewSession
from dashboard.core.training.host_plan import DesiredState
from dashboard.core.training.join_codes import RANDOM_BYTES, code_from, digest_of
from dashboard.core.training.pacing import Pace
from dashboard.core.workshops.model import Workshop
from dashboard.models import Experiment, GroupHost, RevealedStep, SessionEvent, TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.accounts import role_of
from dashboard.store.operations.audit import audited, creates
from dashboard.store.training import group_runs
from dashboard.store.training.participants import person_of

MAX_TRIES = 8
#: The fields that an instructor can change, each with the kind of the event that records the change.
EVENT_KINDS = {
    "step": "step",
    "gate": "gate",
    "pace": "pace",
    "locked": "locked",
    "admission_required": "doors",
    "timer_ends_at": "timer",
    "pointed_row": "pointer",
}
#: The maximum number of events stored for a session, more than any needs, so that repeated commands cannot fill the
#: disk.
MAX_EVENTS = 5000


@creates
def create(owner: int, settings: NewSession, workshop: Workshop, now: float) -> TrainingSession:
    """Creates a session with a join code that no other session has, not even a closed one."""
    fields = asdict(settings)
    hours, idle_minutes = fields.pop("hours"), fields.pop("idle_minutes")
    first = workshop.steps[0].slug
    for attempt in range(MAX_TRIES):
        code = code_from(secrets.token_bytes(RANDOM_BYTES))
        row = TrainingSession(
            **{**fields, "workshop": workshop.slug, "pace": str(settings.pace), "hosts": str(settings.hosts)},
            owner_id=owner,
            digest=workshop.digest,
            code=code,
            code_digest=digest_of(code),
            created_at=now,
            expires_at=now + hours * 3600,
            step=first,
            gate=first,
            ttl_s=hours * 3600,
            idle_s=idle_minutes * 60,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
                for kind, detail in (("created", workshop.slug), ("pace", row.pace)):
                    SessionEvent.objects.create(session=row, at=now, kind=kind, detail=detail)
        except IntegrityError:
            if attempt == MAX_TRIES - 1:
                raise
            continue
        break
    return row


def visible(user: AbstractBaseUser | AnonymousUser) -> tuple[TrainingSession, ...]:
    """The newest sessions that a user may lead, newest first, at most 100."""
    rows = TrainingSession.objects.order_by("-created_at")
    if may(role_of(user), Action.LEAD, owned=False) is not None:
        rows = rows.filter(owner_id=user.pk)
    return tuple(rows[:100])


def get(session: str) -> TrainingSession | None:
    """The session with this id, without a check of permissions; None if it does not exist."""
    return TrainingSession.objects.filter(pk=session).first()


def led_by(session: str, user: AbstractBaseUser | AnonymousUser) -> TrainingSession | None:
    """The session with this id, if the user may lead it; otherwise None. An instructor may lead their own sessions, an
    owner all."""
    row = get(session) if user.is_authenticated else None
    if row is None or may(role_of(user), Action.LEAD, owned=row.owner_id == user.pk) is not None:
        return None
    return row


def by_code(code: str) -> TrainingSession | None:
    """The session with this join code, open or not; None if no session has it. The lookup is by the code's SHA-256."""
    return TrainingSession.objects.filter(code_digest=digest_of(code)).first()


def _record(session: str, now: float, kind: str, detail: str) -> None:
    if SessionEvent.objects.filter(session_id=session).count() < MAX_EVENTS:
        SessionEvent.objects.create(session_id=session, at=now, kind=kind, detail=detail[:300])


@audited
def change(session: str, owner: int, now: float, **fields: str | bool | float) -> bool:
    """Sets fields of a session and records an event for each. Returns False if the session is not open or does not
    belong to ``owner``. Raises ValueError for a field that is not in ``EVENT_KINDS``."""
    if unknown := fields.keys() - EVENT_KINDS:
        raise ValueError(f"These fields cannot be set: {', '.join(sorted(unknown))}.")
    with transaction.atomic():
        rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
        if not rows.update(**fields):
            return False
        for name, value in fields.items():
            _record(session, now, EVENT_KINDS[name], str(value))
    return True


def go_to(session: str, owner: int, now: float, step: str) -> bool:
    """Sets the instructor's current step and ends the timer. Returns False if the session is not open or does not
    belong to ``owner``."""
    return change(session, owner, now, step=step, timer_ends_at=0.0)


def set_pace(session: str, owner: int, now: float, pace: Pace, gate: str) -> bool:
    """Sets the pace and the gate, the last step that is open. Returns False if the session is not open or does not
    belong to ``owner``."""
    return change(session, owner, now, pace=str(pace), gate=gate)


@audited
def write_notes(session: str, owner: int, notes: str) -> bool:
    """Stores the instructor's private notes. Returns False if the session does not belong to ``owner``."""
    return bool(TrainingSession.objects.filter(pk=session, owner_id=owner).update(notes=notes[:20_000]))


def showable(owner: int) -> QuerySet[Experiment]:
    """A query for the experiments that may be shown to all participants of a session that belongs to ``owner``: those
    of this account, and those without an owner, which a command started. Omits removed experiments and those of
    groups."""
    rows = Experiment.objects.filter(Q(owner_id=owner) | Q(owner_id=None), group="")
    return rows.exclude(wanted=Wanted.REMOVED)


@audited
def mirror(session: str, owner: int, now: float, experiment: str) -> bool:
    """Shows an experiment to all participants, or none if ``experiment`` is empty. Returns False if the instructor may
    not show the experiment, or the session is not open."""
    if experiment and not showable(owner).filter(pk=experiment).exists():
        return False
    with transaction.atomic():
        rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
        if not rows.update(mirror_id=experiment or None, pointed_row=""):
            return False
        _record(session, now, "mirror", experiment)
    return True


@audited
def reveal(session: str, owner: int, now: float, step: str, truth: str = "") -> bool:
    """Reveals the answer of a step to all participants. ``truth`` is the answer that was just read from the kernel,
    empty if none was read. Returns False if the session is not open or does not belong to ``owner``."""
    with transaction.atomic():
        row = TrainingSession.objects.select_for_update().filter(pk=session, owner_id=owner, closed_at=0.0).first()
        if row is None:
            return False
        if RevealedStep.objects.get_or_create(session=row, step=step, defaults={"at": now})[1]:
            _record(session, now, "revealed", step)
    if truth:
        store_truth(row, step, truth, now)
    return True


def person_of_session(session: str) -> str:
    """The key under which the session's own workshop progress is stored. This progress belongs to no participant. It
    contains the true answers that are read from the kernel when the instructor reveals steps."""
    return f"class:{session}"


def store_truth(row: TrainingSession, step: str, truth: str, now: float) -> None:
    """Stores the answer that was read from the kernel when the instructor revealed a step."""
    person = person_of_session(row.id)
    workshop_store.start(person, row.workshop, row.digest, now)
    workshop_store.update_step(person, row.workshop, step, lambda record: replace(record, truth=truth))


@audited
def close(session: str, owner: int, now: float) -> bool:
    """Closes a session permanently. Its timer ends and its private hosts stop. Returns False if the session is not
    open or does not belong to ``owner``."""
    with transaction.atomic():
        rows = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at=0.0)
        if not rows.update(closed_at=now, timer_ends_at=0.0):
            return False
        GroupHost.objects.filter(session_id=session).update(wanted=str(DesiredState.STOPPED))
        _record(session, now, "closed", "")
    return True


@audited
def extend(session: str, owner: int, now: float, hours: int) -> bool:
    """Adds ``hours`` hours to the end of an open session, or to ``now`` if it has expired. Hosts may run until the new
    end, also those that run already. Returns False if the session is not open or does not belong to ``owner``."""
    with transaction.atomic():
        row = TrainingSession.objects.select_for_update().filter(pk=session, owner_id=owner, closed_at=0.0).first()
        if row is None:
            return False
        row.expires_at = max(row.expires_at, now) + hours * 3600
        length = row.expires_at - row.created_at
        row.ttl_s = max(row.ttl_s, math.ceil(length))  # no host started before the session was created
        row.save(update_fields=["expires_at", "ttl_s"])
    return True


@audited
def delete(session: str, owner: int) -> bool:
    """Deletes a closed session with its participants, their progress and everything that its groups ran. Returns False
    if it is not closed or does not belong to ``owner``."""
    row = TrainingSession.objects.filter(pk=session, owner_id=owner, closed_at__gt=0).first()
    if row is None:
        return False
    people = [person_of(participant) for participant in row.participants.values_list("id", flat=True)]
    with transaction.atomic():
        for person in (*people, person_of_session(session)):
            workshop_store.delete_progress(person, row.workshop)
        group_runs.delete_runs(session)
        row.delete()
    return True
