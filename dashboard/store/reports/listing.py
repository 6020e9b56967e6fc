"""Lists reports: search, filters and pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from dashboard.core.reports.model import normalise_tags
from dashboard.models import Report, ReportTag

PAGE = 50
MAX_WORDS = 12
NOT_FOUND = "There is no report with this id."
#: Large columns that queries of lists leave out.
_LARGE = ("body", "view", "track", "words")


class ReportNotFoundError(LookupError):
    """The report does not exist or is deleted."""


@dataclass(frozen=True, slots=True)
class ListedReport:
    """A report as shown in lists. Times are in seconds since the epoch.

    ``imported_from`` is the id of the installation that exported the report, empty for a report of this installation.
    ``imported_at`` is None if the report was not imported. ``imported_file`` is the name of the imported file, empty if
    it is unknown. ``deleted_at`` is None if the report is not deleted.
    """

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
    imported_at: float | None = None
    imported_file: str = ""
    deleted_at: float | None = None


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One page of a list of reports. ``total`` is the number of reports on all pages. ``tags`` contains every tag in
    use with the number of its reports; it is empty for a list of deleted reports."""

    reports: tuple[ListedReport, ...]
    total: int
    page: int
    pages: int
    tags: tuple[tuple[str, int], ...] = ()


def get_report(report: str, *, deleted: bool = False) -> ListedReport:
    """A report as shown in lists. If ``deleted`` is true, also finds a deleted report that can still be restored.
    Raises ReportNotFoundError."""
    rows = Report.objects.filter(pk=report)
    row = (rows if deleted else rows.filter(deleted_at=None)).prefetch_related("tag_rows").defer(*_LARGE).first()
    if row is None:
        raise ReportNotFoundError(NOT_FOUND)
    return _to_listed(row)


def _to_listed(row: Report) -> ListedReport:
    return ListedReport(
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
        row.created_at.timestamp() if row.imported_from or row.imported_file else None,
        row.imported_file,
        row.deleted_at.timestamp() if row.deleted_at is not None else None,
    )


def find_reports(
    query: str = "",
    tags: Sequence[str] = (),
    origin: str = "",
    owner: int | None = None,
    *,
    archived: bool | None = False,
    signature: str = "",
    page: int = 1,
) -> ReportPage:
    """Returns a page of the reports that match all filters, newest first. An empty filter matches every report.

    A report matches if it contains every word of ``query`` and has every tag of ``tags``. ``origin`` is what was saved:
    an experiment, a measurement or claims. ``owner`` is the id of a user. ``signature`` is the signature of an
    experiment (``core.reports.model.experiment_signature``). If ``archived`` is true, only archived reports are found,
    if it is false, only the others, and if it is None, both. Deleted reports are never found.
    """
    rows = Report.objects.filter(deleted_at=None)
    if archived is not None:
        rows = rows.filter(archived_at__isnull=not archived)
    for word in query.casefold().replace("\0", "").split()[:MAX_WORDS]:
        rows = rows.filter(words__contains=word)
    for tag in normalise_tags(tags):
        rows = rows.filter(tag_rows__tag=tag)
    for name, value in (("origin", origin), ("owner_id", owner), ("signature", signature)):
        if value:
            rows = rows.filter(**{name: value})
    return _to_page(rows.order_by("-saved_at", "-created_at", "pk"), page, tags_in_use())


def _to_page(rows: QuerySet[Report], page: int, tags: tuple[tuple[str, int], ...] = ()) -> ReportPage:
    total = rows.count()
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    shown = rows.defer(*_LARGE).prefetch_related("tag_rows")[(page - 1) * PAGE : page * PAGE]
    return ReportPage(tuple(map(_to_listed, shown)), total, page, pages, tags)


def find_deleted(page: int = 1) -> ReportPage:
    """Returns a page of the deleted reports that can still be restored, the last deleted first."""
    return _to_page(Report.objects.exclude(deleted_at=None).order_by("-deleted_at", "pk"), page)


def count_deleted() -> int:
    """The number of deleted reports that can still be restored."""
    return Report.objects.exclude(deleted_at=None).count()


def find_same(digest: str) -> ListedReport | None:
    """The oldest report whose content has this digest and that is not deleted; None if no report matches."""
    rows = Report.objects.filter(digest=digest, deleted_at=None).order_by("created_at", "pk")
    row = rows.prefetch_related("tag_rows").defer(*_LARGE).first()
    return None if row is None else _to_listed(row)


def tags_in_use() -> tuple[tuple[str, int], ...]:
    """Every tag with the number of its reports, the most used first."""
    counted = ReportTag.objects.filter(report__deleted_at=None).values_list("tag").annotate(times=Count("id"))
    return tuple((str(tag), int(count)) for tag, count in counted.order_by("-times", "tag"))
