"""Whose work it is: what a group of a class ran is for its participants and the instructor, at every address that names it.

Whoever else asks finds nothing, as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from dashboard.core.training.group_quota import WorkKind
from dashboard.core.training.session import group_key
from dashboard.store.training import group_runs, participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.hosts import session_of
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.training.roles import tokens_of

#: An address of this server's own that names one of them.
NAMED = re.compile(r"/(?:api/)?(experiments|measurements|claims/runs)/([^/]+)")
KINDS = {
    "experiments": WorkKind.EXPERIMENT,
    "measurements": WorkKind.MEASUREMENT,
    "claims/runs": WorkKind.CLAIMS,
}
#: The websockets that somebody with a participant in any class may ask for: whose it is is looked at behind the door.
SOCKETS = re.compile(r"/ws/(?:experiments|measurements)/[^/]+/")


def is_instructors(group: str, user: Any) -> bool:
    """Whether the group is one of a session of this person's. Asks the database."""
    return bool(user.is_authenticated) and training_sessions.owned(session_of(group), int(user.pk)) is not None


def may_open(kind: WorkKind, identity: str, user: Any) -> bool:
    """Whether somebody who is signed in finds this at the server's own addresses. Asks the database."""
    group = group_runs.group_of(kind, identity[:40])
    return not group or is_instructors(group, user)


def participant_in_group(group: str, session: Any) -> ParticipantRef | None:
    """The participant in this group that a browser with this Django session has, admitted. Asks the database."""
    number = session_of(group)
    token = tokens_of(session).get(number, "")
    found = participants.by_token(number, str(token)) if token else None
    return found if found is not None and found.admitted and group_key(number, found.group) == group else None


def any_participant(session: Any) -> ParticipantRef | None:
    """A participant that a browser with this Django session has, in whichever class. Asks the database."""
    found = (participants.by_token(one, str(token)) for one, token in tokens_of(session).items())
    return next((participant for participant in found if participant is not None), None)


def may_listen(kind: WorkKind, identity: str, scope: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the browser of a websocket may listen to this, and the participant for which it may; empty for who is signed in.
    Asks the database."""
    user, session = scope.get("user"), scope.get("session")
    signed_in = user is not None and bool(user.is_authenticated)
    group = group_runs.group_of(kind, identity)
    if not group:
        return signed_in, ""
    if signed_in and is_instructors(group, user):
        return True, ""
    participant = participant_in_group(group, session)
    return participant is not None, participant.id if participant is not None else ""


View = Callable[[HttpRequest], HttpResponse]


class ClassDoorMiddleware:
    """For pages and the API: a class's work opens at the server's own addresses for its instructor alone."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """404 for what is somebody else's."""
        named = NAMED.match(request.path_info)
        if named is None or may_open(KINDS[named[1]], named[2], request.user):
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": _("There is nothing with this number.")}, status=404)
        raise Http404(_("There is nothing with this number."))


def groups_of(session: str, user: Any) -> dict[str, str]:
    """What filters rows of models in a list of the API: those of the server's own engine, or those of the groups of one
    ``session`` of this person's. Http404 if that is nobody's or somebody else's. Asks the database."""
    if not session:
        return {"host": ""}
    if not user.is_authenticated or training_sessions.owned(session[:16], int(user.pk)) is None:
        raise Http404(_("There is no session with this number."))
    return {"group__startswith": f"{session[:16]}-"}
