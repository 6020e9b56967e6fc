"""The list of reports with search and filters, the import of reports, and the list of deleted reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.reports.model import Origin, normalise_tags
from dashboard.core.reports.parse import MAX_BYTES, InvalidReportError
from dashboard.export import example as example_report
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import (
    NOT_FOUND,
    ListedReport,
    ReportNotFoundError,
    ReportPage,
    count_deleted,
    find_deleted,
    find_reports,
    get_report,
)
from dashboard.store.reports.saved import MAX_FILE_NAME, UNDO_DAYS
from dashboard.web.http.threaded_views import Check, cancellable, threaded

MAX_QUERY = 200
SHOWN_TAGS = 40


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The search, the filters and the page number of the list."""

    query: str
    tags: tuple[str, ...]
    origin: str
    mine: bool
    archived: bool
    page: int

    @property
    def filtered(self) -> bool:
        """Whether a search or a filter is set."""
        return bool(self.query or self.tags or self.origin or self.mine or self.archived)

    def url(self, tags: tuple[str, ...] | None = None, page: int = 0) -> str:
        """Returns the URL of the list with this search. ``tags`` replaces the selected tags, unless it is None;
        ``page`` is the page number, 0 for the first."""
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
    """Returns the tags of the list, selected ones first. The URL of each tag adds it to the filters or removes it."""
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
        "deleted": _find_report(request.GET.get("deleted", ""), deleted=True),
        "deleted_count": count_deleted(),
        "undo_days": UNDO_DAYS,
        "existing": _find_report(request.GET.get("existing", "")),
        "file_name": request.GET.get("file", "")[:MAX_FILE_NAME],
        "import_limit": MAX_BYTES >> 20,
        "example_url": "/reports/example/" if example_report.is_there() else "",
        **extra,
    }
    return render(request, "reports/reports.html", context, status=status)


def _find_report(identity: str, *, deleted: bool = False) -> ListedReport | None:
    """Returns a report; None if it does not exist. If ``deleted`` is true, finds only deleted reports, otherwise only
    reports that are not deleted."""
    try:
        report = get_report(identity, deleted=deleted)
    except ReportNotFoundError:
        return None
    return report if report.deleted == deleted else None


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Renders the list of reports."""
    return _render_list(request)


def _read_upload(file: UploadedFile[bytes]) -> bytes:
    """Reads the content of the uploaded file in pieces. Raises InvalidReportError if it exceeds ``MAX_BYTES``."""
    parts: list[bytes] = []
    left = MAX_BYTES
    for part in file.chunks():
        left -= len(part)
        if left < 0:
            raise InvalidReportError(_("The file is larger than %(limit)d MB.") % {"limit": MAX_BYTES >> 20})
        parts.append(part)
    return b"".join(parts)


@require_POST
@cancellable
def import_report(request: HttpRequest, check: Check) -> HttpResponse:
    """Imports a report from an uploaded file. If the client disconnects, the import is cancelled and nothing is stored.

    If the file is invalid, shows the form again with the reason. If a report already has this content, redirects to the
    list, which shows that report.
    """
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return _refuse_import(request, _("Choose the JSON export of a report."))
    name = file.name or ""
    try:
        result = saved_reports.import_once(_read_upload(file), request.user.pk, file_name=name, check=check)
    except InvalidReportError as error:
        return _refuse_import(request, str(error))
    url = result.report.url
    if result.existing:
        url = f"/reports/?{urlencode({'existing': result.report.id, 'file': name})}"
    return redirect(url) if request.accepts("text/html") else JsonResponse({"url": url})


def _refuse_import(request: HttpRequest, problem: str) -> HttpResponse:
    if request.accepts("text/html"):
        return _render_list(request, 400, import_problem=problem)
    return JsonResponse({"detail": problem}, status=400)


@require_POST
@threaded
def import_copy(request: HttpRequest, identity: str) -> HttpResponse:
    """Stores the content of an existing report again, as a new report."""
    file_name = request.POST.get("file", "")
    try:
        copy = saved_reports.import_copy(identity, request.user.pk, file_name=file_name)
    except ReportNotFoundError:
        raise Http404(_(NOT_FOUND)) from None
    return redirect(f"/reports/{copy}/")


@require_GET
def deleted(request: HttpRequest) -> HttpResponse:
    """Renders the list of deleted reports that can still be restored."""
    page = find_deleted(_read_query(request.GET).page)
    removal = timedelta(days=UNDO_DAYS).total_seconds()
    context = {
        "page": page,
        "rows": [(row, row.deleted_at + removal) for row in page.reports if row.deleted_at is not None],
        "undo_days": UNDO_DAYS,
        "newer_url": f"/reports/deleted/?page={page.page - 1}" if page.page > 1 else "",
        "older_url": f"/reports/deleted/?page={page.page + 1}" if page.page < page.pages else "",
    }
    return render(request, "reports/deleted.html", context)


@require_POST
def purge(_request: HttpRequest, identity: str) -> HttpResponse:
    """Removes a deleted report permanently."""
    try:
        saved_reports.purge(identity)
    except ReportNotFoundError:
        raise Http404(_(NOT_FOUND)) from None
    return redirect("/reports/deleted/")
