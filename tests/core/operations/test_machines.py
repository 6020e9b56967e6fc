"""Names, labels, states and versions of machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.operations.machines import (
    MAX_LABELS,
    MachineFacts,
    MachineRecord,
    MachineState,
    name_problem,
    parse_labels,
    state_of,
    suggested_name,
    version_problem,
)

RECORD = MachineRecord("lab2", MachineFacts(version="0.3.1"), {}, False, 1.0, 2.0, 0.0)


@pytest.mark.parametrize("name", ["a", "lab2", "rack-1-node-7", "7", "a" * 32])
def test_a_valid_name(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a.b", "a*", "a>", "a b", "a" * 33, "ä", "a\n", "server", "all", "web", "a_b", "$sys"]
)
def test_an_invalid_name_is_refused_with_a_sentence(name: str) -> None:
    assert str(name_problem(name)).endswith(".")


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("Rack_1.example.org", "rack-1"), ("a" * 40, "a" * 32), ("___", ""), ("server", ""), ("x" * 31 + "-y", "x" * 31)],
)
def test_a_name_is_suggested_from_the_host_name(hostname: str, name: str) -> None:
    assert suggested_name(hostname) == name
    assert not name or name_problem(name) is None


def test_labels_are_keys_with_values() -> None:
    assert parse_labels(["rack=1", "disk=ssd/nvme"]) == {"rack": "1", "disk": "ssd/nvme"}


@pytest.mark.parametrize("text", ["", "rack", "rack=", "=1", "a b=1", "a=b=c", "a=" + "x" * 41, "a=<b>"])
def test_an_invalid_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a label"):
        parse_labels([text])


def test_the_number_of_labels_is_limited() -> None:
    with pytest.raises(ValueError, match="at most 20 labels"):
        parse_labels([f"k{number}=1" for number in range(MAX_LABELS + 1)])


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
def test_the_state_of_a_machine(
    record: MachineRecord, is_connected: bool, has_engine: bool, state: MachineState
) -> None:
    assert state_of(record, is_connected=is_connected, has_engine=has_engine, server_version="0.3.0") is state


def test_a_machine_that_drains_or_was_revoked_accepts_no_work() -> None:
    assert RECORD.accepts_work
    assert not replace(RECORD, is_draining=True).accepts_work
    assert not replace(RECORD, revoked_at=3.0).accepts_work
