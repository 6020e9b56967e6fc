"""Participants in the database: who has joined, by which token, on which device."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction

from dashboard.core.training.join_codes import digest_of
from dashboard.core.training.session import Door, door, group_for
from dashboard.models import Participant, TrainingSession, WorkshopEvent, WorkshopProgress
from dashboard.store import workshops as workshop_store
from dashboard.store.workshops import Event
from dashboard.store.write_lock import writing

TOKEN_BYTES = 16
TOKEN_LENGTH = 22  # characters of 16 bytes in URL-safe base64
#: So often it is written down that somebody is away or back.
PRESENCE_MOST = 500


class JoinRefusedError(Exception):
    """Somebody does not get a participant; ``str()`` is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class ParticipantRef:
    """Who asks: one participant of one session. ``admitted``: not waiting at the door."""

    id: str
    session: str
    name: str
    group: int
    admitted: bool

    @property
    def person(self) -> str:
        """As the workshop engine calls them."""
        return person_of(self.id)


def person_of(participant: str) -> str:
    """A participant, as the workshop engine calls whoever takes part."""
    return f"seat:{participant}"


def _ref(row: Participant) -> ParticipantRef:
    return ParticipantRef(row.id, row.session_id, row.name, row.group, bool(row.admitted_at))


REFUSALS = {
    Door.CLOSED: "This session is over: its instructor has closed it.",
    Door.EXPIRED: "This code has expired. Ask your instructor for the way in.",
}


def join(session: str, name: str, now: float) -> tuple[ParticipantRef, str]:
    """A new participant and its token, which is kept nowhere. JoinRefusedError if there is none.

    Who comes after the doors were shut waits until the instructor admits.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with writing():
        row = TrainingSession.objects.select_for_update().filter(pk=session).first()
        stands = Door.CLOSED if row is None else door(row.closed_at, row.expires_at, now, shut=row.admission_required)
        if row is None or stands in REFUSALS:
            raise JoinRefusedError(REFUSALS[stands])
        taken = list(row.participants.values_list("name", "group", "removed_at"))
        here = [group for _, group, removed_at in taken if not removed_at]
        if len(here) >= row.max_participants:
            raise JoinRefusedError(f"All {row.max_participants} participants are taken. Tell your instructor.")
        if any(name.casefold() == other.casefold() for other, _, _ in taken):
            raise JoinRefusedError(
                f"Somebody is called “{name}” already: choose another name. If that is you, your own link or your "
                "instructor brings you back to your participant."
            )
        participant = Participant.objects.create(
            session=row,
            name=name,
            token_digest=digest_of(token),
            group=group_for(here, row.team_size),
            joined_at=now,
            seen_at=now,
            admitted_at=0.0 if stands is Door.SHUT else now,
        )
        workshop_store.begin(person_of(participant.id), row.workshop, row.digest, now)
    return _ref(participant), token


def by_token(session: str, token: str) -> ParticipantRef | None:
    """Whose token it is, in this session alone; None for one that opens nothing (any more)."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Participant.objects.filter(session_id=session, token_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def get(session: str, participant: str) -> Participant | None:
    """A participant of a session."""
    return Participant.objects.filter(session_id=session, pk=participant).first()


def rename(session: str, participant: str, name: str) -> None:
    """Gives somebody another name. JoinRefusedError if somebody else has it."""
    with transaction.atomic():
        others = Participant.objects.filter(session_id=session).exclude(pk=participant).values_list("name", flat=True)
        if any(name.casefold() == other.casefold() for other in others):
            raise JoinRefusedError(f"Somebody is called “{name}” already.")
        Participant.objects.filter(session_id=session, pk=participant).update(name=name)


def remove(session: str, participant: str, now: float) -> bool:
    """Takes somebody's participant away: neither token nor link opens anything any more. What was answered stays."""
    rows = Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0)
    return bool(rows.update(removed_at=now, resume_digest="", results_digest="", hand_raised_at=0.0))


