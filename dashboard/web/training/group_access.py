"""Restricts access to runs of groups: experiments, measurements and runs of claims.

At every URL that names a run of a group, only the group's participants and the instructor have access. All other users
get a 404, as if the run did not exist.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from dashboard.core.training.group_quota import RunKind
from dashboard.core.training.session import group_key, session_of_group
from dashboard.store.training import group_runs, participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.training.roles import not_found, tokens_of

#: The URLs of runs on the server's own engine.
NAMED = re.compile(r"/(?:api/)?(experiments|measurements|claims/runs)/([^/]+)")
KINDS = {
    "experiments": RunKind.EXPERIMENT,
    "measurements": RunKind.MEASUREMENT,
    "claims/runs": RunKind.CLAIMS,
}
#: Websockets to which any participant may connect, because the consumer checks to which group the run belongs.
SOCKETS = re.compile(r"/ws/(?:experiments|measurements)/[^/]+/")


def is_instructor_of(group: str, user: Any) -> bool:
    """Returns whether the user may lead the session of a group. Queries the database."""
    return training_sessions.led_by(session_of_group(group), user) is not None


def may_open(kind: RunKind, identity: str, user: Any) -> bool:
    """Returns whether a signed-in user may see a run at the URLs of the server's own engine.

    That is the case if the run belongs to no group, or if the user may lead the group's session. Queries the database.
    """
    group = group_runs.group_of(kind, identity[:40])
    return not group or is_instructor_of(group, user)


def participant_in_group(group: str, browser_session: Any) -> ParticipantRef | None:
    """Returns the participant of a group for whom a browser session contains a token. Returns None if there is no such
    participant, or if they are not admitted.

    Queries the database.
    """
    session = session_of_group(group)
    token = tokens_of(browser_session).get(session, "")
    found = participants.by_token(session, str(token)) if token else None
    return found if found is not None and found.admitted and group_key(session, found.group) == group else None


def any_participant(browser_session: Any) -> ParticipantRef | None:
    """Returns a participant, of any training session, for whom a browser session contains a valid token; None if there
    is no such token.

    Queries the database.
    """
    held = (participants.by_token(session, str(token)) for session, token in tokens_of(browser_session).items())
    return next((participant for participant in held if participant is not None), None)


def may_listen(kind: RunKind, identity: str, scope: Mapping[str, Any]) -> tuple[bool, str]:
    """Returns whether a websocket may follow a run, and the id of the participant who uses the websocket.

    The id is empty for a signed-in user. ``scope`` is the ASGI scope of the websocket. Queries the database.
    """
    user = scope.get("user")
    signed_in = user is not None and bool(user.is_authenticated)
    group = group_runs.group_of(kind, identity)
    if not group:
        return signed_in, ""
    if signed_in and is_instructor_of(group, user):
        return True, ""
    participant = participant_in_group(group, scope.get("session"))
    return participant is not None, participant.id if participant is not None else ""


class GroupAccessMiddleware:
    """Hides the runs of groups at the URLs of the server's own engine (pages and API) from all users except the
    instructor."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers 404 if the URL names a run of a group whose session the user may not lead. Passes other requests
        on."""
        named = NAMED.match(request.path_info)
        if named is None or may_open(KINDS[named[1]], named[2], request.user):
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": _("No experiment, measurement or run has this id.")}, status=404)
        raise Http404(_("No experiment, measurement or run has this id."))


def group_filter(session: str, user: Any) -> dict[str, str]:
    """Returns a queryset filter for lists of runs.

    It selects the runs of the session's groups. If ``session`` is empty, it selects the runs outside training sessions.
    Raises Http404 if the user may not lead the session. Queries the database.
    """
    if not session:
        return {"group": ""}
    if training_sessions.led_by(session[:16], user) is None:
        raise not_found()
    return {"group__startswith": f"{session[:16]}-"}
