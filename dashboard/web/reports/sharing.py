"""Share links of a report: the page that manages them, and the file that a link opens."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.export.bundle import styles
from dashboard.export.html import plain_policy, policy_of
from dashboard.store.operations.database_clock import shared_now
from dashboard.store.reports import shares as report_shares
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.threaded_views import threaded
from dashboard.web.reports.documents import list_replacements, render_report
from dashboard.web.reports.report_views import get_report_or_404

DAYS = (1, 7, 30, 90, 365)
DEFAULT_DAYS = 30
SHOWN_REPLACEMENTS = 200


@dataclass(frozen=True, slots=True)
class Duration:
    """A lifetime of a share link that the form offers. ``days`` is 0 if the link is valid until it is revoked."""

    days: int
    text: str


def durations() -> list[Duration]:
    """Returns the lifetimes that the form offers."""
    limited = [Duration(days, _("%(count)d days") % {"count": days} if days > 1 else _("1 day")) for days in DAYS]
    return [*limited, Duration(0, _("never"))]


def _page(request: HttpRequest, identity: str, status: int = 200, **extra: Any) -> HttpResponse:
    row = get_report_or_404(identity)
    replacements = list_replacements(identity)
    context = {
        "row": row,
        "replacements": replacements[:SHOWN_REPLACEMENTS],
        "replacement_count": len(replacements),
        "more_replacements": max(0, len(replacements) - SHOWN_REPLACEMENTS),
        "shares": report_shares.shares_of(identity),
        "durations": durations(),
        "typed": {"days": DEFAULT_DAYS, "scrub": True},
        **extra,
    }
    response = render(request, "reports/share/share.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@threaded
def share(request: HttpRequest, identity: str) -> HttpResponse:
    """Renders the page with the share links of a report and the details that anonymising the report replaces.

    POST creates a link, and shows it once.
    """
    if request.method != "POST":
        return _page(request, identity)
    get_report_or_404(identity)
    anonymised = request.POST.get("scrub") == "on"
    choice = request.POST.get("days", "")
    if choice not in {str(duration.days) for duration in durations()}:
        problem = _("Choose one of the listed durations.")
        return _page(request, identity, 400, problem=problem, typed={"days": DEFAULT_DAYS, "scrub": anonymised})
    days = int(choice)
    expires_at = shared_now() + timedelta(days=days) if days else None
    document = render_report(identity, anonymised=anonymised)
    token = report_shares.create(identity, document, expires_at=expires_at, scrubbed=anonymised)
    address = join_address(request)
    link, typed = f"{address.origin}/r/{token}/", {"days": days, "scrub": anonymised}
    return _page(request, identity, 201, link=link, is_local=address.is_local, typed=typed)


@require_POST
def revoke(_request: HttpRequest, identity: str, number: str) -> HttpResponse:
    """Revokes a share link permanently. ``number`` is the id of the link."""
    get_report_or_404(identity)
    known = {str(one.id): one.id for one in report_shares.shares_of(identity)}
    if number not in known or not report_shares.revoke(known[number], identity):
        raise Http404(_("This link does not exist or is already revoked."))
    return redirect(f"/reports/{identity}/share/")


def _guarded(document: bytes, policy: str, status: int) -> HttpResponse:
    """Returns a response with a document that may load nothing, sends no referrer, and is not cached.

    ``policy`` is added to the content security policy of the response.
    """
    response = HttpResponse(document, status=status)
    # No allow-same-origin: the page gets an opaque origin, without cookies, storage or authenticated requests.
    response["Content-Security-Policy"] = f"sandbox allow-scripts; {policy}"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Cache-Control"] = "no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def guarded_file(document: bytes) -> HttpResponse:
    """Returns a response with a file that ``dashboard.export`` has rendered. The response has the content security
    policy that the file contains."""
    return _guarded(document, f"{policy_of(document)}; frame-ancestors 'none'", 200)


def _invalid_link() -> HttpResponse:
    """Returns the response for a token that belongs to no active link. The page does not state the reason."""
    style = styles("base.css")
    page = render_to_string("reports/share/gone.html", {"style": style})
    response = _guarded(page.encode(), plain_policy(style), 404)
    # Prevents Django from logging the path, which may contain a token that is valid elsewhere.
    response._has_been_logged = True  # type: ignore[attr-defined]  # django.utils.log.log_response
    return response


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Returns the file of a share link, which was rendered when the link was created. Only GET counts as a view."""
    document = report_shares.open_share(token, count=request.method == "GET")
    return _invalid_link() if document is None else guarded_file(document)
