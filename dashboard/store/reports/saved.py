"""Saves and imports reports, archives and deletes them, and stores remarks. The content of a report never changes."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction

from dashboard import __version__
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import Environment
from dashboard.core.reports.model import (
    Origin,
    ReportContent,
    canonical,
    digest_of,
    experiment_signature,
    frame,
    normalise_tags,
)
from dashboard.core.reports.parse import InvalidReportError
from dashboard.core.reports.validate import MAX_AUTHOR, MAX_TITLE, validate_file
from dashboard.models import Annotation, Report, ReportTag
from dashboard.store import claim_runs
from dashboard.store.installation import installation_id
from dashboard.store.operations.audit import audited, note
from dashboard.store.operations.database_clock import shared_clock, shared_now
from dashboard.store.reports import snapshot as report_snapshot
from dashboard.store.reports.listing import NOT_FOUND, ListedReport, ReportNotFoundError, find_same, get_report
from dashboard.store.reports.reading import content_bytes, derive, derived_columns
from dashboard.store.reports.snapshot import NotSavedError

UNDO_DAYS = 30
#: The maximum number of reports that one call purges.
PURGE_BATCH = 500
MAX_REMARK = 20_000
MAX_FILE_NAME = 200


@dataclass(frozen=True, slots=True)
class ReportDetails:
    """The details of a new report. If ``title`` is empty, the report gets a title from what is saved. If ``author`` is
    empty, it gets the owner's name. ``owner_id`` is the id of a user; None for the command line."""

    title: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    owner_id: int | None = None


NO_DETAILS = ReportDetails()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The report that has the content of an imported file. If ``existing`` is true, it already existed, and nothing was
    stored."""

    report: ListedReport
    existing: bool


def save_experiment(
    experiment: str,
    details: ReportDetails = NO_DETAILS,
    *,
    runs: Sequence[str] | None = None,
    engine: EngineRef | None = None,
    machine: Environment | None = None,
) -> str:
    """Saves a report of an experiment up to its newest journal entry, and returns the report's id. ``runs`` are the ids
    of the measurements to include, by default all that have ended. ``engine`` describes the engine as it runs now.
    ``machine`` is the environment (kernel, tools) of that engine; it is stored if the experiment ran on ``engine`` and
    no measurement is included. Raises NotSavedError."""
    frozen = report_snapshot.freeze_experiment(experiment, engine)
    frozen_runs = report_snapshot.freeze_runs(report_snapshot.runs_of(experiment) if runs is None else runs)
    own_machine = machine if frozen.engine is engine else None
    environment = report_snapshot.environment_of(frozen_runs, frozen.engine, own_machine)
    content = _new_content(details, Origin.EXPERIMENT, frozen.spec.title)
    content = replace(content, experiment=frozen, measurements=frozen_runs, environment=environment)
    return _save(content, details.owner_id, experiment)


def save_measurement(run: str, details: ReportDetails = NO_DETAILS, *, engine: EngineRef | None = None) -> str:
    """Saves a report of one measurement, and returns the report's id. The report includes the experiment, unless that
    was removed. ``engine`` describes the engine as it runs now. Raises NotSavedError."""
    frozen_runs = report_snapshot.freeze_runs([run])
    experiment = report_snapshot.experiment_of(run)
    frozen = report_snapshot.freeze_experiment(experiment, engine) if experiment else None
    environment = report_snapshot.environment_of(frozen_runs, frozen.engine if frozen is not None else None)
    content = _new_content(details, Origin.MEASUREMENT, frozen_runs[0].title)
    content = replace(content, experiment=frozen, measurements=frozen_runs, environment=environment)
    return _save(content, details.owner_id, run)


def save_claims(run: str, details: ReportDetails = NO_DETAILS) -> str:
    """Saves a report of the results of a claim run, and returns the report's id. Raises NotSavedError if there are no
    results."""
    results = claim_runs.results(run)
    if not results:
        raise NotSavedError("This run has no results yet. Run claims first.")
    content = _new_content(details, Origin.CLAIMS, f"{len(results)} tested claims")
    return _save(replace(content, claims=results), details.owner_id, run)


def _author_name(author: str, owner_id: int | None) -> str:
    """The author's name in one line, by default that of the owner."""
    if not author and owner_id is not None:
        user = get_user_model().objects.filter(pk=owner_id).first()
        author = "" if user is None else str(user.get_full_name() or user.get_username())
    return " ".join(author.split())[:MAX_AUTHOR]


def _new_content(details: ReportDetails, origin: Origin, title: str) -> ReportContent:
    return ReportContent(
        " ".join((details.title or title).split())[:MAX_TITLE],
        shared_clock(),
        origin,
        notes=details.notes.replace("\r\n", "\n").strip(),
        tags=normalise_tags(details.tags),
        author=_author_name(details.author, details.owner_id),
        installation=installation_id(),
        version=__version__,
    )


def _save(content: ReportContent, owner_id: int | None, source: str) -> str:
    """Stores a report of this installation and returns its id. The report is validated like an imported file, so that
    it can be exported and imported again. Raises NotSavedError if it is invalid."""
    try:
        content, body = validate_file(frame(canonical(content)))
        return insert_report(content, body, owner_id, source=source)
    except InvalidReportError as error:
        raise NotSavedError(str(error)) from None


def import_file(data: bytes, owner_id: int | None = None, *, file_name: str = "") -> str:
    """Stores the content of an exported file as a new report and returns the report's id.

    The report is marked as imported if it is from another installation or has a ``file_name``. Importing the same
    content twice creates two reports. Raises InvalidReportError if the file is not valid.
    """
    return import_once(data, owner_id, file_name=file_name, copy=True).report.id


