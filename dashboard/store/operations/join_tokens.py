"""One-time tokens with which machines join the installation: created by an owner, valid for a day, revocable."""

import secrets
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.core.operations.machines import TOKEN_LIFETIME_S
from dashboard.core.training.join_codes import digest_of
from dashboard.models import JoinToken
from dashboard.store.operations.audit import audited, note
from dashboard.store.operations.database_clock import shared_clock


class TokenError(ValueError):
    """A token cannot be used. ``str()`` is the reason, as a sentence."""


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token that can still be used. Times are in seconds since the epoch."""

    id: str
    created_at: float
    expires_at: float


@audited
def create(owner: int | None) -> str:
    """Creates a token of 256 random bits and returns it. Only its digest is stored."""
    token, now = secrets.token_urlsafe(32), shared_clock()
    row = JoinToken.objects.create(
        digest=digest_of(token), owner_id=owner, created_at=now, expires_at=now + TOKEN_LIFETIME_S
    )
    note(row.pk)
    return token


def listed() -> tuple[ListedToken, ...]:
    """The tokens that can still be used, newest first."""
    rows = JoinToken.objects.filter(used_at=0.0, revoked_at=0.0, expires_at__gt=shared_clock())
    return tuple(ListedToken(row.pk, row.created_at, row.expires_at) for row in rows)


@audited
def revoke(token: str) -> bool:
    """Invalidates the token with this id. Returns False if it does not exist, or was used or revoked."""
    return JoinToken.objects.filter(pk=token, used_at=0.0, revoked_at=0.0).update(revoked_at=shared_clock()) == 1


def check(token: str) -> JoinToken:
    """Returns the row of a token that can be used. Raises TokenError if the token is unknown, revoked, used or
    expired."""
    row = JoinToken.objects.filter(digest=digest_of(token)).first()
    if row is None:
        raise TokenError(_("This token is not valid. Copy the whole command from the Machines page."))
    if row.revoked_at:
        raise TokenError(_("This token was revoked. Create another one on the Machines page."))
    if row.used_at:
        raise TokenError(_("This token has already been used. Create another one on the Machines page."))
    if row.expires_at <= shared_clock():
        raise TokenError(_("This token has expired. Create another one on the Machines page."))
    return row


def use(token: str, machine: str) -> None:
    """Marks a token as used by ``machine``. The machine's row must exist. Requires a transaction that has called
    ``machine_roles.take_turn``, so that two machines cannot use the same token. Raises TokenError if the token cannot
    be used."""
    row = check(token)
    row.used_at, row.machine_id = shared_clock(), machine
    row.save(update_fields=["used_at", "machine"])
