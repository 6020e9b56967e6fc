"""Pages with the results of a session: all results for the instructor, their own results for each participant."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training.results.anonymous import report_for_participant
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants
from dashboard.store.training import results as session_results
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.training.responses import private_page, qr_code
from dashboard.web.training.roles import for_admitted, for_instructor, not_found
from dashboard.web.training.step_context import page_context, workshop_in


def results_url(row: TrainingSession) -> str:
    """Returns the URL prefix of the instructor's pages about results."""
    return f"/sessions/{row.id}/console/results/"


@require_GET
async def results(request: HttpRequest, identity: str) -> HttpResponse:
    """Renders the page of results. The instructor sees all results, a participant only their own; others get a 404."""
    user = await request.auser()
    if await to_db_thread(training_sessions.led_by, identity, user) is not None:
        return await _whole(request, identity)
    return await _own(request, identity)


@for_instructor
async def _whole(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    chosen = request.GET.get("person", "")[:16]

    def read() -> dict[str, Any]:
        workshop = workshop_in(row)
        report = session_results.report_of(row, workshop, shared_clock())
        person = next((person for person in report.people if person.seat == chosen), None)
        if chosen and person is None:
            raise Http404(_("This session has no participant with this id."))
        return {
            "session": row,
            "report": report,
            "person": person,
            "changed": bool(row.digest) and row.digest != workshop.digest,
            "mirrored": row.events.filter(kind="mirror").exclude(detail="").exists(),
            "url": results_url(row),
            "person_url": f"/sessions/{row.id}/results/",
        }

    return await private_page(request, "training/results/results.html", await to_db_thread(read))


async def _own_page(
    request: HttpRequest, row: TrainingSession, participant: ParticipantRef, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    def read() -> dict[str, Any]:
        whole = session_results.report_of(row, workshop_in(row), shared_clock())
        report = report_for_participant(whole, participant.id, row.revealed())
        if not report.people:
            raise not_found()
        return {"session": row, "report": report, "person": report.people[0]}

    context = {**context, **await to_db_thread(read)}
    return await private_page(request, "training/results/own_results.html", context, status)


@for_admitted
async def _own(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    context = {**await page_context(row, participant), "by_participant": True}
    return await _own_page(request, row, participant, context)


@require_POST
@for_admitted
async def make_link(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Creates a link to the participant's own results, and shows it once. The previous link stops working."""
    token = await to_db_thread(participants.make_results_link, row.id, participant.id)
    if token is None:
        raise not_found()
    link = f"{(await to_db_thread(join_address, request)).origin}/results/{token}/"
    qr = qr_code(link, _("The link to your results as a QR code"))
    context = {**await page_context(row, participant), "link": link, "qr": qr, "by_participant": True}
    return await _own_page(request, row, participant, context, 201)


@require_GET
async def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Renders the page of a participant's own results. The link alone gives access, even after the session."""

    def find() -> tuple[TrainingSession | None, ParticipantRef | None]:
        participant = participants.by_results_link(token)
        return (training_sessions.get(participant.session), participant) if participant is not None else (None, None)

    row, participant = await to_db_thread(find)
    if row is None or participant is None:
        response = await private_page(request, "training/results/gone.html", {}, 404)
        response._has_been_logged = True  # type: ignore[attr-defined]  # the URL contains a token
    else:
        response = await _own_page(request, row, participant, {})
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
