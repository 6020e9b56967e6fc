"""How a machine joins; tests/team/test_machines.py joins one with PostgreSQL and NATS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError
from django.test import override_settings

from dashboard.core.operations.machines import MachineFacts
from dashboard.store import machines
from dashboard.store.operations import join_tokens, joining, machine_roles
from dashboard.store.operations.join_tokens import TokenError
from dashboard.store.operations.joining import JoinError, NotAddedError

pytestmark = pytest.mark.django_db
DATABASE, NATS = "postgres://netmodes:x@db.example:5432/netmodes", "nats://web:y@nats.example:4222"


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of a team deployment, without a real PostgreSQL."""
    monkeypatch.setattr(machine_roles, "is_supported", lambda: True)
    monkeypatch.setattr(machine_roles, "create", lambda machine: (f"role_{machine}", "secret"))
    monkeypatch.setattr(machine_roles, "close", lambda machine: None)
    with override_settings(DATABASE_URL=DATABASE, NATS_URL=NATS, MACHINES_DATABASE="", MACHINES_NATS=""):
        yield


def join(token: str, name: str = "lab2") -> joining.Credentials:
    return joining.join(token, name, {}, MachineFacts(), "10.0.0.7")


def test_on_one_machine_no_machine_joins() -> None:
    with pytest.raises(JoinError, match="PostgreSQL and NATS"):
        join("x")


def test_a_machine_receives_credentials_of_its_own(team: None) -> None:
    received = join(join_tokens.create(None))
    assert received.database == "postgres://role_lab2:secret@db.example:5432/netmodes"
    key = received.nats.removeprefix("nats://lab2:").removesuffix("@nats.example:4222")
    assert machines.has_key("lab2", key)
    with override_settings(MACHINES_DATABASE="postgres://outside:5433/netmodes?sslmode=require"):
        outside = join(join_tokens.create(None), "lab3")
    assert outside.database == "postgres://role_lab3:secret@outside:5433/netmodes?sslmode=require"


def test_a_refused_machine_leaves_the_token_valid_and_no_row(team: None) -> None:
    token = join_tokens.create(None)
    join(join_tokens.create(None))
    for name, sentence in (("lab2", "has already joined"), ("Lab", "not a valid name"), ("all", "reserved")):
        with pytest.raises(JoinError, match=sentence):
            join(token, name)
    for name in ("lab2", "lab3", "all"):  # without a token, a client does not learn which names are in use
        with pytest.raises(TokenError, match="not valid"):
            join("x", name)
    assert [record.name for record in machines.list_machines()] == ["lab2"]
    join(token, "lab3")


def test_an_error_of_the_database_is_logged_and_not_sent(
    team: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(machine: str) -> tuple[str, str]:
        raise DatabaseError("permission denied: secret details")

    monkeypatch.setattr(machine_roles, "create", refuse)
    token = join_tokens.create(None)
    with pytest.raises(NotAddedError) as refused:
        join(token)
    assert "secret details" not in str(refused.value)
    assert "secret details" in caplog.text
    assert (machines.list_machines(), len(join_tokens.listed())) == ((), 1)


@pytest.mark.parametrize("setting", ["DATABASE", "NATS"])
@pytest.mark.parametrize("url", ["postgres://netmodes:secret@/netmodes", "nats://web:secret\uff20x@nats.example:4222"])
def test_a_server_without_an_address_for_machines_sends_no_password(team: None, setting: str, url: str) -> None:
    """As with a unix socket of PostgreSQL. The second URL is one that Python refuses with its user and password."""
    token = join_tokens.create(None)
    with override_settings(**{f"{setting}_URL": url}), pytest.raises(JoinError) as refused:
        join(token)
    assert str(refused.value).endswith(f"names no valid host. Set NETMODES_MACHINES_{setting} on the server.")
    assert "secret" not in str(refused.value)
    assert join(token).machine == "lab2", "the token remains valid"


def test_a_revoked_machine_may_join_again(team: None) -> None:
    join(join_tokens.create(None))
    assert joining.revoke("lab2")
    assert not joining.revoke("lab2")
    assert not joining.revoke("none")
    assert join(join_tokens.create(None)).machine == "lab2"
