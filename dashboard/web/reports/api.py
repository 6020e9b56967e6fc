"""Reports over HTTP: find, save, read, export, import, write beside, put away, share, follow over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from dashboard.core.experiments.messages import encode
from dashboard.core.reports.model import frame
from dashboard.core.reports.parse import MOST_BYTES
from dashboard.core.training.group_quota import WorkKind
from dashboard.export.formats import Format, write
from dashboard.export.pdf import NoPdfError
from dashboard.latency.environment import read_machine
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from dashboard.store.reports.listing import Listed
from dashboard.web.reports.documents import document_of, removals_of
from dashboard.web.service import service
from dashboard.web.training.group_access import may_open

router = Router(tags=["reports"])
ACTIONS = {
    "archive": saved_reports.archive,
    "unarchive": saved_reports.unarchive,
    "delete": saved_reports.delete,
    "undelete": saved_reports.undelete,
}
MOST_TREND = 100
MOST_DAYS = 3650


class Refusal(Schema):
    """Why something was not done."""

    detail: str


class SaveIn(Schema):
    """What shall be saved: an experiment or a measurement, by its id. ``runs`` are the measurements of the experiment
    that go along; left out: all that are over."""

    model_config = ConfigDict(extra="forbid")
    experiment: str = ""
    measurement: str = ""
    title: str = ""
    notes: str = ""
    tags: list[str] = Field(default_factory=list, max_length=100)
    runs: list[str] | None = Field(default=None, max_length=100)


class Saved(Schema):
    """A report that is there now."""

    id: str
    url: str
    title: str
    digest: str
    imported_from: str = ""


class RemarkIn(Schema):
    """A remark, in Markdown."""

    model_config = ConfigDict(extra="forbid")
    text: str


class ShareIn(Schema):
    """A link that ends after so many days (null: never), of the report without the machine's details unless
    ``scrub`` is false."""

    model_config = ConfigDict(extra="forbid")
    days: int | None = Field(default=30, ge=1, le=MOST_DAYS)
    scrub: bool = True


class Asked(Schema):
    """What is looked for: every word of ``query``, every ``tag``."""

    query: str = Field(default="", max_length=1000)
    tag: list[str] = Field(default_factory=list, max_length=12)
    origin: Literal["", "experiment", "measurement", "claims"] = ""
    signature: str = ""
    archived: bool = False
    mine: bool = False
    page: int = Field(default=1, ge=1, le=1_000_000)


def _json(value: object, status: int = 200) -> HttpResponse:
    return HttpResponse(encode(value), status=status, content_type="application/json")


def _saved(row: Listed) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("id", "url", "title", "digest", "imported_from")}


@router.get("/reports", summary="Saved reports, newest first, fifty on a page")
def listing(request: HttpRequest, asked: Query[Asked]) -> HttpResponse:
    """Found reports, how many there are, and every tag in use."""
    owner = request.user.pk if asked.mine else None
    found = saved_reports.find(
        asked.query,
        asked.tag,
        asked.origin,
        owner,
        archived=asked.archived,
        signature=asked.signature,
        page=asked.page,
    )
    return _json(found)


@router.post("/reports", response={201: Saved, 400: Refusal}, summary="Save an experiment or a measurement")
def save(request: HttpRequest, body: SaveIn) -> Any:
    """Freezes it as it is now. It does not change any more."""
    if bool(body.experiment) == bool(body.measurement):
        return Status(400, {"detail": "Name one thing to save: either experiment or measurement."})
    runs = (body.measurement, *(body.runs or ()))
    named = ((WorkKind.EXPERIMENT, body.experiment), *((WorkKind.MEASUREMENT, one) for one in runs))
    if not all(may_open(kind, one, request.user) for kind, one in named if one):
        return Status(400, {"detail": "There is nothing of yours with this number."})
    said = body.model_dump(include={"title", "notes", "tags"}) | {"owner_id": request.user.pk}
    engine = service.engine
    try:
        if body.experiment:
            report = saved_reports.save_experiment(
                body.experiment, runs=body.runs, engine=engine, machine=read_machine() if engine else None, **said
            )
        else:
            report = saved_reports.save_measurement(body.measurement, engine=engine, **said)
    except saved_reports.NotSavedError as error:
        return Status(400, {"detail": str(error)})
    return Status(201, _saved(saved_reports.describe(report)))


@router.post(
    "/reports/import",
    response={201: Saved, 400: Refusal, 413: Refusal},
    summary="Take a report of another installation (report/1 as the body)",
)
async def take(request: HttpRequest) -> Any:
    """Verified before anything is written: form, hash, limits, meaning."""
    data = request.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return Status(413, {"detail": f"A report has at most {MOST_BYTES:,} bytes: save a smaller one."})

    def keep() -> dict[str, str]:
        return _saved(saved_reports.describe(saved_reports.import_file(data, request.user.pk)))

    try:
        # Not in the one thread of the pages: a large report takes a while.
        return Status(201, await database_sync_to_async(keep, thread_sensitive=False)())
    except saved_reports.NotAReportError as error:
        return Status(400, {"detail": str(error)})


@router.get(
    "/reports/trends/{signature}",
    response={404: Refusal},
    summary="The figures of the same experiment over time, oldest first",
)
def trend(request: HttpRequest, signature: str) -> Any:
    """The newest 100 reports of one signature, with what each path cost and the verdicts."""
    found = saved_reports.find(signature=signature) if signature else None
    if found is None or not found.total:
        return Status(404, {"detail": "There is no report of such an experiment."})
    rows = list(found.reports)
    if found.pages > 1:
        rows += saved_reports.find(signature=signature, page=2).reports
    return _json(
        {"signature": signature, "total": found.total, "reports": [_point(one) for one in rows[:MOST_TREND]][::-1]}
    )


def _point(row: Listed) -> dict[str, object]:
    view = saved_reports.derived(row.id).view
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


@router.get("/reports/{identity}", response={404: Refusal}, summary="The report (report/1), as it was saved")
def report(request: HttpRequest, identity: str) -> HttpResponse:
    """The canonical bytes: what an import takes."""
    response = HttpResponse(frame(saved_reports.content_bytes(identity)), content_type="application/json")
    response["Cache-Control"] = "private, no-cache"
    return response


@router.get("/reports/{identity}/about", response={404: Refusal}, summary="What stands in the list, and the remarks")
def about(request: HttpRequest, identity: str) -> HttpResponse:
    """Title, author, tags, hash, and what was written beside."""
    row = saved_reports.describe(identity)
    remarks = [
        {"id": one.pk, "author": one.author, "at": one.at, "text": one.text} for one in saved_reports.remarks(identity)
    ]
    return _json({"report": row, "remarks": remarks})


@router.get(
    "/reports/{identity}/export/{ending}",
    response={404: Refusal, 501: Refusal},
    summary="html, pdf, json, csv, md or histograms.csv",
)
def export(request: HttpRequest, identity: str, ending: str) -> Any:
    """One document."""
    if ending not in set(Format):
        return Status(404, {"detail": f"A report is not written as “{ending[:20]}”: choose from {', '.join(Format)}."})
    try:
        written = write(identity, Format(ending))
    except NoPdfError as error:
        return Status(501, {"detail": str(error)})
    response = HttpResponse(b"".join(written.parts), content_type=written.content_type)
    response["Content-Disposition"] = f'attachment; filename="report-{identity}.{ending}"'
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return response


@router.get("/reports/{identity}/removed", response={404: Refusal}, summary="What a shared report would leave out")
def removed(request: HttpRequest, identity: str) -> HttpResponse:
    """Each detail of the machine with what would stand there."""
    return _json({"removed": removals_of(identity)})


@router.post(
    "/reports/{identity}/remarks", response={201: dict, 400: Refusal, 404: Refusal}, summary="Write beside a report"
)
def annotate(request: HttpRequest, identity: str, body: RemarkIn) -> Any:
    """It does not change the report, nor its hash."""
    try:
        return Status(201, {"id": saved_reports.annotate(identity, body.text, owner_id=request.user.pk)})
    except saved_reports.NotSavedError as error:
        return Status(400, {"detail": str(error)})


@router.get("/reports/{identity}/shares", response={404: Refusal}, summary="The links to a report")
def shares(request: HttpRequest, identity: str) -> HttpResponse:
    """Without their tokens: these were said once."""
    saved_reports.describe(identity)
    return _json({"shares": report_shares.shares_of(identity)})


@router.post(
    "/reports/{identity}/shares",
    response={201: dict, 404: Refusal},
    summary="A link that shows a report without sign-in",
)
async def share(request: HttpRequest, identity: str, body: ShareIn) -> Any:
    """``url`` is said now and never again."""
    ends = None if body.days is None else timezone.now() + timedelta(days=body.days)

    def make() -> str:
        document = document_of(identity, scrubbed=body.scrub)
        return report_shares.create(identity, document, expires_at=ends, scrubbed=body.scrub)

    token = await database_sync_to_async(make, thread_sensitive=False)()
    url = await sync_to_async(request.build_absolute_uri)(f"/r/{token}/")
    return Status(201, {"url": url, "expires_at": None if ends is None else ends.isoformat(), "scrubbed": body.scrub})


@router.post(
    "/reports/{identity}/shares/{number}/revoke", response={200: dict, 404: Refusal}, summary="End a link for good"
)
def revoke(request: HttpRequest, identity: str, number: int) -> Any:
    """404 where there is no such link of this report that lives."""
    saved_reports.describe(identity)
    if not 0 <= number < 2**63 or not report_shares.revoke(number, identity):
        return Status(404, {"detail": "There is no such link, or it was revoked already."})
    return Status(200, {"revoked": True})


@router.post(
    "/reports/{identity}/{action}",
    response={200: dict, 400: Refusal, 404: Refusal},
    summary="archive, unarchive, delete or undelete",
)
def put(request: HttpRequest, identity: str, action: str) -> Any:
    """A deleted report can be undeleted for 30 days."""
    if action not in ACTIONS:
        return Status(400, {"detail": f"There is no action “{action[:40]}”: choose from {', '.join(ACTIONS)}."})
    ACTIONS[action](identity)
    return Status(200, {"done": action})
