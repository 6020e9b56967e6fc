"""One-time sign-in links: a command makes them, the browser exchanges them for a session."""

import hashlib
import secrets
import time

from django.db import models, transaction

LIFETIME_S = 3600


class SignInLink(models.Model):
    """A one-time link; only the SHA-256 of its token is stored."""

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"sign-in link {self.pk}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_token() -> str:
    """The token of a new link, 256 random bits. Deletes expired links."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(digest=_digest(token), created_at=now, expires_at=now + LIFETIME_S)
    return token


def redeem(token: str) -> bool:
    """Uses up a token; False if it is unknown, used or expired."""
    now = time.time()
    with transaction.atomic():
        links = SignInLink.objects.filter(digest=_digest(token), used_at__isnull=True, expires_at__gte=now)
        return links.update(used_at=now) == 1
