"""Reads reports: their content, and what is derived from it, namely the view (what the page of the report shows) and
the recording (the journal, prepared for the replay)."""

import zlib
from dataclasses import dataclass

from dashboard.core.reports.model import ReportContent, decode_content
from dashboard.core.reports.parse import InvalidReportError
from dashboard.core.reports.replay.recording import RECORDING_VERSION, build_recording, encode_recording
from dashboard.core.reports.view import VERSION, ReportView, build_view, decode_view, encode_view
from dashboard.models import Report
from dashboard.store.reports.listing import NOT_FOUND, ReportNotFoundError

#: The version of derived data; it changes with the version of the view or of the recording.
DERIVED_VERSION = 100 * VERSION + RECORDING_VERSION


@dataclass(frozen=True, slots=True)
class Derived:
    """The data that is computed once from a report's content. ``recording`` is the journal as JSON for the replay,
    empty if the report has no journal."""

    view: ReportView
    recording: bytes


def content_bytes(report: str) -> bytes:
    """The content of a report as canonical JSON, from which ``core.reports.model.frame`` makes a file. Raises
    ReportNotFoundError."""
    return zlib.decompress(_row(report, "body").body)


def load_content(report: str) -> ReportContent:
    """The content of a report. Raises ReportNotFoundError."""
    return decode_content(content_bytes(report))


def load_derived(report: str) -> Derived:
    """The view and the recording of a report, as they are stored. If another version of Netmodes has stored them,
    computes and stores them again. Raises ReportNotFoundError."""
    row = _row(report, "view", "track", "derived")
    if row.derived == DERIVED_VERSION:
        return Derived(decode_view(zlib.decompress(row.view)), zlib.decompress(row.track))
    derived = derive(load_content(report))
    Report.objects.filter(pk=report).update(**derived_columns(derived))
    return derived


def derive(content: ReportContent) -> Derived:
    """Computes the view and the recording of a report's content. Raises InvalidReportError if that fails."""
    journal = content.experiment.journal if content.experiment is not None else ()
    try:
        return Derived(build_view(content), encode_recording(build_recording(journal)) if journal else b"")
    except Exception as error:
        raise InvalidReportError(
            f"The report cannot be shown ({type(error).__name__}: {str(error)[:100]}). Export it again."
        ) from error


def derived_columns(derived: Derived) -> dict[str, bytes | int]:
    """The values of the columns of a report's row that store the derived data."""
    view = zlib.compress(encode_view(derived.view), 6)
    return {"view": view, "track": zlib.compress(derived.recording, 6), "derived": DERIVED_VERSION}


def _row(report: str, *fields: str) -> Report:
    row = Report.objects.filter(pk=report, deleted_at=None).only("pk", *fields).first()
    if row is None:
        raise ReportNotFoundError(NOT_FOUND)
    return row
