"""Accounts for tests: people with a role, signed in."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard.core.operations.roles import Role
from dashboard.models import Account
from tests.web.asgi_client import Person, browser_of


def account(name: str, role: Role) -> User:
    """A user with this role."""
    user, _ = User.objects.get_or_create(username=name)
    Account.objects.update_or_create(user=user, defaults={"role": str(role)})
    return user


def signed_in(name: str, role: Role) -> Person:
    """The browser of a user with this role."""
    return browser_of(account(name, role))


async def someone(name: str, role: Role) -> Person:
    """As ``signed_in``, for asynchronous tests."""
    return await sync_to_async(signed_in)(name, role)
