"""Participants of training sessions: joining, tokens and links, names, raised hands, presence."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from dashboard.core.training.join_codes import TOKEN_BYTES, TOKEN_LENGTH, digest_of
from dashboard.core.training.session import JoinStatus, join_status, next_group
from dashboard.core.workshops.progress import Event
from dashboard.models import Participant, TrainingSession, WorkshopEvent, WorkshopProgress
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.audit import audited, note
from dashboard.store.write_lock import writing

#: How many changes between present and away are stored for one participant.
MAX_PRESENCE_EVENTS = 500


class JoinRefusedError(Exception):
    """A participant cannot join, or cannot have this name. ``str()`` is a message that states what to do."""


@dataclass(frozen=True, slots=True)
class ParticipantRef:
    """The participant who sent a request. ``admitted`` is False while the participant waits for the instructor."""

    id: str
    session: str
    name: str
    group: int
    admitted: bool

    @property
    def person(self) -> str:
        """The key under which the participant's workshop progress is stored."""
        return person_of(self.id)


def person_of(participant: str) -> str:
    """The key under which a participant's workshop progress is stored."""
    return f"seat:{participant}"


def _ref(row: Participant) -> ParticipantRef:
    return ParticipantRef(row.id, row.session_id, row.name, row.group, bool(row.admitted_at))


def _active(session: str, participant: str) -> QuerySet[Participant]:
    return Participant.objects.filter(session_id=session, pk=participant, removed_at=0.0)


def _by_digest(field: str, token: str, **filters: str) -> ParticipantRef | None:
    """The current participant whose column ``field`` contains the digest of this token; None if no participant
    matches."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Participant.objects.filter(removed_at=0.0, **{field: digest_of(token)}, **filters).first()
    return None if row is None else _ref(row)


REFUSALS = {
    JoinStatus.CLOSED: "This session is over: its instructor has closed it.",
    JoinStatus.EXPIRED: "This code has expired. Ask your instructor how to join.",
}


def join(session: str, name: str, now: float) -> tuple[ParticipantRef, str]:
    """Adds a participant to a session. Returns the participant and a new token, of which only the digest is stored. If
    admission is required, the participant waits for the instructor. Raises JoinRefusedError."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with writing():
        row = TrainingSession.objects.select_for_update().filter(pk=session).first()
        if row is None:
            raise JoinRefusedError(REFUSALS[JoinStatus.CLOSED])
        status = join_status(row.closed_at, row.expires_at, now, admission_required=row.admission_required)
        if status in REFUSALS:
            raise JoinRefusedError(REFUSALS[status])
        others = list(row.participants.values_list("name", "group", "removed_at"))
        groups = [group for _, group, removed_at in others if not removed_at]
        if len(groups) >= row.max_participants:
            raise JoinRefusedError(f"All {row.max_participants} places are taken. Tell your instructor.")
        if any(name.casefold() == other.casefold() for other, _, _ in others):
            raise JoinRefusedError(
                f"The name “{name}” is taken: choose another name. If it is yours, use your personal link, or ask your "
                "instructor for one."
            )
        participant = Participant.objects.create(
            session=row,
            name=name,
            token_digest=digest_of(token),
            group=next_group(groups, row.team_size, {group for _, group, _ in others}),
            joined_at=now,
            seen_at=now,
            admitted_at=0.0 if status is JoinStatus.ADMISSION else now,
        )
        workshop_store.start(person_of(participant.id), row.workshop, row.digest, now)
    return _ref(participant), token


def by_token(session: str, token: str) -> ParticipantRef | None:
    """The participant of this session with this token; None if the token is invalid or was replaced."""
    return _by_digest("token_digest", token, session_id=session)


def get(session: str, participant: str) -> Participant | None:
    """A participant of a session, even a removed one; None if unknown."""
    return Participant.objects.filter(session_id=session, pk=participant).first()


def names_by_group(session: str) -> dict[int, tuple[str, ...]]:
    """The names of the current participants of each group, by group number."""
    names: dict[int, tuple[str, ...]] = {}
    rows = Participant.objects.filter(session_id=session, removed_at=0.0)
    for group, name in rows.values_list("group", "name"):
        names[group] = (*names.get(group, ()), name)
    return names


@audited
def rename(session: str, participant: str, name: str) -> None:
    """Changes a participant's name. Raises JoinRefusedError if another participant has this name."""
    with transaction.atomic():
        others = Participant.objects.filter(session_id=session).exclude(pk=participant).values_list("name", flat=True)
        if any(name.casefold() == other.casefold() for other in others):
            raise JoinRefusedError(f"The name “{name}” is taken.")
        Participant.objects.filter(session_id=session, pk=participant).update(name=name)


