"""Pages about several reports: a comparison, and a trend over time."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.reports.compare import LETTERS, MAX_REPORTS
from dashboard.store.reports import comparing as report_comparing
from dashboard.store.reports.listing import ListedReport, ReportNotFoundError, get_report
from dashboard.web.reports.presenters import describe_changes, group_by_section, order_parts


def _selected(request: HttpRequest) -> list[ListedReport]:
    """Returns the selected reports without duplicates: first the baseline, then the rest by the time of saving.

    Raises ReportNotFoundError if a report does not exist.
    """
    selected = dict.fromkeys(identity for identity in request.GET.getlist("report")[: 4 * MAX_REPORTS] if identity)
    rows = [get_report(identity) for identity in selected]
    baseline = request.GET.get("baseline", "")
    return sorted(rows, key=lambda row: (row.id != baseline, row.saved_at))


def _baseline_url(rows: list[ListedReport], baseline: str) -> str:
    pairs = [("report", row.id) for row in rows] + [("baseline", baseline)]
    return f"/reports/compare/?{urlencode(pairs)}"


@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Renders the page that compares the selected reports. If too few or too many are selected, it states how many to
    select."""
    try:
        rows = _selected(request)
    except ReportNotFoundError:
        problem = _("One of these reports does not exist or was deleted. Select others.")
        return render(request, "reports/compare/compare.html", {"problem": problem}, status=404)
    if not 2 <= len(rows) <= MAX_REPORTS:
        problem = _("%(count)d reports are selected. Select 2 to %(most)d.") % {
            "count": len(rows),
            "most": MAX_REPORTS,
        }
        return render(request, "reports/compare/compare.html", {"problem": problem}, status=400)
    names = {letter: f"{letter} {row.title or row.id}" for letter, row in zip(LETTERS, rows, strict=False)}
    shown = [
        {"letter": letter, "row": row, "baseline_url": _baseline_url(rows, row.id)}
        for letter, row in zip(LETTERS, rows, strict=False)
    ]
    comparison = report_comparing.compare([row.id for row in rows])
    context = {
        "comparison": comparison,
        "rows": shown,
        "names": list(names.values()),
        "name_of": names,
        "sentence": describe_changes(comparison),
        "parts": order_parts(comparison),
        "sections": group_by_section(comparison.changes),
        "same_sections": group_by_section(comparison.same),
        "claims": {
            "flipped": [row for row in comparison.claims if row.flipped],
            "same": [row for row in comparison.claims if row.compared and not row.flipped],
            "single": [row for row in comparison.claims if not row.compared],
        },
        "environment": {
            "differing": [row for row in comparison.environment if row.differs],
            "same": [row for row in comparison.environment if not row.differs],
        },
    }
    return render(request, "reports/compare/compare.html", context)


@require_GET
def trend(request: HttpRequest, signature: str) -> HttpResponse:
    """Renders the page that shows the reports of one experiment over time."""
    loaded = report_comparing.load_trend(signature)
    if loaded is None:
        raise Http404(_("There is no report of this experiment."))
    newest = loaded.entries[-1]
    pair = [("report", entry.id) for entry in loaded.entries[-2:]]
    context = {
        "trend": loaded,
        "title": newest.title,
        "compare_url": f"/reports/compare/?{urlencode(pair)}" if len(pair) == 2 else "",
    }
    return render(request, "reports/compare/trend.html", context)
