"""What a class came to: for its instructor everything, for each of its people their own. ``session_results_files`` has
what is taken along."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training.results.anonymous import report_for_participant
from dashboard.core.training.results.model import SessionReport
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training import results as session_results
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import in_database
from dashboard.web.training.join_views import qr_code
from dashboard.web.training.roles import for_instructor, for_participant
from dashboard.web.training.step_context import around, workshop_in
from dashboard.web.workshops.views import page


def results_url(row: TrainingSession) -> str:
    """What stands before the addresses of the instructor's results."""
    return f"/sessions/{row.id}/console/results/"


@require_GET
async def results(request: HttpRequest, identity: str) -> HttpResponse:
    """The instructor's page, or that of a participant."""
    owner = int((await request.auser()).pk or 0)
    if owner and await in_database(training_sessions.owned, identity, owner) is not None:
        return await _whole(request, identity)
    return await _own(request, identity)


@for_instructor
async def _whole(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    asked = request.GET.get("person", "")[:16]

    def read() -> dict[str, Any]:
        workshop = workshop_in(row)
        report = session_results.report_of(row, workshop, time.time())
        person = next((one for one in report.people if one.seat == asked), None)
        if asked and person is None:
            raise Http404(_("There is nobody with this number in this session."))
        return {
            "session": row,
            "report": report,
            "person": person,
            "changed": bool(row.digest) and row.digest != workshop.digest,
            "mirrored": row.events.filter(kind="mirror").exclude(detail="").exists(),
            "url": results_url(row),
            "person_url": f"/sessions/{row.id}/results/",
        }

    response = await page(request, "training/results/results.html", await in_database(read))
    response["Cache-Control"] = "no-store"
    return response


def _told(row: TrainingSession, participant: ParticipantRef) -> dict[str, Any]:
    """What this participant may know."""
    report: SessionReport = session_results.report_of(row, workshop_in(row), time.time())
    told = report_for_participant(report, participant.id, row.revealed())
    person = next(iter(told.people), None)
    if person is None:
        raise Http404(_("There is no session with this number."))
    return {"session": row, "report": told, "person": person}


async def _shown(
    request: HttpRequest, row: TrainingSession, participant: ParticipantRef, more: dict[str, Any], status: int = 200
) -> HttpResponse:
    context = {**more, **await in_database(_told, row, participant)}
    response = await page(request, "training/results/own_results.html", context, status)
    response["Cache-Control"] = "no-store"
    return response


@for_participant
async def _own(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    if not participant.admitted:
        return redirect(f"/sessions/{row.id}/")
    context = await around(row, participant, await in_database(workshop_in, row))
    return await _shown(request, row, participant, {**context, "by_participant": True})


@require_POST
@for_participant
async def make_link(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """A link to one's own results, said once; a new one voids the one before."""
    token = await in_database(participants.make_results_link, row.id, participant.id)
    if token is None:
        return redirect(f"/sessions/{row.id}/")
    link = request.build_absolute_uri(f"/results/{token}/")
    context = await around(row, participant, await in_database(workshop_in, row))
    context |= {"link": link, "qr": qr_code(link, _("The link to your results as a QR code")), "by_participant": True}
    return await _shown(request, row, participant, context, 201)


@require_GET
async def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """One's own results, with the link alone: without a participant, without signing in, also after the session."""

    def find() -> tuple[TrainingSession | None, ParticipantRef | None]:
        participant = participants.by_results_link(token)
        return (training_sessions.get(participant.session), participant) if participant is not None else (None, None)

    row, participant = await in_database(find)
    if row is None or participant is None:
        response = await page(request, "training/results/gone.html", {}, 404)
        response._has_been_logged = True  # type: ignore[attr-defined]  # the address holds a token
        response["Cache-Control"] = "no-store"
    else:
        response = await _shown(request, row, participant, {})
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
