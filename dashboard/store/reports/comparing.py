"""Compares saved reports with each other, and follows the reports of one experiment over time."""

import zlib
from collections.abc import Sequence

from dashboard.core.reports.compare import ComparedReport, ReportComparison, compare_reports
from dashboard.core.reports.figures import ReportFigures, decode_figures
from dashboard.core.reports.trend import MAX_REPORTS, Trend, TrendReport, build_trend
from dashboard.models import Report
from dashboard.store.reports.reading import content_bytes, load_derived


def load_figures(report: str) -> ReportFigures:
    """Decodes the parts of a report that comparisons and trends need. Raises ReportNotFoundError."""
    return decode_figures(content_bytes(report))


def compare(reports: Sequence[str]) -> ReportComparison:
    """Compares the first of two to eight reports with each of the others. Raises ValueError for fewer or more reports,
    and ReportNotFoundError if one of them does not exist."""
    return compare_reports([ComparedReport(load_derived(report).view, load_figures(report)) for report in reports])


def load_trend(signature: str) -> Trend | None:
    """The trend over the newest reports with this signature, including archived ones. Reports of the same experiment
    have the same signature (``core.reports.model.experiment_signature``). None if no report has it."""
    rows = Report.objects.filter(signature=signature, deleted_at=None).exclude(signature="").order_by("-saved_at", "pk")
    bodies = rows.values_list("pk", "body")[:MAX_REPORTS]
    reports = [TrendReport(str(pk), decode_figures(zlib.decompress(body))) for pk, body in bodies]
    return build_trend(reports) if reports else None
