"""The HTTP API of reports: search, save, read, export, import, annotate, archive, delete, share, trends."""

from datetime import timedelta
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from dashboard.core.reports.model import frame
from dashboard.core.reports.parse import MAX_BYTES
from dashboard.core.training.group_quota import RunKind
from dashboard.export.formats import Format, export_report, file_name
from dashboard.store.operations.database_clock import shared_now
from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from dashboard.store.reports.listing import ListedReport
from dashboard.store.reports.saved import ImportResult
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.api_responses import Refusal, json_response
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.threaded_views import Check, run_cancellable
from dashboard.web.reports.documents import list_replacements, render_report
from dashboard.web.reports.save_views import save_with_machine
from dashboard.web.service import service
from dashboard.web.training.group_access import may_open

router = Router(tags=["reports"])
ACTIONS = {
    "archive": saved_reports.archive,
    "unarchive": saved_reports.unarchive,
    "delete": saved_reports.delete,
    "undelete": saved_reports.undelete,
    "purge": saved_reports.purge,
}
MAX_TREND = 100
MAX_DAYS = 3650


class SaveIn(Schema):
    """The id of the experiment or of the measurement to save. ``runs`` are the measurements to include with an
    experiment, by default all that have ended."""

    model_config = ConfigDict(extra="forbid")
    experiment: str = ""
    measurement: str = ""
    title: str = ""
    notes: str = ""
    tags: list[str] = Field(default_factory=list, max_length=100)
    runs: list[str] | None = Field(default=None, max_length=100)


class Saved(Schema):
    """A report. ``imported_at`` is in seconds since the epoch, null if it was saved here. ``existing`` is true if
    nothing was stored, because a report already had the content of the imported file."""

    id: str
    url: str
    title: str
    digest: str
    imported_from: str = ""
    imported_at: float | None = None
    imported_file: str = ""
    existing: bool = False


class ImportQuery(Schema):
    """``file`` is the name of the file. With ``copy``, the file is stored even if a report already has its content."""

    file: str = Field(default="", max_length=1000)
    copy_existing: bool = Field(default=False, alias="copy")


class RemarkIn(Schema):
    """A remark, in Markdown."""

    model_config = ConfigDict(extra="forbid")
    text: str


class ShareIn(Schema):
    """A link that expires after ``days`` (null: never). Unless ``scrub`` is false, it shows the report without details
    of the machine."""

    model_config = ConfigDict(extra="forbid")
    days: int | None = Field(default=30, ge=1, le=MAX_DAYS)
    scrub: bool = True


class ReportQuery(Schema):
    """Finds reports with every word of ``query`` and every ``tag``. With ``deleted``, lists all deleted reports."""

    query: str = Field(default="", max_length=1000)
    tag: list[str] = Field(default_factory=list, max_length=12)
    origin: Literal["", "experiment", "measurement", "claims"] = ""
    signature: str = ""
    archived: bool = False
    deleted: bool = False
    mine: bool = False
    page: int = Field(default=1, ge=1, le=1_000_000)


def _saved(row: ListedReport) -> dict[str, Any]:
    names = ("id", "url", "title", "digest", "imported_from", "imported_at", "imported_file")
    return {name: getattr(row, name) for name in names}


@router.get("/reports", summary="List saved reports, newest first, 50 per page")
def listing(request: HttpRequest, search: Query[ReportQuery]) -> HttpResponse:
    """Returns a page of reports, their total number, and all tags in use."""
    if search.deleted:
        return json_response(report_listing.find_deleted(search.page))
    owner = request.user.pk if search.mine else None
    page = report_listing.find_reports(
        search.query,
        search.tag,
        search.origin,
        owner,
        archived=search.archived,
        signature=search.signature,
        page=search.page,
    )
    return json_response(page)


@router.post("/reports", response={201: Saved, 400: Refusal}, summary="Save an experiment or a measurement")
def save(request: HttpRequest, body: SaveIn) -> Any:
    """Saves the current state as a report, which never changes."""
    if bool(body.experiment) == bool(body.measurement):
        return Status(400, {"detail": "Give either “experiment” or “measurement”."})
    runs = (body.measurement, *(body.runs or ()))
    named = ((RunKind.EXPERIMENT, body.experiment), *((RunKind.MEASUREMENT, run) for run in runs))
    if not all(may_open(kind, one, request.user) for kind, one in named if one):
        return Status(400, {"detail": "You have no experiment or measurement with this id."})
    details = saved_reports.ReportDetails(body.title, body.notes, tuple(body.tags), owner_id=request.user.pk)
    if body.experiment:
        report = save_with_machine(body.experiment, details, body.runs)
    else:
        report = saved_reports.save_measurement(body.measurement, details, engine=service.engine)
    return Status(201, _saved(report_listing.get_report(report)))


@router.post(
    "/reports/import",
    response={200: Saved, 201: Saved, 400: Refusal, 413: Refusal},
    summary="Import a report (report/1 as the body)",
)
async def import_report(request: HttpRequest, options: Query[ImportQuery]) -> Any:
    """Validates and stores the file. Returns 200 without storing if a report has this content, unless ``copy=true``."""
    data = request.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return Status(413, {"detail": f"A report has at most {MAX_BYTES:,} bytes. Save a smaller one."})

    owner_id = request.user.pk

    def store(check: Check) -> ImportResult:
        copy = options.copy_existing
        return saved_reports.import_once(data, owner_id, file_name=options.file, copy=copy, check=check)

    result = await run_cancellable(store)
    return Status(200 if result.existing else 201, _saved(result.report) | {"existing": result.existing})


