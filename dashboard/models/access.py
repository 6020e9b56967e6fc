"""Accounts with their roles, and one-time sign-in links: the browser exchanges a link for a session."""

import hashlib
import secrets
import time

from django.conf import settings
from django.db import models, transaction

from dashboard.core.operations.roles import Role

LIFETIME_S = 3600


class Account(models.Model):
    """The role of a user. Accounts are deactivated (``User.is_active``), never deleted."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    role = models.CharField(max_length=12, choices=[(str(role), str(role)) for role in Role])

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class SignInLink(models.Model):
    """A one-time link of an account, or of the installation's owner if ``user`` is None; only the SHA-256 of its token
    is stored."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"sign-in link {self.pk}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_token(user: int | None = None) -> str:
    """The token of a new link, 256 random bits, for an account; None: for the installation's owner. Deletes expired
    links."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    SignInLink.objects.filter(expires_at__lt=now).delete()
    SignInLink.objects.create(digest=_digest(token), user_id=user, created_at=now, expires_at=now + LIFETIME_S)
    return token


def redeem(token: str) -> SignInLink | None:
    """Uses up a token and returns its link; None if it is unknown, used or expired."""
    now = time.time()
    with transaction.atomic():
        links = SignInLink.objects.filter(digest=_digest(token), used_at__isnull=True, expires_at__gte=now)
        if links.update(used_at=now) != 1:
            return None
        return SignInLink.objects.get(digest=_digest(token))
