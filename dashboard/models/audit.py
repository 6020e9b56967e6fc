"""The audit trail: who did what, when and from where. Entries are added, and deleted after the retention time; they are
never changed."""

from typing import Any

from django.conf import settings
from django.db import models

from dashboard.models.experiments import new_id


class AppendOnlyError(TypeError):
    """An attempt to change an entry of the audit trail."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """A query set of entries that refuses updates."""

    def update(self, **_values: Any) -> int:
        """Refuses every update: raises AppendOnlyError."""
        raise AppendOnlyError("Entries of the audit trail cannot be changed.")


class AuditEntry(models.Model):
    """One command and its outcome: done, refused or failed. ``at`` is in seconds since the epoch.

    ``user`` is the account that gave the command. It is None if there was none, as on the command line, or if the
    account was deleted. ``account`` is the name of the account at that time, or what replaces it, such as
    ``command line``. ``action`` is the command, ``object`` the id of the object that it concerned, and ``address`` the
    client's address.
    """

    id = models.CharField(primary_key=True, max_length=16, default=new_id)
    at = models.FloatField(db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    account = models.CharField(max_length=150)
    action = models.CharField(max_length=60, db_index=True)
    object = models.CharField(max_length=120, default="", blank=True)
    outcome = models.CharField(max_length=10)
    address = models.CharField(max_length=64, default="", blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.account} {self.action} {self.object} {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new entry. Raises AppendOnlyError for an existing one."""
        if not self._state.adding:
            raise AppendOnlyError("Entries of the audit trail cannot be changed.")
        super().save(*args, **kwargs)
