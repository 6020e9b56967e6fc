"""Versions of a training session: values that change whenever its browsers must receive something new. Comparing them
shows whether a notification was lost."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max

from dashboard.models import Answer, Message, Participant, RevealedStep, TrainingSession, WorkshopEvent

FIELDS = (
    "title", "step", "pace", "gate", "locked", "admission_required", "timer_ends_at", "closed_at", "mirror_id",
    "pointed_row", "expires_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionVersion:
    """The version of a session: values that are only compared with earlier ones. ``shared`` changes with the state that
    all participants see. ``participants`` maps the id of each participant to a value that changes with the
    participant's own state and messages. ``tokens`` maps the same ids to the digests of the participants' tokens."""

    shared: object = None
    participants: dict[str, object] | None = None
    tokens: dict[str, str] | None = None


def version_of(session: str) -> SessionVersion:
    """The current version of a session. Its fields are None if the session does not exist."""
    row = TrainingSession.objects.filter(pk=session).values_list("workshop", *FIELDS).first()
    if row is None:
        return SessionVersion()
    messages = dict(
        Message.objects.filter(session_id=session).values_list("participant").annotate(Max("pk")).order_by()
    )
    to_all = messages.pop(None, 0)
    participants: dict[str, object] = {}
    tokens: dict[str, str] = {}
    for key, token, *fields in (
        Participant.objects.filter(session_id=session)
        .order_by("pk")
        .values_list("pk", "token_digest", "name", "admitted_at", "hand_raised_at", "removed_at", "group")
    ):
        participants[key], tokens[key] = (fields, messages.get(key, 0), to_all), token
    newest = (
        RevealedStep.objects.filter(session_id=session).aggregate(Max("pk")),
        Answer.objects.filter(session_id=session).aggregate(Max("pk")),
        WorkshopEvent.objects.filter(progress__workshop=row[0]).aggregate(Max("pk")),
    )
    return SessionVersion((row, participants, newest), participants, tokens)


def mirrors_of(sessions: Iterable[str]) -> dict[str, str]:
    """The id of the experiment that each of these sessions shows to all participants, by session id. Sessions that show
    no experiment, and those that are closed, are omitted."""
    rows = TrainingSession.objects.filter(pk__in=sessions, closed_at=0.0, mirror__isnull=False)
    return dict(rows.values_list("pk", "mirror_id"))
