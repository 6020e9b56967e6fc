"""Validation of the form for a new session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.training.form import NewSession, read_form
from dashboard.core.training.session import HostsFor

SHELF = ("host-network", "bridge-and-dns")
GOOD = {"title": " Monday  class ", "workshop": "bridge-and-dns"}


def test_an_omitted_field_has_a_default() -> None:
    assert read_form(GOOD, SHELF) == (NewSession("Monday class", "bridge-and-dns"), {})


def test_every_field_of_the_form_is_parsed() -> None:
    asked = {**GOOD, "hours": "8", "max_participants": "25", "pace": "gated", "scores": "on", "hosts": "team"}
    asked |= {"team_size": "4", "terminal": "on", "record_terminal": "on", "memory_mb": "256", "cpu_percent": "50"}
    found, problems = read_form(asked, SHELF)
    assert not problems
    assert (found.hosts, found.team_size, found.hosts_needed) == (HostsFor.TEAM, 4, 7)
    assert (found.terminal, found.record_terminal, found.cpus, found.hours) == (True, True, 0.5, 8)


def test_labels_of_machines_count_only_with_hosts() -> None:
    asked = {**GOOD, "machine_labels": "rack=7 disk=ssd"}
    assert read_form({**asked, "hosts": "person"}, SHELF)[0].machine_labels == "disk=ssd rack=7"
    assert read_form(asked, SHELF)[0].machine_labels == ""
    assert (
        "is not a label" in read_form({**asked, "hosts": "person", "machine_labels": "ssd"}, SHELF)[1]["machine_labels"]
    )


def test_without_hosts_there_is_no_terminal_and_without_a_terminal_no_recording() -> None:
    found, _ = read_form({**GOOD, "terminal": "on", "record_terminal": "on"}, SHELF)
    assert (found.terminal, found.record_terminal, found.hosts_needed) == (False, False, 0)
    found, _ = read_form({**GOOD, "hosts": "person", "record_terminal": "on"}, SHELF)
    assert (found.record_terminal, found.team_size, found.hosts_needed) == (False, 1, 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ""),
        ("title", "x" * 121),
        ("workshop", "gone"),
        ("hours", "3"),
        ("max_participants", "0"),
        ("max_participants", "501"),
        ("max_participants", "ten"),
        ("pace", "fast"),
        ("hosts", "all"),
        ("memory_mb", "100000"),
    ],
)
def test_each_mistake_is_named_at_its_field(name: str, value: str) -> None:
    _, problems = read_form({**GOOD, name: value}, SHELF)
    assert list(problems) == [name]


@given(st.dictionaries(st.sampled_from([*NewSession.__slots__, "cpu_percent"]), st.text(max_size=20)))
def test_the_limits_hold_for_any_input(values: dict[str, str]) -> None:
    found, _ = read_form(values, SHELF)
    assert 1 <= found.max_participants <= 500
    assert 192 <= found.memory_mb <= 8192
    assert 0.25 <= found.cpus <= 16
    assert found.workshop in SHELF


def test_the_sentence_about_a_number_names_its_field_and_what_was_typed() -> None:
    _, problems = read_form({**GOOD, "memory_mb": "10", "idle_minutes": "half"}, SHELF)
    assert problems == {
        "memory_mb": "The memory per host must be a whole number from 192 to 8192 MB, not “10”.",
        "idle_minutes": "The idle time must be a whole number from 1 to 240 minutes, not “half”.",
    }
