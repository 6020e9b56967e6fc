"""A class in a glance: what changes whenever its people are told something new. For who may have missed a wake-up."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Max

from dashboard.models import Answer, Message, Seat, TrainingSession, WorkshopEvent

FIELDS = (
    "title", "step", "pace", "gate", "locked", "doors_shut", "timer_ends_at", "closed_at", "mirror_id", "pointer",
    "reveal", "expires_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Marks:
    """``whole`` is for everybody and the instructor; by seat what it is told alone, and which token opens it."""

    whole: object = None
    seats: dict[str, object] | None = None
    tokens: dict[str, str] | None = None


def marks_of(session: str) -> Marks:
    """As it is now."""
    row = TrainingSession.objects.filter(pk=session).values_list("workshop", *FIELDS).first()
    if row is None:
        return Marks()
    said = dict(Message.objects.filter(session_id=session).values_list("seat").annotate(Max("pk")).order_by())
    to_all = said.pop(None, 0)
    seats: dict[str, object] = {}
    tokens: dict[str, str] = {}
    rows = Seat.objects.filter(session_id=session).order_by()
    for key, token, *rest in rows.values_list(
        "pk", "token_digest", "name", "admitted_at", "hand_raised_at", "removed_at", "group"
    ):
        seats[key], tokens[key] = (rest, said.get(key, 0), to_all), token
    answers = Answer.objects.filter(session_id=session).aggregate(Max("pk"))["pk__max"]
    deeds = WorkshopEvent.objects.filter(progress__workshop=row[0]).aggregate(Max("pk"))["pk__max"]
    return Marks((row, sorted(seats.items(), key=lambda one: one[0]), answers, deeds), seats, tokens)
