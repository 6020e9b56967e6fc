"""A report as its pages and files show it, with or without the details of the machine."""

from __future__ import annotations

from dashboard.core.report import canonical, digest_of
from dashboard.core.report_view import ReportView, build_view
from dashboard.core.track import build_track, encode_track
from dashboard.export.html import one_file
from dashboard.lab import reports
from dashboard.lab.report_list import describe


def derived_of(identity: str) -> tuple[ReportView, bytes]:
    """The view of a report and its encoded track; NoReportError."""
    content = reports.load_content(identity)
    journal = content.experiment.journal if content.experiment is not None else ()
    return build_view(content), encode_track(build_track(journal))


def document_of(identity: str, *, scrubbed: bool) -> bytes:
    """The one file of a report; NoReportError. A scrubbed one is another content with a hash of its own."""
    if not scrubbed:
        view, track = derived_of(identity)
        return one_file(reports.load_content(identity), view, track, digest=describe(identity).digest)
    content = reports.load_content(identity)
    journal = content.experiment.journal if content.experiment is not None else ()
    digest = digest_of(canonical(content))
    return one_file(content, build_view(content), encode_track(build_track(journal)), digest=digest, scrubbed=True)


def removals_of(identity: str) -> tuple[object, ...]:
    """What a scrubbed report leaves out."""
    return ()
