"""The export formats of a report, by the extension of the file."""

from collections.abc import Callable, Iterable
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


_WRITERS: dict[Format, tuple[str, Callable[[str], Iterable[bytes]]]] = {
    Format.HTML: (
        "text/html; charset=utf-8",
        lambda report: (render_file(load_content(report), load_derived(report), digest=get_report(report).digest),),
    ),
    Format.PDF: ("application/pdf", lambda report: (pdf(load_derived(report).view, get_report(report).digest),)),
    Format.JSON: ("application/json", lambda report: (frame(content_bytes(report)),)),
    Format.CSV: ("text/csv; charset=utf-8", lambda report: (percentiles(load_content(report)).encode(),)),
    Format.MARKDOWN: (
        "text/markdown; charset=utf-8",
        lambda report: (markdown(load_derived(report).view, get_report(report).digest).encode(),),
    ),
    Format.HISTOGRAMS: (
        "text/csv; charset=utf-8",
        lambda report: (lines.encode() for lines in histogram_lines(load_content(report))),
    ),
}


def export_report(report: str, form: Format) -> Export:
    """The report in a format; ReportNotFoundError, and NoPdfError if the PDF cannot be made."""
    content_type, writer = _WRITERS[form]
    return Export(content_type, writer(report))
