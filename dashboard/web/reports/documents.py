"""A report's file, with or without the details of the machine that stand in it."""

from __future__ import annotations

from dashboard.core.reports.anonymisation.anonymise import Removal, scrub
from dashboard.core.reports.model import canonical, digest_of
from dashboard.export.html import one_file
from dashboard.store.reports.listing import describe
from dashboard.store.reports.reading import derive, derived, load_content


def document_of(identity: str, *, scrubbed: bool = False) -> bytes:
    """The one file of a report; NoReportError. A scrubbed one is another content with a hash of its own."""
    content = load_content(identity)
    if not scrubbed:
        found = derived(identity)
        return one_file(content, found.view, found.track, digest=describe(identity).digest)
    content, _removed = scrub(content)
    made = derive(content)
    return one_file(content, made.view, made.track, digest=digest_of(canonical(content)), scrubbed=True)


def removals_of(identity: str) -> tuple[Removal, ...]:
    """What a scrubbed report leaves out; NoReportError."""
    return scrub(load_content(identity))[1]
