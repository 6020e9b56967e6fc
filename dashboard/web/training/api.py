"""Sessions over HTTP: what an instructor's classes came to."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status

from dashboard.core.experiments.messages import encode
from dashboard.core.training.results.anonymous import anonymous as without_anybody
from dashboard.store.training import results as session_results
from dashboard.store.training import sessions as training_sessions
from dashboard.web.training.step_context import workshop_in

router = Router(tags=["sessions"])
NO_SESSION = "There is no session of yours with this number."


class Refusal(Schema):
    """Why something was not done."""

    detail: str


class SessionOut(Schema):
    """One session of yours; moments in seconds since 1970-01-01 UTC, 0 for never."""

    id: str
    title: str
    workshop: str
    created_at: float
    closed_at: float
    url: str
    results: str


@router.get("/sessions", response=list[SessionOut], summary="Your sessions, the newest first")
def listing(request: HttpRequest) -> Any:
    """At most 100."""
    return [
        {
            "id": row.id,
            "title": row.title,
            "workshop": row.workshop,
            "created_at": row.created_at,
            "closed_at": row.closed_at,
            "url": f"/sessions/{row.id}/console/",
            "results": f"/sessions/{row.id}/results/",
        }
        for row in training_sessions.of_owner(int(request.user.pk or 0))
    ]


@router.get(
    "/sessions/{identity}/report",
    response={200: dict, 404: Refusal, 409: Refusal},
    summary="What a session came to (session-report/1)",
)
def report(request: HttpRequest, identity: str, anonymous: bool = False) -> Any:
    """Everything, for its instructor; with ``anonymous=true`` what others may see of a closed one."""
    row = training_sessions.owned(identity, int(request.user.pk or 0))
    if row is None:
        return Status(404, {"detail": NO_SESSION})
    if anonymous and not row.closed_at:
        return Status(409, {"detail": "Close the session first: figures that still move tell who has just answered."})
    found = session_results.report_of(row, workshop_in(row), time.time())
    return HttpResponse(encode(without_anybody(found) if anonymous else found), content_type="application/json")
