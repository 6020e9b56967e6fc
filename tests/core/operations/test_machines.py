"""Names, labels, states and versions of machines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboard.core.operations.machines import (
    MachineFacts,
    MachineRecord,
    MachineState,
    address_problem,
    first_machine,
    name_problem,
    place_of,
    split_place,
    split_token,
    state_of,
    suggested_name,
    version_problem,
    with_address,
    with_credentials,
)

ROOT = Path(__file__).parents[3]
RECORD = MachineRecord("lab2", MachineFacts(version="0.3.1"), {}, False, 1.0, 2.0, 0.0)


@pytest.mark.parametrize("name", ["a", "lab2", "rack-1-node-7", "7", "a" * 32])
def test_a_valid_name_is_accepted(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "A", "a.b", "a*", "a>", "a b", "a" * 33, "ä", "a\n", "server", "all", "web", "lab", "a_b", "$sys"],
)
def test_an_invalid_name_is_refused_with_a_sentence(name: str) -> None:
    assert str(name_problem(name)).endswith(".")


def test_the_first_machine_is_not_a_private_host() -> None:
    assert first_machine(["office1", "@lab2/office2", "@lab3", "@lab4"]) == "@lab3"
    assert first_machine(["office1", "@lab2/office2"]) == ""


def test_users_of_nats_conf_are_refused_as_names_of_machines() -> None:
    # About these users, NATS does not ask a web process.
    users = set(re.findall(r"user: (\w+),", (ROOT / "dashboard/packaging/containers/nats.conf").read_text()))
    assert users == {"web", "lab"}
    assert all(name_problem(user) for user in users)


@pytest.mark.parametrize(
    "facts",
    [{"cpus": -1}, {"cpus": 2**40}, {"capacity": True}, {"engine": "x" * 41}, {"kernel": "a\0b"}, {"version": "1\n"}],
)
def test_facts_that_the_database_cannot_store_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(facts), type=MachineFacts)
    assert msgspec.json.decode(b'{"cpus": 8, "kernel": "6.1.0-39-amd64"}', type=MachineFacts).cpus == 8


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("Rack_1.example.org", "rack-1"), ("a" * 40, "a" * 32), ("___", ""), ("server", ""), ("x" * 31 + "-y", "x" * 31)],
)
def test_a_name_is_suggested_from_the_host_name(hostname: str, name: str) -> None:
    assert suggested_name(hostname) == name
    assert not name or name_problem(name) is None


@pytest.mark.parametrize(
    ("server", "lab", "words"),
    [
        ("0.3.0", "0.3.9", None),
        ("0.3.0", "0.2.1", None),
        ("0.3.0", "", None),
        ("0.3.0", "0.1.9", "too old"),
        ("0.3.0", "0.4.0", "newer than the server"),
        ("1.0.0", "0.9.0", "too old"),
        ("0.3.0", "1.3.0", "newer than the server"),
        ("0.3.0", "unknown", None),
    ],
)
def test_a_lab_may_be_one_minor_version_older(server: str, lab: str, words: str | None) -> None:
    problem = version_problem(server, lab)
    assert problem is None if words is None else words in str(problem)


@pytest.mark.parametrize(
    ("record", "is_connected", "has_engine", "state"),
    [
        (RECORD, True, True, MachineState.CONNECTED),
        (RECORD, True, False, MachineState.NO_ENGINE),
        (RECORD, False, True, MachineState.ABSENT),
        (replace(RECORD, is_draining=True), True, True, MachineState.DRAINING),
        (replace(RECORD, is_draining=True), False, True, MachineState.ABSENT),
        (replace(RECORD, revoked_at=3.0), True, True, MachineState.REVOKED),
        (replace(RECORD, facts=MachineFacts(version="0.1.0")), True, True, MachineState.WRONG_VERSION),
    ],
)
def test_the_state_of_a_machine_follows_from_its_record_its_lab_and_its_engine(
    record: MachineRecord, is_connected: bool, has_engine: bool, state: MachineState
) -> None:
    assert state_of(record, is_connected=is_connected, has_engine=has_engine, server_version="0.3.0") is state


def test_a_machine_that_drains_or_was_revoked_accepts_no_work() -> None:
    assert RECORD.accepts_work
    assert not replace(RECORD, is_draining=True).accepts_work
    assert not replace(RECORD, revoked_at=3.0).accepts_work


def test_a_token_contains_the_address() -> None:
    token = with_address("https://netmodes.example.org:8443", "secret_-1")
    assert re.fullmatch(r"netmodes-[\w-]+", token), "a word of a command line"
    assert split_token(f" {token}\n") == ("https://netmodes.example.org:8443", "secret_-1")


@pytest.mark.parametrize("token", ["", "abc", "netmodes-", "netmodes-!!", "netmodes-YWJj", with_address("ftp://x", "")])
def test_a_malformed_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="This is not a token"):
        split_token(token)


@pytest.mark.parametrize("address", ["https://a.example", "http://10.0.0.1:8000", "http://[fd00::1]:80", "https://a/"])
def test_addresses_of_the_server_are_checked(address: str) -> None:
    assert address_problem(address) is None


@pytest.mark.parametrize(
    "address",
    ["", "a.example", "ftp://a", "https://", "http://a:x", "http://a/b", "http://u@a", "http://a?b", "x" * 300],
)
def test_an_invalid_address_is_refused(address: str) -> None:
    assert "https://HOST" in str(address_problem(address))


def test_credentials_replace_those_of_the_url() -> None:
    url = "postgres://web:old@db.example:5432/netmodes?sslmode=require"
    assert with_credentials(url, "lab2", "p/w") == "postgres://lab2:p%2Fw@db.example:5432/netmodes?sslmode=require"
    assert with_credentials("nats://n:4222", "lab2", "k") == "nats://lab2:k@n:4222"
    with pytest.raises(ValueError, match="names no host"):
        with_credentials("sqlite:///netmodes.db", "a", "b")


def test_a_place_is_a_machine_or_a_private_host() -> None:
    places = {"": (None, ""), "@lab2": ("lab2", ""), "a1b2c3": (None, "a1b2c3"), "@lab2/a1b2c3": ("lab2", "a1b2c3")}
    for name, parts in places.items():
        assert split_place(name) == parts
        assert place_of(*parts) == name
