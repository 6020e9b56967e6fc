"""Reports read together: two or more beside each other, or all of one experiment over time."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.core.reports.compare import Compared, ReportComparison, compare_reports
from dashboard.core.reports.figures import LightReport, decode_light
from dashboard.store.reports.reading import content_bytes, derived


def light(report: str) -> LightReport:
    """The figures of a report; NoReportError."""
    return decode_light(content_bytes(report))


def compare(reports: Sequence[str]) -> ReportComparison:
    """Two to eight reports, the first against each other one; NoReportError, and ValueError for another number."""
    return compare_reports([Compared(derived(one).view, light(one)) for one in reports])