def admit(session: str, participant: str, now: float) -> bool:
    """Lets in who waits at the door."""
    return bool(Participant.objects.filter(session_id=session, pk=participant, admitted_at=0.0).update(admitted_at=now))


def admit_all(session: str, now: float) -> tuple[str, ...]:
    """Lets in everybody who waits; who that was."""
    with transaction.atomic():
        waiting = Participant.objects.filter(session_id=session, admitted_at=0.0, removed_at=0.0)
        found = tuple(waiting.values_list("id", flat=True))
        waiting.update(admitted_at=now)
    return found


def make_link(session: str, participant: str) -> str | None:
    """The token of a link to this participant, said once; the one before is void. None if there is no such participant."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    rows = Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0)
    return token if rows.update(resume_digest=digest_of(token)) else None


def by_link(token: str) -> ParticipantRef | None:
    """Whose link it is, without using it."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Participant.objects.filter(resume_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def resume(link: str, now: float) -> tuple[ParticipantRef, str] | None:
    """Moves a participant to the device that has its link: a new token, and neither the old one nor the link opens anything
    from now on. None if the link opens nothing."""
    if len(link) != TOKEN_LENGTH:
        return None
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        rows = Participant.objects.select_for_update().filter(resume_digest=digest_of(link), removed_at=0.0)
        row = rows.first()
        if row is None:
            return None
        row.resume_digest, row.token_digest, row.seen_at = "", digest_of(token), now
        row.save(update_fields=["resume_digest", "token_digest", "seen_at"])
    return _ref(row), token


def make_results_link(session: str, participant: str) -> str | None:
    """The token of a link to this participant's own results, said once; the one before is void. None if there is no such
    participant."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    rows = Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0).exclude(admitted_at=0.0)
    return token if rows.update(results_digest=digest_of(token)) else None


def by_results_link(token: str) -> ParticipantRef | None:
    """Whose results a link shows. It keeps working, also after the session, until the session is forgotten."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Participant.objects.filter(results_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def raise_hand(session: str, participant: str, now: float, *, up: bool, step: str = "") -> None:
    """Asks for help (in a step), or does not any more. A hand that is up stays up since when it was raised."""
    rows = Participant.objects.filter(session_id=session, pk=participant)
    with transaction.atomic():
        if up and rows.filter(hand_raised_at=0.0).update(hand_raised_at=now):
            workshop_store.tell(person_of(participant), Event(now, "hand", step))
        elif not up and rows.exclude(hand_raised_at=0.0).update(hand_raised_at=0.0):
            workshop_store.tell(person_of(participant), Event(now, "lowered", step))


def seen(session: str, participants: set[str], now: float) -> None:
    """These were there just now."""
    with writing():
        Participant.objects.filter(session_id=session, pk__in=participants).update(seen_at=now)


def note_presence(session: str, came: Collection[str], left: Mapping[str, float], now: float) -> None:
    """Writes down since when some are away, and that others are back. Who was never away is not back."""
    there = Participant.objects.filter(
        session_id=session, session__closed_at=0.0, removed_at=0.0, pk__in={*came, *left}
    )
    people = {person_of(one): one for one in there.values_list("id", flat=True)}
    walks = dict(WorkshopProgress.objects.filter(person__in=people).values_list("pk", "person"))
    noted: dict[str, list[str]] = {}
    before = WorkshopEvent.objects.filter(progress__in=walks, kind__in=("away", "back")).order_by("pk")
    for walk, kind in before.values_list("progress_id", "kind"):
        noted.setdefault(walk, []).append(kind)
    found = []
    for walk, person in walks.items():
        participant, kinds = people[person], noted.get(walk, [])
        away = bool(kinds) and kinds[-1] == "away"
        if len(kinds) < PRESENCE_MOST and away is (participant not in left):
            kind, at = ("away", left[participant]) if participant in left else ("back", now)
            found.append(WorkshopEvent(progress_id=walk, at=at, kind=kind))
    if found:
        with writing():
            WorkshopEvent.objects.bulk_create(found)
