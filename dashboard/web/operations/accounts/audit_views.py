"""The audit trail for owners: a page with filters, and exports."""

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.store.operations import audit
from dashboard.store.operations.audit import AuditFilter
from dashboard.web.http.api_responses import json_response

PER_PAGE = 100
FIELDS = ("account", "action", "outcome", "text")


def _filter(request: HttpRequest) -> AuditFilter:
    return AuditFilter(**{field: request.GET.get(field, "").replace("\0", "").strip()[:150] for field in FIELDS})


@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Renders a page of the audit trail, newest entries first."""
    chosen = _filter(request)
    total = audit.count(chosen)
    pages = Paginator(range(total), PER_PAGE)
    number = pages.get_page(request.GET.get("page", "1")).number
    query = {field: getattr(chosen, field) for field in FIELDS if getattr(chosen, field)}
    context = {
        "entries": audit.read(chosen, PER_PAGE, (number - 1) * PER_PAGE).entries,
        "total": total,
        "chosen": chosen,
        "accounts": audit.values("account"),
        "actions": audit.values("action"),
        "outcomes": audit.OUTCOMES,
        "query": urlencode(query),
        "page": {"page": number, "pages": pages.num_pages},
        "newer_url": f"/audit/?{urlencode({**query, 'page': number - 1})}" if number > 1 else "",
        "older_url": f"/audit/?{urlencode({**query, 'page': number + 1})}" if number < pages.num_pages else "",
    }
    return render(request, "operations/accounts/audit.html", context)


@require_safe
def export(request: HttpRequest, ending: str) -> HttpResponse:
    """Returns the entries that match the filters as a file. ``ending`` is ``json`` (audit/1) or ``csv``."""
    entries = audit.read(_filter(request))
    if ending == "json":
        response = json_response(entries)
    elif ending == "csv":
        response = HttpResponse(audit.as_csv(entries), content_type="text/csv; charset=utf-8")
    else:
        raise Http404(_("The audit trail is exported as csv or json."))
    response["Content-Disposition"] = f'attachment; filename="netmodes-audit.{ending}"'
    return response
