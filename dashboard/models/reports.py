"""Saved reports, what was written beside them, and the links that show them to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id

#: What a report was saved as. It may be put away, deleted and written about; these fields never change.
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
        "saved_at",
        "created_at",
    }
)


class FrozenError(TypeError):
    """Somebody tried to change what a report was saved as."""


def _refuse_frozen(fields: Iterable[str]) -> None:
    if touched := FROZEN & set(fields):
        raise FrozenError(f"A report does not change: {', '.join(sorted(touched))} cannot be written again.")


class ReportQuerySet(models.QuerySet["Report"]):
    """Reports; none of their frozen fields can be updated."""

    def update(self, **values: Any) -> int:
        """FrozenError for a frozen field."""
        _refuse_frozen(values)
        return super().update(**values)


class Report(models.Model):
    """A frozen report. ``body`` is the canonical content (``core.reports.model``), zlib-compressed; it never changes.

    ``view`` (``core.reports.view``) and ``track`` (``core.reports.replay.recording``) are derived from it, compressed too, and made anew
    where their version is not ``derived``. ``line`` sums it up in a list, ``words`` is what is searched, case-folded.
    ``signature`` is the same for reports of the same experiment.
    ``imported_from`` names the other installation, empty for ours. A deleted report stays until the reaper comes, so
    that deleting can be undone.
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
    saved_at = models.FloatField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True, db_index=True)

    objects = ReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.id} {self.title}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new report, or ``update_fields`` of one that is there; FrozenError for a frozen one."""
        if not self._state.adding:
            _refuse_frozen(kwargs.get("update_fields") or FROZEN)
        super().save(*args, **kwargs)


class ReportTag(models.Model):
    """One tag of a report, for searching."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="tag_rows")
    tag = models.CharField(max_length=40, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "tag"], name="tag_once_per_report")]

    def __str__(self) -> str:
        return self.tag


class Annotation(models.Model):
    """A remark beside a report: Markdown, never part of what is hashed."""

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
    """A link that shows one report, or what a class came to, to whoever has it. Only the SHA-256 of its 128 random bits
    is kept.

    ``document`` is the page that it shows, made when the link was, zlib-compressed; ``scrubbed`` tells that
    details of the machine were taken out of it, or whatever tells of people.
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
