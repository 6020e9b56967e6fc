"""What a report can be taken along as, by the ending of its file's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.reports.csv_tables import histogram_lines, percentiles
from dashboard.core.reports.markdown import markdown
from dashboard.core.reports.model import frame
from dashboard.export.html import one_file
from dashboard.export.pdf import pdf
from dashboard.store.reports.listing import describe
from dashboard.store.reports.reading import content_bytes, derived, load_content


class Format(StrEnum):
    """The formats, by the name that a person types."""

    HTML = "html"
    PDF = "pdf"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "md"
    HISTOGRAMS = "histograms.csv"


@dataclass(frozen=True, slots=True)
class Written:
    """One export, in parts."""

    content_type: str
    parts: Iterable[bytes]


def _html(report: str) -> Iterable[bytes]:
    found = derived(report)
    return (one_file(load_content(report), found.view, found.track, digest=describe(report).digest),)


def _pdf(report: str) -> Iterable[bytes]:
    return (pdf(derived(report).view, describe(report).digest),)


def _json(report: str) -> Iterable[bytes]:
    return (frame(content_bytes(report)),)


def _csv(report: str) -> Iterable[bytes]:
    return (percentiles(load_content(report)).encode(),)


def _markdown(report: str) -> Iterable[bytes]:
    return (markdown(derived(report).view, describe(report).digest).encode(),)


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


def write(report: str, form: Format) -> Written:
    """The report in this format; NoReportError, and NoPdfError where there is no typesetter."""
    content_type, writer = _WRITERS[form]
    return Written(content_type, writer(report))
