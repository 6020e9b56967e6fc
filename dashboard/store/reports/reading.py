"""What a report says, and what was derived from it for reading: its view and the track of its replay."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from dashboard.core.reports.model import ReportContent, decode_content
from dashboard.core.reports.parse import NotAReportError
from dashboard.core.reports.replay.recording import TRACK_VERSION, build_track, encode_track
from dashboard.core.reports.view import VERSION, ReportView, build_view, decode_view, encode_view
from dashboard.models import Report
from dashboard.store.reports.listing import NoReportError

#: Made anew where either of the two is.
DERIVED_VERSION = 100 * VERSION + TRACK_VERSION


@dataclass(frozen=True, slots=True)
class Derived:
    """What is made once from a report. ``track`` is JSON, empty without a journal."""

    view: ReportView
    track: bytes


def content_bytes(report: str) -> bytes:
    """The canonical content as it was saved; ``core.reports.model.frame`` makes the file of it. NoReportError."""
    return zlib.decompress(_row(report, "body").body)


def load_content(report: str) -> ReportContent:
    """The content of a report; NoReportError."""
    return decode_content(content_bytes(report))


def derived(report: str) -> Derived:
    """The view and the track, made anew where another version made them; NoReportError."""
    row = _row(report, "view", "track", "derived")
    if row.derived == DERIVED_VERSION:
        return Derived(decode_view(zlib.decompress(row.view)), zlib.decompress(row.track))
    made = derive(load_content(report))
    Report.objects.filter(pk=report).update(**stored(made))
    return made


def derive(content: ReportContent) -> Derived:
    """The view and the track of a content; NotAReportError where it cannot be shown."""
    journal = content.experiment.journal if content.experiment is not None else ()
    try:
        return Derived(build_view(content), encode_track(build_track(journal)) if journal else b"")
    except Exception as error:
        sentence = (
            f"What the report says cannot be shown ({type(error).__name__}: {str(error)[:100]}): export it again."
        )
        raise NotAReportError(sentence) from error


def stored(made: Derived) -> dict[str, bytes | int]:
    """As the row keeps it."""
    view = zlib.compress(encode_view(made.view), 6)
    return {"view": view, "track": zlib.compress(made.track, 6), "derived": DERIVED_VERSION}


def _row(report: str, *fields: str) -> Report:
    row = Report.objects.filter(pk=report, deleted_at=None).only("pk", *fields).first()
    if row is None:
        raise NoReportError("There is no report with this number.")
    return row
