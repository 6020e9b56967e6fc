"""Renders a report as one HTML file, complete or anonymised."""

from dashboard.core.reports.anonymisation.anonymise import Replacement, anonymise
from dashboard.core.reports.model import canonical, digest_of
from dashboard.export.formats import Format, file_name
from dashboard.export.html import render_file
from dashboard.store.reports.listing import get_report
from dashboard.store.reports.reading import derive, load_content, load_derived


def render_report(identity: str, *, anonymised: bool = False) -> bytes:
    """Returns the HTML file of a report. Raises ReportNotFoundError.

    An anonymised report has different content, and thus another hash.
    """
    content = load_content(identity)
    if not anonymised:
        row = get_report(identity)
        return render_file(content, load_derived(identity), digest=row.digest, json_file=file_name(row, Format.JSON))
    content, _replacements = anonymise(content)
    return render_file(content, derive(content), digest=digest_of(canonical(content)), anonymised=True)


def list_replacements(identity: str) -> tuple[Replacement, ...]:
    """Returns the details that anonymising a report replaces, with their pseudonyms. Raises ReportNotFoundError."""
    return anonymise(load_content(identity))[1]
