"""Exports a report in one of several formats. The extension of the file name selects the format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils.text import slugify

from dashboard.core.reports.csv_tables import histogram_lines, percentiles
from dashboard.core.reports.markdown import markdown
from dashboard.core.reports.model import frame
from dashboard.export.html import render_file
from dashboard.export.pdf import pdf
from dashboard.store.reports.listing import ListedReport, get_report
from dashboard.store.reports.reading import content_bytes, load_content, load_derived


class Format(StrEnum):
    """The formats, by the extension of the file."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "md"
    HISTOGRAMS = "histograms.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """An exported file. ``parts`` are its bytes in chunks, which are computed while they are read."""

    content_type: str
    parts: Iterator[bytes]


type Check = Callable[[], None]


def file_name(report: ListedReport, form: Format) -> str:
    """Returns the name of the file with which a report is downloaded: its title, its id and the format's extension, as
    in ``host-or-bridge-7f2a9c.json``."""
    return f"{slugify(report.title)[:60] or 'report'}-{report.id}.{form}"


def _html(report: str, check: Check) -> Iterator[bytes]:
    content = load_content(report)
    check()
    derived = load_derived(report)
    check()
    row = get_report(report)
    yield render_file(content, derived, digest=row.digest, json_file=file_name(row, Format.JSON), check=check)


def _pdf(report: str, check: Check) -> Iterator[bytes]:
    view = load_derived(report).view
    check()
    yield pdf(view, get_report(report).digest, check=check)


def _json(report: str, _check: Check) -> Iterator[bytes]:
    yield frame(content_bytes(report))


def _csv(report: str, check: Check) -> Iterator[bytes]:
    content = load_content(report)
    check()
    yield percentiles(content).encode()


def _markdown(report: str, check: Check) -> Iterator[bytes]:
    view = load_derived(report).view
    check()
    yield markdown(view, get_report(report).digest).encode()


def _histograms(report: str, _check: Check) -> Iterator[bytes]:
    # Only the lines are computed as they are read: that may be in a thread without a database connection.
    return (lines.encode() for lines in histogram_lines(load_content(report)))


_WRITERS: dict[Format, tuple[str, Callable[[str, Check], Iterator[bytes]]]] = {
    Format.HTML: ("text/html; charset=utf-8", _html),
    Format.PDF: ("application/pdf", _pdf),
    Format.JSON: ("application/json", _json),
    Format.CSV: ("text/csv; charset=utf-8", _csv),
    Format.MARKDOWN: ("text/markdown; charset=utf-8", _markdown),
    Format.HISTOGRAMS: ("text/csv; charset=utf-8", _histograms),
}


def export_report(report: str, form: Format, check: Check = lambda: None) -> Export:
    """Returns the report with this id in a format. The parts of the result are made while they are read. Reading them
    raises ReportNotFoundError if the report does not exist, and NoPdfError if the PDF cannot be made. ``check`` is
    called between the steps of the work; an exception that it raises ends the work."""
    content_type, writer = _WRITERS[form]
    return Export(content_type, writer(report, check))
