"""The list of reports, with search and filters, and the form to import one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.reports.model import Origin, normalise_tags
from dashboard.core.reports.parse import MAX_BYTES, InvalidReportError
from dashboard.export import example as example_report
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ListedReport, ReportNotFoundError, ReportPage, find_reports, get_report
from dashboard.web.http.threaded_views import threaded

MAX_QUERY = 200
SHOWN_TAGS = 40


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The search and the filters of a list."""

    query: str
    tags: tuple[str, ...]
    origin: str
    mine: bool
    archived: bool
    page: int

    @property
    def filtered(self) -> bool:
        """Whether it is not the whole list."""
        return bool(self.query or self.tags or self.origin or self.mine or self.archived)

    def url(self, tags: tuple[str, ...] | None = None, page: int = 0) -> str:
        """The address of the list with other tags or of another page."""
        values = {
            "q": self.query,
            "origin": self.origin,
            "owner": "me" if self.mine else "",
            "archived": "1" if self.archived else "",
            "page": page,
        }
        pairs = [(name, str(value)) for name, value in values.items() if value]
        pairs += [("tag", tag) for tag in (self.tags if tags is None else tags)]
        return f"/reports/?{urlencode(pairs)}" if pairs else "/reports/"


def _read_query(get: QueryDict) -> ListQuery:
    page = get.get("page", "")
    origin = get.get("origin", "")
    return ListQuery(
        " ".join(get.get("q", "").split())[:MAX_QUERY],
        normalise_tags(get.getlist("tag")[:12]),
        origin if origin in set(Origin) else "",
        get.get("owner") == "me",
        get.get("archived") == "1",
        int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _list_tags(page: ReportPage, query: ListQuery) -> list[dict[str, Any]]:
    """Tags that add a filter or remove it, chosen ones first."""
    tags = []
    for tag, count in sorted(page.tags[:SHOWN_TAGS], key=lambda item: item[0] not in query.tags):
        chosen = tag in query.tags
        toggled = tuple(other for other in query.tags if other != tag) if chosen else (*query.tags, tag)
        tags.append({"tag": tag, "count": count, "chosen": chosen, "url": query.url(tags=toggled)})
    return tags


def _render_list(request: HttpRequest, status: int = 200, **extra: Any) -> HttpResponse:
    query = _read_query(request.GET)
    owner = request.user.pk if query.mine else None
    page = find_reports(query.query, query.tags, query.origin, owner, archived=query.archived, page=query.page)
    context = {
        "query": query,
        "page": page,
        "tags": _list_tags(page, query),
        "origins": tuple(Origin),
        "newer_url": query.url(page=page.page - 1) if page.page > 1 else "",
        "older_url": query.url(page=page.page + 1) if page.page < page.pages else "",
        "deleted": _deleted_report(request.GET.get("deleted", "")),
        "import_limit": MAX_BYTES >> 20,
        "example_url": "/reports/example/" if example_report.is_there() else "",
        **extra,
    }
    return render(request, "reports/reports.html", context, status=status)


def _deleted_report(identity: str) -> ListedReport | None:
    """The report that was just deleted, to offer its restoration."""
    try:
        report = get_report(identity, deleted=True) if identity else None
    except ReportNotFoundError:
        return None
    return report if report is not None and report.deleted else None


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """A page of the list."""
    return _render_list(request)


def _read_upload(file: UploadedFile[bytes]) -> bytes:
    """The file, read in pieces up to the limit; InvalidReportError beyond it."""
    parts: list[bytes] = []
    left = MAX_BYTES
    for part in file.chunks():
        left -= len(part)
        if left < 0:
            raise InvalidReportError(_("The file is larger than %(limit)d MB.") % {"limit": MAX_BYTES >> 20})
        parts.append(part)
    return b"".join(parts)


@require_POST
@threaded
def import_report(request: HttpRequest) -> HttpResponse:
    """Imports a report; an invalid file is refused at the form."""
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return _render_list(request, 400, import_problem=_("Choose the JSON export of a report."))
    try:
        identity = saved_reports.import_file(_read_upload(file), request.user.pk)
    except InvalidReportError as error:
        return _render_list(request, 400, import_problem=str(error))
    return redirect(f"/reports/{identity}/")
