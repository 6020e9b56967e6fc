"""Saved reports, remarks on them, and share links."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id

#: Fields that never change. A report can be archived, deleted and annotated.
FROZEN = frozenset(
    {
        "id",
        "title",
        "author",
        "origin",
        "source",
        "signature",
        "digest",
        "size",
        "body",
        "imported_from",
        "imported_file",
        "saved_at",
        "created_at",
    }
)


class FrozenError(TypeError):
    """An attempt to change a frozen field of a report."""


def _refuse_frozen(fields: Iterable[str]) -> None:
    if touched := FROZEN & set(fields):
        raise FrozenError(f"Frozen fields of a report cannot be changed: {', '.join(sorted(touched))}.")


class ReportQuerySet(models.QuerySet["Report"]):
    """A query set of reports that refuses updates of frozen fields."""

    def update(self, **values: Any) -> int:
        """Updates the rows. Raises FrozenError if a field is frozen."""
        _refuse_frozen(values)
        return super().update(**values)


class Report(models.Model):
    """A report. ``body`` is the canonical content (``core.reports.model``), zlib-compressed. It never changes.

    ``view`` (``core.reports.view``) and ``track`` (what the replay shows, ``core.reports.replay.recording``) are
    derived from ``body`` and compressed, too. They are computed again if ``derived`` is not the current version of
    derived data. ``line`` is the summary for lists of reports. ``words`` is the text that a search looks through,
    case-folded. Reports whose experiments differ at most in their title have the same ``signature``.

    ``imported_from`` is the id of the installation that exported the report, empty for a report of this installation.
    ``imported_file`` is the name of the imported file, empty if it is unknown. A deleted report is purged after 30
    days.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    title = models.CharField(max_length=200)
    author = models.CharField(max_length=150, default="", blank=True)
    origin = models.CharField(max_length=12)
    source = models.CharField(max_length=16, default="", blank=True, db_index=True)
    signature = models.CharField(max_length=16, default="", blank=True, db_index=True)
    digest = models.CharField(max_length=64, db_index=True)
    size = models.PositiveIntegerField()
    body = models.BinaryField()
    view = models.BinaryField(default=b"")
    track = models.BinaryField(default=b"")
    derived = models.PositiveSmallIntegerField(default=0)
    line = models.TextField(default="", blank=True)
    words = models.TextField(default="", blank=True)
    imported_from = models.CharField(max_length=16, default="", blank=True)
    imported_file = models.CharField(max_length=200, default="", blank=True)
    saved_at = models.FloatField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True, db_index=True)

    objects = ReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.id} {self.title}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new report, or the fields ``update_fields`` of an existing report. For an existing report, raises
        FrozenError if ``update_fields`` is missing or contains a frozen field."""
        if not self._state.adding:
            _refuse_frozen(kwargs.get("update_fields") or FROZEN)
        super().save(*args, **kwargs)


class ReportTag(models.Model):
    """One tag of a report, for the search."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="tag_rows")
    tag = models.CharField(max_length=40, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "tag"], name="tag_once_per_report")]

    def __str__(self) -> str:
        return self.tag


class Annotation(models.Model):
    """A remark on a report, in Markdown. It is not part of the report's digest."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="annotations")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    author = models.CharField(max_length=150, default="", blank=True)
    at = models.DateTimeField(auto_now_add=True)
    text = models.TextField()

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.report_id} {self.at:%Y-%m-%d}"


class Share(models.Model):
    """A link that shows one report, or the results of one training session, to everyone who has the link. It contains
    128 random bits, of which only the SHA-256 is stored.

    ``document`` is the page, rendered when the link was created and zlib-compressed. ``scrubbed`` is true if the page
    is anonymised: it contains no details of the machine or of participants.
    """

    report = models.ForeignKey(Report, null=True, on_delete=models.CASCADE, related_name="shares")
    session = models.ForeignKey("dashboard.TrainingSession", null=True, on_delete=models.CASCADE, related_name="shares")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    scrubbed = models.BooleanField(default=False)
    views = models.PositiveIntegerField(default=0)
    document = models.BinaryField(default=b"")

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(report=None) ^ models.Q(session=None), name="share_of_a_report_or_a_session"
            )
        ]

    def __str__(self) -> str:
        return f"share {self.pk} of {self.report_id or self.session_id}"
