"""Tokens with which machines join."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from dashboard.core.operations.machines import MachineFacts
from dashboard.models import AuditEntry, JoinToken
from dashboard.store import machines
from dashboard.store.operations import audit, join_tokens
from dashboard.store.operations.join_tokens import TokenError

pytestmark = pytest.mark.django_db


def use(token: str) -> None:
    with transaction.atomic():
        join_tokens.use(token, "lab2")


@pytest.fixture(autouse=True)
def _machine() -> None:
    machines.register("lab2", {}, MachineFacts())


def test_a_token_is_used_once_and_only_its_digest_is_stored() -> None:
    owner = User.objects.create(username="ada")
    with audit.pending(audit.PendingEntry(user=owner.pk, account="ada", action="create join token")):
        token = join_tokens.create(owner.pk)
    assert token not in str(JoinToken.objects.values())
    assert token not in str(AuditEntry.objects.values())
    assert AuditEntry.objects.get().object == join_tokens.listed()[0].id
    use(token)
    assert JoinToken.objects.get().machine_id == "lab2"
    assert join_tokens.listed() == ()
    with pytest.raises(TokenError, match="has already been used"):
        use(token)


def test_an_unknown_revoked_or_expired_token_is_refused() -> None:
    with pytest.raises(TokenError, match="not valid"):
        use("x")
    token = join_tokens.create(None)
    (row,) = join_tokens.listed()
    assert join_tokens.revoke(row.id)
    assert not join_tokens.revoke(row.id)
    with pytest.raises(TokenError, match="was revoked"):
        use(token)
    old = join_tokens.create(None)
    JoinToken.objects.filter(revoked_at=0.0).update(expires_at=1.0)
    assert join_tokens.listed() == ()
    with pytest.raises(TokenError, match="has expired"):
        use(old)
