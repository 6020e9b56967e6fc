"""Seats in the database: who has joined, by which token, on which device."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction

from dashboard.core.training.join_codes import digest_of
from dashboard.core.training.session import Door, door, group_for
from dashboard.models import Seat, TrainingSession, WorkshopEvent, WorkshopProgress
from dashboard.store import workshops as workshop_store
from dashboard.store.workshops import Event
from dashboard.store.write_lock import writing

TOKEN_BYTES = 16
TOKEN_LENGTH = 22  # characters of 16 bytes in URL-safe base64
#: So often it is written down that somebody is away or back.
PRESENCE_MOST = 500


class NotSeatedError(Exception):
    """Somebody does not get a seat; ``str()`` is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class SeatRef:
    """Who asks: one seat of one session. ``admitted``: not waiting at the door."""

    id: str
    session: str
    name: str
    group: int
    admitted: bool

    @property
    def person(self) -> str:
        """As the workshop engine calls them."""
        return person_of(self.id)


def person_of(seat: str) -> str:
    """A seat, as the workshop engine calls whoever takes part."""
    return f"seat:{seat}"


def _ref(row: Seat) -> SeatRef:
    return SeatRef(row.id, row.session_id, row.name, row.group, bool(row.admitted_at))


REFUSALS = {
    Door.CLOSED: "This session is over: its instructor has closed it.",
    Door.EXPIRED: "This code has expired. Ask your instructor for the way in.",
}


def join(session: str, name: str, now: float) -> tuple[SeatRef, str]:
    """A new seat and its token, which is kept nowhere. NotSeatedError if there is none.

    Who comes after the doors were shut waits until the instructor admits.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with writing():
        row = TrainingSession.objects.select_for_update().filter(pk=session).first()
        stands = Door.CLOSED if row is None else door(row.closed_at, row.expires_at, now, shut=row.doors_shut)
        if row is None or stands in REFUSALS:
            raise NotSeatedError(REFUSALS[stands])
        taken = list(row.seats.values_list("name", "group", "removed_at"))
        here = [group for _, group, removed_at in taken if not removed_at]
        if len(here) >= row.seats_most:
            raise NotSeatedError(f"All {row.seats_most} seats are taken. Tell your instructor.")
        if any(name.casefold() == other.casefold() for other, _, _ in taken):
            raise NotSeatedError(
                f"Somebody is called “{name}” already: choose another name. If that is you, your own link or your "
                "instructor brings you back to your seat."
            )
        seat = Seat.objects.create(
            session=row,
            name=name,
            token_digest=digest_of(token),
            group=group_for(here, row.team_size),
            joined_at=now,
            seen_at=now,
            admitted_at=0.0 if stands is Door.SHUT else now,
        )
        workshop_store.begin(person_of(seat.id), row.workshop, row.digest, now)
    return _ref(seat), token


def seat_of(session: str, token: str) -> SeatRef | None:
    """Whose token it is, in this session alone; None for one that opens nothing (any more)."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Seat.objects.filter(session_id=session, token_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def get(session: str, seat: str) -> Seat | None:
    """A seat of a session."""
    return Seat.objects.filter(session_id=session, pk=seat).first()


def rename(session: str, seat: str, name: str) -> None:
    """Gives somebody another name. NotSeatedError if somebody else has it."""
    with transaction.atomic():
        others = Seat.objects.filter(session_id=session).exclude(pk=seat).values_list("name", flat=True)
        if any(name.casefold() == other.casefold() for other in others):
            raise NotSeatedError(f"Somebody is called “{name}” already.")
        Seat.objects.filter(session_id=session, pk=seat).update(name=name)


def remove(session: str, seat: str, now: float) -> bool:
    """Takes somebody's seat away: neither token nor link opens anything any more. What was answered stays."""
    rows = Seat.objects.filter(session_id=session, pk=seat, removed_at=0.0)
    return bool(rows.update(removed_at=now, resume_digest="", results_digest="", hand_raised_at=0.0))


def admit(session: str, seat: str, now: float) -> bool:
    """Lets in who waits at the door."""
    return bool(Seat.objects.filter(session_id=session, pk=seat, admitted_at=0.0).update(admitted_at=now))


