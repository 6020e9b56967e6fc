"""Pages on several reports: beside each other, and over time."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.reports.compare import LETTERS, MOST_REPORTS
from dashboard.store.reports import comparing as report_comparing
from dashboard.store.reports import trends as report_trends
from dashboard.store.reports.listing import Listed, NoReportError, describe


def _chosen(request: HttpRequest) -> list[Listed]:
    """The reports that were asked for, each once: the baseline first, then by when they were saved. NoReportError."""
    asked = dict.fromkeys(one for one in request.GET.getlist("report")[: 4 * MOST_REPORTS] if one)
    rows = [describe(identity) for identity in asked]
    baseline = request.GET.get("baseline", "")
    return sorted(rows, key=lambda row: (row.id != baseline, row.saved_at))


def _with_baseline(rows: list[Listed], baseline: str) -> str:
    pairs = [("report", row.id) for row in rows] + [("baseline", baseline)]
    return f"/reports/compare/?{urlencode(pairs)}"


@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Two reports or more beside each other; with fewer or more a page that says how to choose."""
    try:
        rows = _chosen(request)
    except NoReportError:
        problem = _("One of these reports is not here, or was deleted: tick others.")
        return render(request, "reports/compare.html", {"problem": problem}, status=404)
    if not 2 <= len(rows) <= MOST_REPORTS:
        problem = _("%(count)d reports are ticked: tick two to %(most)d.") % {"count": len(rows), "most": MOST_REPORTS}
        return render(request, "reports/compare.html", {"problem": problem}, status=400)
    shown = [
        {"letter": letter, "row": row, "baseline_url": _with_baseline(rows, row.id)}
        for letter, row in zip(LETTERS, rows, strict=False)
    ]
    comparison = report_comparing.compare([row.id for row in rows])
    return render(request, "reports/compare.html", {"comparison": comparison, "rows": shown})


@require_GET
def trend(request: HttpRequest, signature: str) -> HttpResponse:
    """All reports of one experiment over time."""
    found = report_trends.load_trend(signature)
    if found is None:
        raise Http404(_("No report of this experiment was saved."))
    newest = found.moments[-1]
    pair = [("report", one.id) for one in found.moments[-2:]]
    context = {
        "trend": found,
        "title": newest.title,
        "compare_url": f"/reports/compare/?{urlencode(pair)}" if len(pair) == 2 else "",
    }
    return render(request, "reports/trend.html", context)
