"""Loads the trend of an experiment."""

from __future__ import annotations

import zlib

from dashboard.core.reports.figures import decode_figures
from dashboard.core.reports.trend import MAX_REPORTS, Trend, TrendReport, build_trend
from dashboard.models import Report


def load_trend(signature: str) -> Trend | None:
    """The newest reports with this signature (``core.reports.model.experiment_signature``), archived ones included;
    None without one."""
    rows = Report.objects.filter(signature=signature, deleted_at=None).exclude(signature="").order_by("-saved_at", "pk")
    bodies = rows.values_list("pk", "body")[:MAX_REPORTS]
    reports = [TrendReport(str(pk), decode_figures(zlib.decompress(body))) for pk, body in bodies]
    return build_trend(reports) if reports else None