def import_once(
    data: bytes,
    owner_id: int | None = None,
    *,
    file_name: str = "",
    copy: bool = False,
    check: Callable[[], None] = lambda: None,
) -> ImportResult:
    """Imports a file like ``import_file``. If a report with the same content exists, returns that report and stores
    nothing, unless ``copy`` is true. ``check`` may raise an exception to prevent the import."""
    content, body = validate_file(data)
    same = None if copy else find_same(digest_of(body))
    if same is not None:
        return ImportResult(same, existing=True)
    check()
    own = content.installation == installation_id()
    report = insert_report(
        content,
        body,
        owner_id,
        imported_from="" if own else content.installation or "unknown",
        imported_file=_clean_file_name(file_name),
        check=check,
    )
    return ImportResult(get_report(report), existing=False)


def import_copy(report: str, owner_id: int | None = None, *, file_name: str = "") -> str:
    """Imports the content of a saved report as a new report, and returns its id. Raises ReportNotFoundError."""
    return import_file(frame(content_bytes(report)), owner_id, file_name=file_name)


def _clean_file_name(name: str) -> str:
    """The name of a file without its folder and unprintable characters, in one line."""
    base = name.replace("\\", "/").rpartition("/")[2]
    return " ".join("".join(char if char.isprintable() else " " for char in base).split())[:MAX_FILE_NAME]


def insert_report(
    content: ReportContent,
    body: bytes,
    owner_id: int | None,
    *,
    source: str = "",
    imported_from: str = "",
    imported_file: str = "",
    check: Callable[[], None] = lambda: None,
) -> str:
    """Stores validated content as a new report, with the data derived from it, and returns the report's id. ``body`` is
    the content as canonical JSON. ``source`` is the id of the experiment or run that was saved. ``check`` may raise an
    exception; then nothing is stored."""
    derived = derive(content)
    with transaction.atomic():
        row = Report.objects.create(
            owner_id=owner_id,
            title=content.title,
            author=content.author,
            origin=str(content.origin),
            source=source,
            signature=experiment_signature(content.experiment.spec) if content.experiment else "",
            digest=digest_of(body),
            size=len(frame(body)),
            body=zlib.compress(body, 6),
            line=derived.view.summary.compared.replace("\0", "")[:500],
            words=_searched_text(content),
            imported_from=imported_from,
            imported_file=imported_file,
            saved_at=content.saved_at,
            **derived_columns(derived),
        )
        ReportTag.objects.bulk_create(ReportTag(report=row, tag=tag) for tag in content.tags)
        check()
        note(row.pk)
    return row.pk


def _searched_text(content: ReportContent) -> str:
    """The text that a search for reports looks through: title, author, notes, tags, modes and images, case-folded."""
    arms = content.experiment.spec.arms if content.experiment else ()
    words = [content.title, content.author, content.notes, *content.tags]
    words += [text for arm in arms for text in (str(arm.mode), arm.image)]
    return "\n".join(dict.fromkeys(words)).casefold().replace("\0", "")


@audited
def archive(report: str) -> None:
    """Hides a report from the list. Raises ReportNotFoundError."""
    _update(report, deleted=False, archived_at=shared_now())


@audited
def unarchive(report: str) -> None:
    """Shows an archived report in the list again. Raises ReportNotFoundError."""
    _update(report, deleted=False, archived_at=None)


@audited
def delete(report: str) -> None:
    """Deletes a report and its shares; ``undelete`` restores them for 30 days. Raises ReportNotFoundError."""
    _update(report, deleted=False, deleted_at=shared_now())


@audited
def undelete(report: str) -> None:
    """Restores a deleted report. Raises ReportNotFoundError if it is not deleted, or was purged."""
    _update(report, deleted=True, deleted_at=None)


@audited
def purge(report: str) -> None:
    """Removes a deleted report, its remarks and shares permanently. Raises ReportNotFoundError if it is not deleted."""
    if not Report.objects.filter(pk=report).exclude(deleted_at=None).delete()[0]:
        raise ReportNotFoundError(NOT_FOUND)


def _update(report: str, *, deleted: bool, **values: datetime | None) -> None:
    if not Report.objects.filter(pk=report, deleted_at__isnull=not deleted).update(**values):
        raise ReportNotFoundError(NOT_FOUND)


def purge_deleted(now: float) -> int:
    """Removes up to ``PURGE_BATCH`` reports that were deleted more than 30 days before ``now`` (seconds since the
    epoch); returns their number."""
    limit = datetime.fromtimestamp(now, UTC) - timedelta(days=UNDO_DAYS)
    old = list(Report.objects.filter(deleted_at__lt=limit).values_list("pk", flat=True)[:PURGE_BATCH])
    if not old:  # the usual case in each pass of the lab: no write
        return 0
    return Report.objects.filter(pk__in=old).delete()[1].get("dashboard.Report", 0)


@audited
def annotate(report: str, text: str, *, owner_id: int | None = None, author: str = "") -> int:
    """Adds a remark to a report and returns the remark's id. Raises NotSavedError if the text is empty or too long, and
    ReportNotFoundError if the report does not exist."""
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise NotSavedError("The remark is empty. Enter a text.")
    if len(text) > MAX_REMARK:
        raise NotSavedError(f"The remark has {len(text):,} characters; the limit is {MAX_REMARK:,}. Shorten it.")
    get_report(report)
    name = _author_name(author, owner_id)
    return Annotation.objects.create(report_id=report, owner_id=owner_id, author=name, text=text).pk


def remarks(report: str) -> tuple[Annotation, ...]:
    """The remarks on a report, oldest first."""
    return tuple(Annotation.objects.filter(report_id=report, report__deleted_at=None))