@router.get(
    "/reports/trends/{signature}",
    response={404: Refusal},
    summary="The figures of one experiment over time, oldest first",
)
def trend(request: HttpRequest, signature: str) -> Any:
    """Returns latencies and verdicts of the newest 100 reports with this ``signature``, including archived ones."""
    page = report_listing.find_reports(archived=None, signature=signature) if signature else None
    if page is None or not page.total:
        return Status(404, {"detail": "There is no report of this experiment."})
    rows = list(page.reports)
    if page.pages > 1:
        rows += report_listing.find_reports(archived=None, signature=signature, page=2).reports
    return json_response(
        {"signature": signature, "total": page.total, "reports": [_point(row) for row in rows[:MAX_TREND]][::-1]}
    )


def _point(row: ListedReport) -> dict[str, object]:
    view = report_reading.load_derived(row.id).view
    return {
        "id": row.id,
        "url": row.url,
        "title": row.title,
        "saved_at": row.saved_at,
        "engine": view.engine,
        "environment": [{"environment": run.measurement.environment, "run": run.id} for run in view.runs],
        "series": [{"run": run.id, "series": run.measurement.series} for run in view.runs],
        "comparisons": [{"run": run.id, "comparisons": run.measurement.comparisons} for run in view.runs],
    }


@router.get("/reports/{identity}", response={404: Refusal}, summary="The saved report (report/1)")
def report(request: HttpRequest, identity: str) -> HttpResponse:
    """Returns the report in its canonical format, which can be imported."""
    response = HttpResponse(frame(report_reading.content_bytes(identity)), content_type="application/json")
    response["Cache-Control"] = "private, no-cache"
    return response


@router.get("/reports/{identity}/about", response={404: Refusal}, summary="Title, author, tags and remarks of a report")
def about(request: HttpRequest, identity: str) -> HttpResponse:
    """Returns the title, author, tags, hash and remarks of a report."""
    row = report_listing.get_report(identity)
    remarks = [
        {"id": one.pk, "author": one.author, "at": one.at, "text": one.text} for one in saved_reports.remarks(identity)
    ]
    return json_response({"report": row, "remarks": remarks})


@router.get(
    "/reports/{identity}/export/{ending}",
    response={404: Refusal, 501: Refusal},
    summary="Export a report: html, pdf, json, csv, md or histograms.csv",
)
async def export(request: HttpRequest, identity: str, ending: str) -> Any:
    """Returns the report as a download. If the client disconnects, the export is cancelled."""
    if ending not in set(Format):
        return Status(404, {"detail": f"There is no export as “{ending[:20]}”. Choose from {', '.join(Format)}."})

    def render(check: Check) -> HttpResponse:
        exported = export_report(identity, Format(ending), check)
        response = HttpResponse(b"".join(exported.parts), content_type=exported.content_type)
        name = file_name(report_listing.get_report(identity), Format(ending))
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    response = await run_cancellable(render)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return response


@router.get("/reports/{identity}/removed", response={404: Refusal}, summary="What anonymising a report replaces")
def removed(request: HttpRequest, identity: str) -> HttpResponse:
    """Lists the details of the machine that anonymising replaces, each with its pseudonym."""
    return json_response({"removed": list_replacements(identity)})


@router.post(
    "/reports/{identity}/remarks", response={201: dict, 400: Refusal, 404: Refusal}, summary="Add a remark to a report"
)
def annotate(request: HttpRequest, identity: str, body: RemarkIn) -> Any:
    """Adds a remark. The report and its hash do not change."""
    return Status(201, {"id": saved_reports.annotate(identity, body.text, owner_id=request.user.pk)})


@router.get("/reports/{identity}/shares", response={404: Refusal}, summary="List the share links of a report")
def shares(request: HttpRequest, identity: str) -> HttpResponse:
    """Lists the share links of a report, without the tokens, which are shown only once."""
    report_listing.get_report(identity)
    return json_response({"shares": report_shares.shares_of(identity)})


@router.post(
    "/reports/{identity}/shares",
    response={201: dict, 404: Refusal},
    summary="Create a link that shows a report without sign-in",
)
async def share(request: HttpRequest, identity: str, body: ShareIn) -> Any:
    """Creates a share link. Only this response contains its ``url``."""
    expires_at = None if body.days is None else shared_now() + timedelta(days=body.days)

    def make() -> str:
        document = render_report(identity, anonymised=body.scrub)
        return report_shares.create(identity, document, expires_at=expires_at, scrubbed=body.scrub)

    token = await to_db_thread(make)
    url = f"{(await to_db_thread(join_address, request)).origin}/r/{token}/"
    return Status(
        201, {"url": url, "expires_at": None if expires_at is None else expires_at.isoformat(), "scrubbed": body.scrub}
    )


@router.post("/reports/{identity}/shares/{number}/revoke", response={200: dict, 404: Refusal}, summary="Revoke a link")
def revoke(request: HttpRequest, identity: str, number: int) -> Any:
    """Revokes a share link. Returns 404 if the report has no active link with this number."""
    report_listing.get_report(identity)
    if not 0 <= number < 2**63 or not report_shares.revoke(number, identity):
        return Status(404, {"detail": "This link does not exist or is already revoked."})
    return Status(200, {"revoked": True})


@router.post(
    "/reports/{identity}/{action}",
    response={200: dict, 400: Refusal, 404: Refusal},
    summary="Archive, unarchive, delete, undelete or purge a report",
)
def change(request: HttpRequest, identity: str, action: str) -> Any:
    """Archives, unarchives, deletes, undeletes or purges a report. A deleted report can be restored for 30 days."""
    if action not in ACTIONS:
        return Status(400, {"detail": f"There is no action “{action[:40]}”. Choose from {', '.join(ACTIONS)}."})
    ACTIONS[action](identity)
    return Status(200, {"done": action})
