"""Links that show one report to whoever has them, and what they show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.export.bundle import styles
from dashboard.export.html import plain_policy, policy_of
from dashboard.store.reports import shares as report_shares
from dashboard.web.http.threaded_views import aside
from dashboard.web.reports.documents import document_of, removals_of
from dashboard.web.reports.views import found_report, there_is_none

DAYS = (1, 7, 30, 90, 365)
DEFAULT_DAYS = 30
SHOWN_REMOVED = 200


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a link lives; ``days`` 0: until it is revoked."""

    days: int
    text: str


def durations() -> list[Duration]:
    """What is offered."""
    said = [Duration(days, _("%(count)d days") % {"count": days} if days > 1 else _("one day")) for days in DAYS]
    return [*said, Duration(0, _("never"))]


def _page(request: HttpRequest, identity: str, status: int = 200, **extra: Any) -> HttpResponse:
    row = found_report(identity)
    removed = removals_of(identity)
    context = {
        "row": row,
        "removed": removed[:SHOWN_REMOVED],
        "removed_count": len(removed),
        "removed_more": max(0, len(removed) - SHOWN_REMOVED),
        "shares": report_shares.shares_of(identity),
        "durations": durations(),
        "typed": {"days": DEFAULT_DAYS, "scrub": True},
        **extra,
    }
    response = render(request, "reports/share.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@aside
def share(request: HttpRequest, identity: str) -> HttpResponse:
    """The links of a report, what a scrubbed one would leave out, and a new one: said once, kept as a digest."""
    if request.method != "POST":
        return _page(request, identity)
    found_report(identity)
    scrubbed = request.POST.get("scrub") == "on"
    said = request.POST.get("days", "")
    if said not in {str(one.days) for one in durations()}:
        problem = _("Choose from the list after how many days the link ends.")
        return _page(request, identity, 400, problem=problem, typed={"days": DEFAULT_DAYS, "scrub": scrubbed})
    days = int(said)
    ends = timezone.now() + timedelta(days=days) if days else None
    document = document_of(identity, scrubbed=scrubbed)
    try:
        token = report_shares.create(identity, document, expires_at=ends, scrubbed=scrubbed)
    except LookupError:
        raise there_is_none() from None
    link = request.build_absolute_uri(f"/r/{token}/")
    return _page(request, identity, 201, link=link, typed={"days": days, "scrub": scrubbed})


@require_POST
def revoke(_request: HttpRequest, identity: str, number: str) -> HttpResponse:
    """Ends a link for good."""
    found_report(identity)
    known = {str(one.id): one.id for one in report_shares.shares_of(identity)}
    if number not in known or not report_shares.revoke(known[number], identity):
        raise Http404(_("There is no such link, or it was revoked already."))
    return redirect(f"/reports/{identity}/share/")


def _guarded(document: bytes, policy: str, status: int) -> HttpResponse:
    """An answer that loads nothing, tells nobody where it was and is kept nowhere."""
    response = HttpResponse(document, status=status)
    # Without allow-same-origin the page has an origin of its own: no cookie, no storage, no request in our name.
    response["Content-Security-Policy"] = f"sandbox allow-scripts; {policy}"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Cache-Control"] = "no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def guarded_file(document: bytes) -> HttpResponse:
    """A file of ``dashboard.export`` as others see it, with the policy that it carries."""
    return _guarded(document, f"{policy_of(document)}; frame-ancestors 'none'", 200)


def _nothing_here() -> HttpResponse:
    """The same for every token that opens nothing."""
    style = styles("base.css")
    page = render_to_string("reports/gone.html", {"style": style})
    response = _guarded(page.encode(), plain_policy(style), 404)
    # Django writes the address of a refusal into the log, and this one may still hold a token that works elsewhere.
    response._has_been_logged = True  # type: ignore[attr-defined]  # django.utils.log.log_response
    return response


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link shows: one file, made when the link was. Only GET counts as a view."""
    document = report_shares.open_share(token, count=request.method == "GET")
    return _nothing_here() if document is None else guarded_file(document)
