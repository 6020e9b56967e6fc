"""What an instructor takes along of a class, and what others are shown of it: tables, JSON, the replay, a link."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.core.experiments.messages import encode
from dashboard.core.training.results.anonymous import anonymous
from dashboard.core.training.results.csv_tables import people_csv, steps_csv
from dashboard.core.training.results.events import display_names
from dashboard.core.training.results.model import SessionReport
from dashboard.core.training.results.replay import build_replay
from dashboard.core.training.results.report import build_report
from dashboard.export.session_file import replay_file, shared_file
from dashboard.models import TrainingSession
from dashboard.store.reports import shares as report_shares
from dashboard.store.training import results as session_results
from dashboard.web.http.database import in_database
from dashboard.web.reports.sharing import DEFAULT_DAYS, durations, guarded_file
from dashboard.web.training.results.views import results_url
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.views import page

WRITERS: dict[str, tuple[str, Callable[[SessionReport], bytes]]] = {
    "people.csv": ("text/csv; charset=utf-8", lambda report: people_csv(report).encode()),
    "steps.csv": ("text/csv; charset=utf-8", lambda report: steps_csv(report).encode()),
    "json": ("application/json", encode),
}


def _report(row: TrainingSession) -> SessionReport:
    return session_results.report_of(row, workshop_in(row), time.time())


def _file(row: TrainingSession, body: bytes, content_type: str, ending: str) -> HttpResponse:
    """To be kept, and not to be shown: what stands in it was typed by many."""
    response = HttpResponse(body, content_type=content_type)
    name = slugify(row.title)[:60] or "session"
    response["Content-Disposition"] = f'attachment; filename="{name}-{row.id}.{ending}"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
@for_instructor
async def export(_request: HttpRequest, row: TrainingSession, ending: str) -> HttpResponse:
    """The report as a table or as JSON (``session-report/1``)."""
    if ending not in WRITERS:
        raise Http404(_("The results are not written in this format."))
    content_type, write = WRITERS[ending]

    def written() -> bytes:
        return write(_report(row))

    return _file(row, await in_database(written), content_type, ending)


def _replay(row: TrainingSession, *, nameless: bool, compared: bool) -> bytes:
    workshop = workshop_in(row)
    facts = session_results.load_facts(row, workshop, time.time())
    report = build_report(facts, workshop)
    names = display_names(facts, anonymous=nameless)
    people = tuple(replace(one, name=name) for one, name in zip(report.people, names, strict=True))
    mirrors = session_results.mirrors_of(facts, included=compared)
    track = build_replay(facts, workshop, mirrors, anonymous=nameless)
    return replay_file(replace(report, people=people), track, anonymous=nameless)


@require_GET
@for_instructor
async def replay(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """The whole session as one HTML file."""
    nameless, compared = request.GET.get("names") == "no", request.GET.get("comparison") != "no"
    body = await in_database(lambda: _replay(row, nameless=nameless, compared=compared))
    return _file(row, body, "text/html; charset=utf-8", "replay.html")


async def _page(request: HttpRequest, row: TrainingSession, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "session": row,
        "url": results_url(row),
        "shares": await in_database(report_shares.shares_of_session, row.id),
        "durations": durations(),
        "typed": {"days": DEFAULT_DAYS},
        **extra,
    }
    response = await page(request, "training/results/share.html", context, status)
    response["Cache-Control"] = "no-store"
    return response


def _document(row: TrainingSession) -> bytes:
    return shared_file(anonymous(_report(row)))


@require_http_methods(["GET", "HEAD", "POST"])
@for_instructor
async def share(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """The links that show what the class came to, without anybody; and a new one, said once."""
    if request.method != "POST":
        return await _page(request, row)
    if not row.closed_at:
        return await _page(request, row, 409, problem=_("Close the session first."))
    said = request.POST.get("days", "")
    if said not in {str(one.days) for one in durations()}:
        return await _page(request, row, 400, problem=_("Choose from the list after how many days the link ends."))
    days = int(said)
    ends = timezone.now() + timedelta(days=days) if days else None

    def made() -> str:
        return report_shares.create_for_session(row.id, _document(row), expires_at=ends)

    token = await in_database(made)
    link = request.build_absolute_uri(f"/r/{token}/")
    return await _page(request, row, 201, link=link, typed={"days": days})


@require_GET
@for_instructor
async def preview(_request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """What a link would show."""
    if not row.closed_at:
        raise Http404(_("Close the session first."))
    return guarded_file(await in_database(_document, row))


@require_POST
@for_instructor
async def revoke(_request: HttpRequest, row: TrainingSession, number: str) -> HttpResponse:
    """Ends a link for good."""

    def ended() -> bool:
        known = {str(one.id): one.id for one in report_shares.shares_of_session(row.id)}
        return number in known and report_shares.revoke(known[number], session=row.id)

    if not await in_database(ended):
        raise Http404(_("There is no such link, or it was revoked already."))
    return redirect(f"{results_url(row)}share/")
