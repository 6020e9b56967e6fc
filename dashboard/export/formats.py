"""The export formats of a report, by the extension of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.reports.csv_tables import histogram_lines, percentiles
from dashboard.core.reports.markdown import markdown
from dashboard.core.reports.model import frame
from dashboard.export.html import render_file
from dashboard.export.pdf import pdf
from dashboard.store.reports.listing import get_report
from dashboard.store.reports.reading import content_bytes, load_content, load_derived


class Format(StrEnum):
    """The formats by extension."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "md"
    HISTOGRAMS = "histograms.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """An exported file in parts."""

    content_type: str
    parts: Iterable[bytes]


def _html(report: str) -> Iterable[bytes]:
    return (render_file(load_content(report), load_derived(report), digest=get_report(report).digest),)


def _pdf(report: str) -> Iterable[bytes]:
    return (pdf(load_derived(report).view, get_report(report).digest),)


def _json(report: str) -> Iterable[bytes]:
    return (frame(content_bytes(report)),)


def _csv(report: str) -> Iterable[bytes]:
    return (percentiles(load_content(report)).encode(),)


def _markdown(report: str) -> Iterable[bytes]:
    return (markdown(load_derived(report).view, get_report(report).digest).encode(),)


def _histograms(report: str) -> Iterator[bytes]:
    return (lines.encode() for lines in histogram_lines(load_content(report)))


_WRITERS: dict[Format, tuple[str, Callable[[str], Iterable[bytes]]]] = {
    Format.HTML: ("text/html; charset=utf-8", _html),
    Format.PDF: ("application/pdf", _pdf),
    Format.JSON: ("application/json", _json),
    Format.CSV: ("text/csv; charset=utf-8", _csv),
    Format.MARKDOWN: ("text/markdown; charset=utf-8", _markdown),
    Format.HISTOGRAMS: ("text/csv; charset=utf-8", _histograms),
}


def export_report(report: str, form: Format) -> Export:
    """The report in a format; ReportNotFoundError, and NoPdfError if the PDF cannot be made."""
    content_type, writer = _WRITERS[form]
    return Export(content_type, writer(report))
