"""Decorators that admit only the instructor of a session, or only its participants, to a view. All others get a 404.

A browser session contains one participant's token for each training session that it has joined.
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any, Concatenate

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import to_db_thread

TOKENS_KEY = "seats"  # the name that browser sessions of earlier versions contain
MAX_TOKENS = 10
#: The URLs and websockets of a session that its participants may request: all except the instructor's.
OWN_PATH = re.compile(r"/(?:ws/)?sessions/([a-z0-9]{1,16})/(?!console/)[^?#]*")


def session_in(path: str) -> str:
    """Returns the id of the session whose participants may request this path; empty for any other path."""
    match = OWN_PATH.fullmatch(path)
    return match[1] if match else ""


def tokens_of(browser_session: Any) -> Mapping[str, str]:
    """Returns the participants' tokens in a browser session, by the id of the training session."""
    tokens = browser_session.get(TOKENS_KEY) if browser_session is not None else None
    return tokens if isinstance(tokens, dict) else {}


def participant_in(browser_session: Any, path: str) -> ParticipantRef | None:
    """Returns the participant of a browser session who may request this path; None if there is no such participant.

    Queries the database.
    """
    identity = session_in(path)
    token = tokens_of(browser_session).get(identity, "")
    return participants.by_token(identity, token) if isinstance(token, str) and token else None


def add_token(request: HttpRequest, identity: str, token: str) -> None:
    """Stores a participant's token in the browser session. ``identity`` is the id of the training session.

    The browser also gets a new session cookie, so that a client that knows the old cookie does not become the
    participant as well. A signed-in user keeps the cookie that signing in has created.
    """
    others = {key: value for key, value in tokens_of(request.session).items() if key != identity}
    if request.session.session_key and not request.user.is_authenticated:
        request.session.cycle_key()
    request.session[TOKENS_KEY] = {**dict(list(others.items())[-(MAX_TOKENS - 1) :]), identity: token}


def remove_token(request: HttpRequest, identity: str) -> None:
    """Removes the token of a training session from the browser session. ``identity`` is the training session's id."""
    request.session[TOKENS_KEY] = {key: token for key, token in tokens_of(request.session).items() if key != identity}


def not_found() -> Http404:
    """Returns the exception for users without access. They get the same response as if the session did not exist."""
    return Http404(_("No session has this id."))


type Answer = Coroutine[Any, Any, HttpResponse]
type ParticipantView[**P] = Callable[Concatenate[HttpRequest, TrainingSession, ParticipantRef, P], Answer]
type SessionView[**P] = Callable[Concatenate[HttpRequest, TrainingSession, P], Answer]
type View = Callable[..., Answer]  # (request, identity, …): Django passes the parameters of the URL as keywords


def for_participant[**P](view: ParticipantView[P]) -> View:
    """Decorator: passes the session and the participant to the view. Everyone but the session's participants gets a
    404."""

    @wraps(view)
    async def wrapped(request: HttpRequest, identity: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        row, participant = await to_db_thread(_find, request, identity)
        if row is None or participant is None:
            raise not_found()
        return await view(request, row, participant, *args, **kwargs)

    return wrapped


def for_admitted[**P](view: ParticipantView[P]) -> View:
    """Decorator like ``for_participant``, but redirects participants who wait for admission to the lobby."""

    @for_participant
    @wraps(view)
    async def wrapped(
        request: HttpRequest, row: TrainingSession, participant: ParticipantRef, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponse:
        if not participant.admitted:
            return redirect(f"/sessions/{row.id}/")
        return await view(request, row, participant, *args, **kwargs)

    return wrapped


def _find(request: HttpRequest, identity: str) -> tuple[TrainingSession | None, ParticipantRef | None]:
    known = getattr(request, "participant", None)
    participant = known or participant_in(request.session, f"/sessions/{identity}/")
    if participant is None or participant.session != identity:
        return None, None
    return training_sessions.get(identity), participant


def for_instructor[**P](view: SessionView[P]) -> View:
    """Decorator: passes the session to the view. Everyone but its instructor and the accounts of owners gets a 404."""

    @wraps(view)
    async def wrapped(request: HttpRequest, identity: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        row = await to_db_thread(training_sessions.led_by, identity, await request.auser())
        if row is None:
            raise not_found()
        return await view(request, row, *args, **kwargs)

    return wrapped
