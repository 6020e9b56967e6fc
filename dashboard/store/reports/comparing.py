"""Compares saved reports."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.core.reports.compare import ComparedReport, ReportComparison, compare_reports
from dashboard.core.reports.figures import ReportFigures, decode_figures
from dashboard.store.reports.reading import content_bytes, load_derived


def load_figures(report: str) -> ReportFigures:
    """The figures of a report; ReportNotFoundError."""
    return decode_figures(content_bytes(report))


def compare(reports: Sequence[str]) -> ReportComparison:
    """Compares two to eight reports, the first with each of the others; ReportNotFoundError, ValueError for another
    number."""
    return compare_reports([ComparedReport(load_derived(report).view, load_figures(report)) for report in reports])
