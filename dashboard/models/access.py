"""Who may come in."""

from __future__ import annotations

from django.db import models


class SignInLink(models.Model):
    """A one-time link: only the SHA-256 of its token is kept."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"sign-in link {self.pk}"
