"""Reports in the database: saved, imported, found, put away. What a report says never changes."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from dashboard import __version__
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import Environment
from dashboard.core.reports.model import (
    FrozenExperiment,
    FrozenRun,
    Origin,
    ReportContent,
    canonical,
    clean_tags,
    digest_of,
    frame,
    signature_of,
)
from dashboard.core.reports.parse import NotAReportError
from dashboard.core.reports.validate import AUTHOR, TITLE, check_file
from dashboard.models import Annotation, Report, ReportTag
from dashboard.store import claim_runs
from dashboard.store.experiments import installation_id
from dashboard.store.reports import snapshot as report_snapshot
from dashboard.store.reports.listing import Found, Listed, NoReportError, describe, find, tags_in_use
from dashboard.store.reports.reading import Derived, content_bytes, derive, derived, load_content, stored
from dashboard.store.reports.snapshot import NotSavedError

__all__ = [
    "Derived",
    "Found",
    "Listed",
    "NoReportError",
    "NotAReportError",
    "NotSavedError",
    "content_bytes",
    "derived",
    "describe",
    "find",
    "load_content",
    "tags_in_use",
]

UNDO_DAYS = 30
AT_ONCE = 500
MOST_ANNOTATION = 20_000


# Saving.


def save_experiment(
    experiment: str,
    *,
    title: str = "",
    notes: str = "",
    tags: Sequence[str] = (),
    owner_id: int | None = None,
    author: str = "",
    runs: Sequence[str] | None = None,
    engine: EngineRef | None = None,
    machine: Environment | None = None,
) -> str:
    """Save a report of an experiment up to its newest entry, with the measurements ``runs`` (default: all that have
    ended). ``engine`` is the engine that answers now, ``machine`` the environment that it runs in. Returns the report's
    id; raises NotSavedError."""
    frozen = report_snapshot.freeze_experiment(experiment, engine)
    kept = report_snapshot.freeze_runs(report_snapshot.runs_of(experiment) if runs is None else runs)
    title = title or frozen.spec.title
    content = _content(title, notes, tags, _author(author, owner_id), frozen, kept, machine=machine)
    return _keep_own(content, owner_id, experiment)


def save_measurement(
    run: str,
    *,
    title: str = "",
    notes: str = "",
    tags: Sequence[str] = (),
    owner_id: int | None = None,
    author: str = "",
    engine: EngineRef | None = None,
) -> str:
    """Freezes one measurement, with the experiment that it belongs to where that is still there; NotSavedError."""
    kept = report_snapshot.freeze_runs([run])
    experiment = report_snapshot.experiment_of(run)
    frozen = report_snapshot.freeze_experiment(experiment, engine) if experiment else None
    content = _content(title or kept[0].title, notes, tags, _author(author, owner_id), frozen, kept, alone=True)
    return _keep_own(content, owner_id, run)


def save_claims(
    run: str,
    *,
    title: str = "",
    notes: str = "",
    tags: Sequence[str] = (),
    owner_id: int | None = None,
    author: str = "",
) -> str:
    """Freezes what a run of claims has found; NotSavedError where it has found nothing."""
    found = claim_runs.results(run)
    if not found:
        raise NotSavedError("This run has executed no claim: run claims first.")
    title = title or f"{len(found)} claims, executed"
    content = _content(title, notes, tags, _author(author, owner_id), None, ())
    return _keep_own(replace(content, origin=Origin.CLAIMS, claims=found), owner_id, run)


def _author(given: str, owner_id: int | None) -> str:
    if given or owner_id is None:
        return given
    person = get_user_model().objects.filter(pk=owner_id).first()
    return "" if person is None else str(person.get_full_name() or person.get_username())


def _content(
    title: str,
    notes: str,
    tags: Sequence[str],
    author: str,
    experiment: FrozenExperiment | None,
    runs: tuple[FrozenRun, ...],
    *,
    machine: Environment | None = None,
    alone: bool = False,
) -> ReportContent:
    return ReportContent(
        " ".join(title.split())[:TITLE],
        time.time(),
        Origin.MEASUREMENT if alone else Origin.EXPERIMENT,
        experiment,
        runs,
        environment=report_snapshot.environment_of(runs, experiment.engine if experiment else None, machine),
        notes=notes.replace("\r\n", "\n").strip(),
        tags=clean_tags(tags),
        author=" ".join(author.split())[:AUTHOR],
        installation=installation_id(),
        version=__version__,
    )


def _keep_own(content: ReportContent, owner_id: int | None, source: str) -> str:
    """Held to the rules of an import, so that what is exported can be imported; NotSavedError."""
    try:
        kept, body = check_file(frame(canonical(content)))
        return _keep(kept, body, owner_id, source=source)
    except NotAReportError as error:
        raise NotSavedError(str(error)) from None


def import_file(data: bytes, owner_id: int | None = None) -> str:
    """Verifies an exported file and keeps it, marked as imported unless it is our own; NotAReportError, and then
    nothing is written. The same content twice is two reports."""
    content, body = check_file(data)
    ours = content.installation == installation_id()
    return _keep(content, body, owner_id, imported_from="" if ours else content.installation or "unknown")


def _keep(content: ReportContent, body: bytes, owner_id: int | None, source: str = "", imported_from: str = "") -> str:
    experiment = content.experiment
    made = derive(content)
    with transaction.atomic():
        row = Report.objects.create(
            owner_id=owner_id,
            title=content.title,
            author=content.author,
            origin=str(content.origin),
            source=source,
            signature=signature_of(experiment.spec) if experiment else "",
            digest=digest_of(body),
            size=len(frame(body)),
            body=zlib.compress(body, 6),
            line=made.view.summary.compared.replace("\0", "")[:500],
            words=words_of(content),
            imported_from=imported_from,
            saved_at=content.saved_at,
            **stored(made),
        )
        ReportTag.objects.bulk_create(ReportTag(report=row, tag=tag) for tag in content.tags)
    return row.pk


def words_of(content: ReportContent) -> str:
    """What is searched, case-folded: title, author, notes, tags, modes and images."""
    arms = content.experiment.spec.arms if content.experiment else ()
    words = [content.title, content.author, content.notes, *content.tags]
    words += [text for arm in arms for text in (str(arm.mode), arm.image)]
    return "\n".join(dict.fromkeys(words)).casefold().replace("\0", "")


# Putting away, and writing beside.


def archive(report: str) -> None:
    """Out of the list, not out of the way; NoReportError."""
    _put(report, deleted=False, archived_at=timezone.now())


def unarchive(report: str) -> None:
    """Back into the list; NoReportError."""
    _put(report, deleted=False, archived_at=None)


def delete(report: str) -> None:
    """Gone for everybody, its shares too, until ``undelete`` or for good after 30 days; NoReportError."""
    _put(report, deleted=False, deleted_at=timezone.now())


def undelete(report: str) -> None:
    """Back again; NoReportError if it is not deleted, or was purged."""
    _put(report, deleted=True, deleted_at=None)


def _put(report: str, *, deleted: bool, **values: datetime | None) -> None:
    if not Report.objects.filter(pk=report, deleted_at__isnull=not deleted).update(**values):
        raise NoReportError("There is no report with this number.")


def purge_deleted(now: float) -> int:
    """Forgets reports that were deleted more than 30 days before ``now`` (seconds since the epoch); how many, at most
    ``AT_ONCE``."""
    limit = datetime.fromtimestamp(now, UTC) - timedelta(days=UNDO_DAYS)
    old = list(Report.objects.filter(deleted_at__lt=limit).values_list("pk", flat=True)[:AT_ONCE])
    if not old:  # the usual case, at every pass of the lab: no writing then
        return 0
    return Report.objects.filter(pk__in=old).delete()[1].get("dashboard.Report", 0)


def annotate(report: str, text: str, *, owner_id: int | None = None, author: str = "") -> int:
    """Writes a remark beside a report and returns its number; NotSavedError for an empty or too long one,
    NoReportError."""
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise NotSavedError("The remark is empty: write something.")
    if len(text) > MOST_ANNOTATION:
        raise NotSavedError(
            f"The remark has {len(text):,} characters; at most {MOST_ANNOTATION:,} are taken: shorten it."
        )
    describe(report)
    name = " ".join(_author(author, owner_id).split())[:AUTHOR]
    return Annotation.objects.create(report_id=report, owner_id=owner_id, author=name, text=text).pk


def remarks(report: str) -> tuple[Annotation, ...]:
    """What was written beside a report, oldest first."""
    return tuple(Annotation.objects.filter(report_id=report, report__deleted_at=None))
