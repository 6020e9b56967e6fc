"""Accounts with their roles, and one-time sign-in links. A browser that opens a link is signed in."""

from django.conf import settings
from django.db import models

from dashboard.core.operations.roles import Role


class Account(models.Model):
    """The role of a user. Accounts are deactivated (``User.is_active``), never deleted."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True)
    role = models.CharField(max_length=12, choices=[(str(role), str(role)) for role in Role])

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class SignInLink(models.Model):
    """A one-time sign-in link for an account, or for the installation's owner if ``user`` is None. Only the SHA-256 of
    its token is stored."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    created_at = models.FloatField()
    expires_at = models.FloatField()
    used_at = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"sign-in link {self.pk}"
