"""The HTTP API of training sessions: lists the sessions of an instructor, and returns their reports."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from dashboard.core.training.results.anonymous import anonymous as anonymous_report
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import results as session_results
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.api_responses import Refusal, json_response
from dashboard.web.training.step_context import workshop_in

router = Router(tags=["sessions"])
NO_SESSION = "You have no session with this id."


class SessionOut(Schema):
    """A training session. Times are in seconds since 1970-01-01 UTC; 0 means never."""

    id: str
    title: str
    workshop: str
    created_at: float
    closed_at: float
    url: str
    results: str


@router.get("/sessions", response=list[SessionOut], summary="Your sessions, newest first")
def listing(request: HttpRequest) -> Any:
    """Lists the newest sessions that you may lead, at most 100."""
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
        for row in training_sessions.visible(request.user)
    ]


@router.get(
    "/sessions/{identity}/report",
    response={200: dict, 404: Refusal, 409: Refusal},
    summary="The results of a session (session-report/1)",
)
def report(request: HttpRequest, identity: str, anonymous: bool = False) -> Any:
    """Returns the complete report for the instructor. With ``anonymous=true``, returns the anonymous report of a closed
    session."""
    row = training_sessions.led_by(identity, request.user)
    if row is None:
        return Status(404, {"detail": NO_SESSION})
    if anonymous and not row.closed_at:
        detail = "Close the session first: figures that still change reveal who has just answered."
        return Status(409, {"detail": detail})
    whole = session_results.report_of(row, workshop_in(row), shared_clock())
    return json_response(anonymous_report(whole) if anonymous else whole)
