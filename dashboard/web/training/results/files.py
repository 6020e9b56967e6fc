"""The instructor's exports of a session (tables, JSON, replay), and the links to its anonymous results."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.core.experiments.messages import encode
from dashboard.core.training.results.anonymous import anonymous as anonymous_report
from dashboard.core.training.results.csv_tables import people_csv, steps_csv
from dashboard.core.training.results.events import display_names
from dashboard.core.training.results.model import SessionReport
from dashboard.core.training.results.replay import build_replay
from dashboard.core.training.results.report import build_report
from dashboard.export.session_file import replay_file, shared_file
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock, shared_now
from dashboard.store.reports import shares as report_shares
from dashboard.store.training import results as session_results
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.reports.sharing import DEFAULT_DAYS, durations, guarded_file
from dashboard.web.training.responses import private_page
from dashboard.web.training.results.views import results_url
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in

WRITERS: dict[str, tuple[str, Callable[[SessionReport], bytes]]] = {
    "people.csv": ("text/csv; charset=utf-8", lambda report: people_csv(report).encode()),
    "steps.csv": ("text/csv; charset=utf-8", lambda report: steps_csv(report).encode()),
    "json": ("application/json", encode),
}


def _report(row: TrainingSession) -> SessionReport:
    return session_results.report_of(row, workshop_in(row), shared_clock())


def _file(row: TrainingSession, body: bytes, content_type: str, ending: str) -> HttpResponse:
    """Returns ``body`` as a download. Browsers do not render it, because it contains text from many authors. ``ending``
    is the ending of the file's name."""
    response = HttpResponse(body, content_type=content_type)
    name = slugify(row.title)[:60] or "session"
    response["Content-Disposition"] = f'attachment; filename="{name}-{row.id}.{ending}"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
@for_instructor
async def export(_request: HttpRequest, row: TrainingSession, ending: str) -> HttpResponse:
    """Returns the session's report as a file: a CSV table or JSON (``session-report/1``)."""
    if ending not in WRITERS:
        raise Http404(_("There is no export in this format."))
    content_type, write = WRITERS[ending]

    return _file(row, await to_db_thread(lambda: write(_report(row))), content_type, ending)


def _replay(row: TrainingSession, *, anonymous: bool, comparisons: bool) -> bytes:
    workshop = workshop_in(row)
    facts = session_results.load_facts(row, workshop, shared_clock())
    report = build_report(facts, workshop)
    names = display_names(facts, anonymous=anonymous)
    people = tuple(replace(person, name=name) for person, name in zip(report.people, names, strict=True))
    mirrors = session_results.mirrors_of(facts, included=comparisons)
    track = build_replay(facts, workshop, mirrors, anonymous=anonymous)
    return replay_file(replace(report, people=people), track, anonymous=anonymous)


@require_GET
@for_instructor
async def replay(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Returns the replay of the whole session as one HTML file.

    With ``names=no`` in the query string, the participants' names are replaced; with ``comparison=no``, the shared
    comparisons are omitted.
    """
    anonymous, comparisons = request.GET.get("names") == "no", request.GET.get("comparison") != "no"
    body = await to_db_thread(lambda: _replay(row, anonymous=anonymous, comparisons=comparisons))
    return _file(row, body, "text/html; charset=utf-8", "replay.html")


async def _page(request: HttpRequest, row: TrainingSession, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "session": row,
        "url": results_url(row),
        "shares": await to_db_thread(report_shares.shares_of_session, row.id),
        "durations": durations(),
        "typed": {"days": DEFAULT_DAYS},
        **extra,
    }
    return await private_page(request, "training/results/share.html", context, status)


def _document(row: TrainingSession) -> bytes:
    return shared_file(anonymous_report(_report(row)))


@require_http_methods(["GET", "HEAD", "POST"])
@for_instructor
async def share(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Renders the page with the links to the anonymous results. POST creates a link, and shows it once."""
    if request.method != "POST":
        return await _page(request, row)
    if not row.closed_at:
        return await _page(request, row, 409, problem=_("Close the session first."))
    chosen = request.POST.get("days", "")
    if chosen not in {str(duration.days) for duration in durations()}:
        return await _page(request, row, 400, problem=_("Choose one of the listed durations."))
    days = int(chosen)
    expires_at = shared_now() + timedelta(days=days) if days else None

    def create() -> str:
        return report_shares.create_for_session(row.id, _document(row), expires_at=expires_at)

    token = await to_db_thread(create)
    address = await to_db_thread(join_address, request)
    link = f"{address.origin}/r/{token}/"
    return await _page(request, row, 201, link=link, is_local=address.is_local, typed={"days": days})


@require_GET
@for_instructor
async def preview(_request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Returns the file that a link to the anonymous results shows. Raises Http404 if the session is not closed."""
    if not row.closed_at:
        raise Http404(_("Close the session first."))
    return guarded_file(await to_db_thread(_document, row))


@require_POST
@for_instructor
async def revoke(_request: HttpRequest, row: TrainingSession, number: str) -> HttpResponse:
    """Revokes a link to the anonymous results. ``number`` is the id of the link."""

    def revoked() -> bool:
        known = {str(share.id): share.id for share in report_shares.shares_of_session(row.id)}
        return number in known and report_shares.revoke(known[number], session=row.id)

    if not await to_db_thread(revoked):
        raise Http404(_("This link does not exist or is already revoked."))
    return redirect(f"{results_url(row)}share/")
