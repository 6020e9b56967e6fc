"""Clients of training sessions: instructors, and participants who join with the form."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.utils.crypto import get_random_string

from dashboard.core.operations.roles import Role
from dashboard.models import Account, Participant, TrainingSession
from tests.lab.training_builders import again, session
from tests.web.asgi_client import ORIGIN, Person, browser_of, http
from tests.web.asgi_client import Answer as Got

FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = (("origin", ORIGIN),)
FAR = 4e9


async def post(path: str, who: Person, **fields: str) -> Got:
    return await http("POST", path, who=who, headers=(FORM,), body=urlencode(fields).encode(), token=True)


async def get(path: str, who: Person) -> Got:
    return await http("GET", path, who=who)


def cookie_of(answer: Got, name: str) -> str:
    found = [value for key, value in answer.headers if key == "set-cookie" and value.startswith(f"{name}=")]
    return found[-1].partition("=")[2].partition(";")[0] if found else ""


async def stranger() -> Person:
    """A browser without a session, with a CSRF token."""
    return Person({"csrftoken": get_random_string(32)})


async def join(code: str, name: str, who: Person | None = None, **more: str) -> tuple[Got, Person]:
    """Joins a session with the form."""
    who = who or await stranger()
    answer = await post("/join/", who, code=code, name=name, **more)
    held = cookie_of(answer, "sessionid")
    return answer, Person({**who.cookies, **({"sessionid": held} if held else {})})


@database_sync_to_async
def new(owner: str = "owner", **wanted: object) -> TrainingSession:
    row = session(owner, **wanted)
    TrainingSession.objects.filter(pk=row.id).update(expires_at=FAR)
    return again(row)


@database_sync_to_async
def sign_in_as(name: str) -> Person:
    user, _ = User.objects.get_or_create(username=name)
    Account.objects.get_or_create(user=user, defaults={"role": Role.INSTRUCTOR})
    return browser_of(user)


@dataclass
class TwoSessions:
    """Two instructors with a session each, two participants in the first and one in the other."""

    row: TrainingSession
    other: TrainingSession
    owner: Person
    rival: Person
    ada: Person
    bob: Person
    outsider: Person
    ada_id: str


def participant_id(name: str) -> str:
    return str(Participant.objects.get(name=name).pk)
