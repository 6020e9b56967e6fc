"""Who is asking: the instructor of a session, or one of its participants. Whoever is neither finds nothing.

A browser keeps the token of each of its participants in Django's own session, by the session of the class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import in_database

KEY = "seats"
MAX_HELD_TOKENS = 10
#: What a participant may ask for: the addresses of its own session, but for the instructor's; and its websockets.
OWN_PATH = re.compile(r"/(?:ws/)?sessions/([a-z0-9]{1,16})/(?!console/)[^?#]*")


def session_in(path: str) -> str:
    """The session whose participants may ask for this address; empty if none may."""
    found = OWN_PATH.fullmatch(path)
    return found[1] if found else ""


def tokens_of(session: Any) -> Mapping[str, str]:
    """What a browser's Django session holds, by the session of the class."""
    held = session.get(KEY) if session is not None else None
    return held if isinstance(held, dict) else {}


def participant_in(session: Any, path: str) -> ParticipantRef | None:
    """Whose participant it is that a browser with this Django session has at this address. Asks the database."""
    identity = session_in(path)
    token = tokens_of(session).get(identity, "")
    return participants.by_token(identity, token) if isinstance(token, str) and token else None


def hold(request: HttpRequest, identity: str, token: str) -> None:
    """This browser has the participant from now on. The cookie is a new one, unless signing in has made it one: nobody who
    knew the old one comes along."""
    held = {key: value for key, value in tokens_of(request.session).items() if key != identity}
    kept = list(held.items())[-(MAX_HELD_TOKENS - 1) :]
    if request.session.session_key and not request.user.is_authenticated:
        request.session.cycle_key()
    request.session[KEY] = {**dict(kept), identity: token}


def let_go(request: HttpRequest, identity: str) -> None:
    """This browser has the participant no longer."""
    request.session[KEY] = {key: value for key, value in tokens_of(request.session).items() if key != identity}


def _nothing() -> Http404:
    return Http404(_("There is no session with this number."))


type Answered = Coroutine[Any, Any, HttpResponse]
type Inner[S, **P] = Callable[Concatenate[HttpRequest, TrainingSession, S, P], Answered]
type Outer = Callable[..., Answered]  # (request, identity, …): Django passes what the address names by name


def for_participant[**P](view: Inner[ParticipantRef, P]) -> Outer:
    """A view for one of the session's own participants, which it is given; 404 for everybody else."""

    @wraps(view)
    async def asked(request: HttpRequest, identity: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        row, participant = await in_database(_participant_of, request, identity)
        if row is None or participant is None:
            raise _nothing()
        return await view(request, row, participant, *args, **kwargs)

    return asked


def _participant_of(request: HttpRequest, identity: str) -> tuple[TrainingSession | None, ParticipantRef | None]:
    participant = getattr(request, "participant", None) or participant_in(request.session, f"/sessions/{identity}/")
    if participant is None or participant.session != identity:
        return None, None
    return training_sessions.get(identity), participant


def for_instructor[**P](view: Callable[Concatenate[HttpRequest, TrainingSession, P], Answered]) -> Outer:
    """A view for the session's instructor; 404 for everybody else."""

    @wraps(view)
    async def asked(request: HttpRequest, identity: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        user = await request.auser()
        row = await in_database(training_sessions.owned, identity, int(user.pk or 0)) if user.is_authenticated else None
        if row is None:
            raise _nothing()
        return await view(request, row, *args, **kwargs)

    return asked