def admit_all(session: str, now: float) -> tuple[str, ...]:
    """Lets in everybody who waits; who that was."""
    with transaction.atomic():
        waiting = Seat.objects.filter(session_id=session, admitted_at=0.0, removed_at=0.0)
        found = tuple(waiting.values_list("id", flat=True))
        waiting.update(admitted_at=now)
    return found


def make_link(session: str, seat: str) -> str | None:
    """The token of a link to this seat, said once; the one before is void. None if there is no such seat."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    rows = Seat.objects.filter(session_id=session, pk=seat, removed_at=0.0)
    return token if rows.update(resume_digest=digest_of(token)) else None


def by_link(token: str) -> SeatRef | None:
    """Whose link it is, without using it."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Seat.objects.filter(resume_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def resume(link: str, now: float) -> tuple[SeatRef, str] | None:
    """Moves a seat to the device that has its link: a new token, and neither the old one nor the link opens anything
    from now on. None if the link opens nothing."""
    if len(link) != TOKEN_LENGTH:
        return None
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        rows = Seat.objects.select_for_update().filter(resume_digest=digest_of(link), removed_at=0.0)
        row = rows.first()
        if row is None:
            return None
        row.resume_digest, row.token_digest, row.seen_at = "", digest_of(token), now
        row.save(update_fields=["resume_digest", "token_digest", "seen_at"])
    return _ref(row), token


def make_results_link(session: str, seat: str) -> str | None:
    """The token of a link to this seat's own results, said once; the one before is void. None if there is no such
    seat."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    rows = Seat.objects.filter(session_id=session, pk=seat, removed_at=0.0).exclude(admitted_at=0.0)
    return token if rows.update(results_digest=digest_of(token)) else None


def by_results_link(token: str) -> SeatRef | None:
    """Whose results a link shows. It keeps working, also after the session, until the session is forgotten."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = Seat.objects.filter(results_digest=digest_of(token), removed_at=0.0).first()
    return None if row is None else _ref(row)


def raise_hand(session: str, seat: str, now: float, *, up: bool, step: str = "") -> None:
    """Asks for help (in a step), or does not any more. A hand that is up stays up since when it was raised."""
    rows = Seat.objects.filter(session_id=session, pk=seat)
    with transaction.atomic():
        if up and rows.filter(hand_raised_at=0.0).update(hand_raised_at=now):
            workshop_store.tell(person_of(seat), Event(now, "hand", step))
        elif not up and rows.exclude(hand_raised_at=0.0).update(hand_raised_at=0.0):
            workshop_store.tell(person_of(seat), Event(now, "lowered", step))


def seen(session: str, seats: set[str], now: float) -> None:
    """These were there just now."""
    with writing():
        Seat.objects.filter(session_id=session, pk__in=seats).update(seen_at=now)


def note_presence(session: str, came: Collection[str], left: Mapping[str, float], now: float) -> None:
    """Writes down since when some are away, and that others are back. Who was never away is not back."""
    there = Seat.objects.filter(session_id=session, session__closed_at=0.0, removed_at=0.0, pk__in={*came, *left})
    people = {person_of(one): one for one in there.values_list("id", flat=True)}
    walks = dict(WorkshopProgress.objects.filter(person__in=people).values_list("pk", "person"))
    noted: dict[str, list[str]] = {}
    before = WorkshopEvent.objects.filter(progress__in=walks, kind__in=("away", "back")).order_by("pk")
    for walk, kind in before.values_list("progress_id", "kind"):
        noted.setdefault(walk, []).append(kind)
    found = []
    for walk, person in walks.items():
        seat, kinds = people[person], noted.get(walk, [])
        away = bool(kinds) and kinds[-1] == "away"
        if len(kinds) < PRESENCE_MOST and away is (seat not in left):
            kind, at = ("away", left[seat]) if seat in left else ("back", now)
            found.append(WorkshopEvent(progress_id=walk, at=at, kind=kind))
    if found:
        with writing():
            WorkshopEvent.objects.bulk_create(found)
