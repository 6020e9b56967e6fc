"""Reports as lists show them: searched, filtered, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from dashboard.core.reports.model import clean_tags
from dashboard.models import Report, ReportTag

PAGE = 50
MOST_WORDS = 12
#: What a list need not read.
_HEAVY = ("body", "view", "track", "words")


class NoReportError(LookupError):
    """There is no such report, or it is deleted."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A report as a line of a list. ``saved_at`` in seconds since the epoch; ``imported_from`` names the other
    installation, empty for ours."""

    id: str
    title: str
    author: str
    origin: str
    line: str
    tags: tuple[str, ...]
    saved_at: float
    digest: str
    size: int
    source: str
    signature: str
    imported_from: str
    owner: int | None
    archived: bool
    deleted: bool
    url: str


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search; ``total`` counts all pages, ``tags`` every tag in use with how often."""

    reports: tuple[Listed, ...]
    total: int
    page: int
    pages: int
    tags: tuple[tuple[str, int], ...] = ()


def describe(report: str, *, deleted: bool = False) -> Listed:
    """A report as lists show it; with ``deleted`` one that can still be undeleted. NoReportError."""
    rows = Report.objects.filter(pk=report)
    row = (rows if deleted else rows.filter(deleted_at=None)).prefetch_related("tag_rows").defer(*_HEAVY).first()
    if row is None:
        raise NoReportError("There is no report with this number.")
    return _listed(row)


def _listed(row: Report) -> Listed:
    return Listed(
        row.pk,
        row.title,
        row.author,
        row.origin,
        row.line,
        tuple(sorted(one.tag for one in row.tag_rows.all())),
        row.saved_at,
        row.digest,
        row.size,
        row.source,
        row.signature,
        row.imported_from,
        row.owner_id,
        row.archived_at is not None,
        row.deleted_at is not None,
        f"/reports/{row.pk}/",
    )


def find(
    query: str = "",
    tags: Sequence[str] = (),
    origin: str = "",
    owner: int | None = None,
    *,
    archived: bool = False,
    signature: str = "",
    page: int = 1,
) -> Found:
    """Reports with every word of ``query`` in them and every tag, newest first; deleted ones never."""
    rows = Report.objects.filter(deleted_at=None, archived_at__isnull=not archived)
    for word in query.casefold().replace("\0", "").split()[:MOST_WORDS]:
        rows = rows.filter(words__contains=word)
    for tag in clean_tags(tags):
        rows = rows.filter(tag_rows__tag=tag)
    for name, value in (("origin", origin), ("owner_id", owner), ("signature", signature)):
        if value:
            rows = rows.filter(**{name: value})
    total = rows.count()
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    shown = rows.order_by("-saved_at", "-created_at", "pk").defer(*_HEAVY).prefetch_related("tag_rows")
    return Found(
        tuple(_listed(row) for row in shown[(page - 1) * PAGE : page * PAGE]), total, page, pages, tags_in_use()
    )


def tags_in_use() -> tuple[tuple[str, int], ...]:
    """Every tag with how many reports have it, the most used first."""
    counted = ReportTag.objects.filter(report__deleted_at=None).values_list("tag").annotate(times=Count("id"))
    return tuple((str(tag), int(count)) for tag, count in counted.order_by("-times", "tag"))