def remove(session: str, chosen: Collection[str], now: float) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Removes participants: their tokens and links become invalid, their answers stay. Returns the ids of the removed
    participants, and the numbers of the groups that are now empty."""
    changes = {"removed_at": now, "resume_digest": "", "results_digest": "", "hand_raised_at": 0.0}
    with writing():
        active = Participant.objects.filter(session_id=session, removed_at=0.0)
        removed = dict(active.filter(pk__in=chosen).values_list("id", "group"))
        active.filter(pk__in=removed).update(**changes)
        kept = set(active.values_list("group", flat=True))
        note()
    return tuple(removed), tuple(sorted(set(removed.values()) - kept))


@audited
def admit(session: str, participant: str, now: float) -> bool:
    """Admits a participant who waits. Returns False if the participant does not wait."""
    return bool(Participant.objects.filter(session_id=session, pk=participant, admitted_at=0.0).update(admitted_at=now))


@audited
def admit_all(session: str, now: float) -> tuple[str, ...]:
    """Admits all participants who wait, and returns their ids."""
    with transaction.atomic():
        waiting = Participant.objects.filter(session_id=session, admitted_at=0.0, removed_at=0.0)
        admitted = tuple(waiting.values_list("id", flat=True))
        waiting.update(admitted_at=now)
    return admitted


@audited
def make_link(session: str, participant: str) -> str | None:
    """Creates a link that moves the participant to another device, and returns the link's token. An earlier link of
    this kind becomes invalid. Returns None if the participant does not exist."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token if _active(session, participant).update(resume_digest=digest_of(token)) else None


def by_link(token: str) -> ParticipantRef | None:
    """The participant whose link to another device has this token; None if the token is not valid. Unlike ``resume``,
    this does not use up the link."""
    return _by_digest("resume_digest", token)


def resume(link: str, now: float) -> tuple[ParticipantRef, str] | None:
    """Moves a participant to another device. ``link`` is the token in the participant's link (``make_link``). Returns
    the participant and a new token. The token in the link and that of the old device become invalid. Returns None if
    the link is not valid."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        participant = _by_digest("resume_digest", link)
        # If two devices use the link at the same time, the filter matches for only one of them.
        rows = Participant.objects.filter(resume_digest=digest_of(link))
        if participant is None or not rows.update(resume_digest="", token_digest=digest_of(token), seen_at=now):
            return None
    return participant, token


def make_results_link(session: str, participant: str) -> str | None:
    """Creates a link to the participant's own results, and returns the link's token. An earlier link of this kind
    becomes invalid. Returns None if the participant does not exist or is not admitted."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    rows = _active(session, participant).exclude(admitted_at=0.0)
    return token if rows.update(results_digest=digest_of(token)) else None


def by_results_link(token: str) -> ParticipantRef | None:
    """The participant whose results link has this token; None if the token is not valid. The link works until it is
    replaced, the participant is removed or the session is deleted."""
    return _by_digest("results_digest", token)


def raise_hand(session: str, participant: str, now: float, *, up: bool, step: str = "") -> None:
    """Raises or lowers a participant's hand, and records this as an event of ``step``. A hand that is already raised
    keeps the time at which it was raised."""
    rows = Participant.objects.filter(session_id=session, pk=participant)
    with transaction.atomic():
        if up and rows.filter(hand_raised_at=0.0).update(hand_raised_at=now):
            workshop_store.record_events(person_of(participant), Event(now, "hand", step))
        elif not up and rows.exclude(hand_raised_at=0.0).update(hand_raised_at=0.0):
            workshop_store.record_events(person_of(participant), Event(now, "lowered", step))


def mark_seen(session: str, participants: set[str], now: float) -> None:
    """Records that these participants are connected."""
    with writing():
        Participant.objects.filter(session_id=session, pk__in=participants).update(seen_at=now)


def note_presence(session: str, came: Collection[str], left: Mapping[str, float], now: float) -> None:
    """Records which participants have come back or left. ``came`` are the ids of those who are back since ``now``.
    ``left`` maps the id of each participant who is away to the time of leaving.

    Only changes are recorded: a participant who was not away cannot come back. Nothing is recorded in a closed session,
    for removed participants, and for participants with ``MAX_PRESENCE_EVENTS`` such events.
    """
    rows = Participant.objects.filter(session_id=session, session__closed_at=0.0, removed_at=0.0, pk__in={*came, *left})
    people = {person_of(key): key for key in rows.values_list("id", flat=True)}
    walks = dict(WorkshopProgress.objects.filter(person__in=people).values_list("pk", "person"))
    noted: dict[str, list[str]] = {}
    before = WorkshopEvent.objects.filter(progress__in=walks, kind__in=("away", "back")).order_by("pk")
    for walk, kind in before.values_list("progress_id", "kind"):
        noted.setdefault(walk, []).append(kind)
    events = []
    for walk, person in walks.items():
        participant, kinds = people[person], noted.get(walk, [])
        away = bool(kinds) and kinds[-1] == "away"
        if len(kinds) < MAX_PRESENCE_EVENTS and away is (participant not in left):
            kind, at = ("away", left[participant]) if participant in left else ("back", now)
            events.append(WorkshopEvent(progress_id=walk, at=at, kind=kind))
    if events:
        with writing():
            WorkshopEvent.objects.bulk_create(events)
