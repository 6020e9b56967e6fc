"""Who may come in: one-time sign-in links, made by a command and exchanged once for a session."""

from __future__ import annotations

import hashlib
import secrets
import time

from django.db import models, transaction

LIFE_S = 24 * 3600


class SignInLink(models.Model):
    """A one-time link: only the SHA-256 of its token is kept."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"sign-in link {self.pk}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_token() -> str:
    """A new link's token, 256 random bits; only its digest is kept. Old links are forgotten."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(digest=_digest(token), created_at=now, expires_at=now + LIFE_S)
    return token


def redeem(token: str) -> bool:
    """Whether the token was good; it is not afterwards."""
    with transaction.atomic():
        used = SignInLink.objects.filter(
            digest=_digest(token), used_at__isnull=True, expires_at__gte=time.time()
        ).update(used_at=time.time())
    return used == 1
