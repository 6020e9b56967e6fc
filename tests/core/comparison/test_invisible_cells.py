"""Columns of an engine whose network stacks cannot be read from here."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.rows import SECTIONS, compare
from dashboard.core.experiments.messages import ArmStatus, Relation, Row
from tests.core.builders import MACHINE, Columns, without
from tests.core.scenes import make_scene

REASON = "the engine is reached over SSH"
ABSENT = f"not visible: {REASON}"


def remote_columns(*modes: str) -> Columns:
    columns, _states = make_scene(modes or ("host", "bridge"))
    return tuple(replace(column, invisible=REASON) for column in columns)


def rows_of(columns: Columns, section: str) -> dict[str, Row]:
    return {row.key: row for row in compare(columns, {}) if row.section == section}


def test_every_section_says_that_nothing_is_visible() -> None:
    rows = compare(remote_columns(), {})
    assert {row.section for row in rows} == {section.key for section in SECTIONS} - {"engines"}
    hidden = [row for row in rows if row.section != "published" and row.key != "address"]
    assert {absent for row in hidden for absent in row.absent.values()} == {ABSENT}
    assert {row.relation for row in hidden} == {Relation.UNKNOWN}
    assert {row.why for row in hidden} == {""}


def test_addresses_are_those_that_the_engine_assigned() -> None:
    row = rows_of(remote_columns("host", "bridge", "user-bridge"), "identity")["address"]
    assert row.cells["bridge"] == "172.17.0.2"
    assert row.absent == {MACHINE: ABSENT, "host": "none assigned by the Engine"}
    assert row.relation is Relation.DIFFERS
    assert row.why == "The Engine assigns an address in each network that has a subnet; host gets none."


def test_published_ports_are_compared_as_usual() -> None:
    columns = remote_columns()
    published = [row for row in compare(columns, {}) if row.section == "published"]
    assert published == [row for row in compare(*make_scene(("host", "bridge"))) if row.section == "published"]


def test_a_container_that_does_not_run_shows_its_status() -> None:
    columns = tuple(
        replace(column, status=ArmStatus.EXITED) if column.key == "host" else column for column in remote_columns()
    )
    assert rows_of(columns, "routes")["all"].absent["host"] == "exited"


def test_a_single_column_that_is_not_visible_makes_equal_columns_unknown_and_different_ones_differ() -> None:
    columns, states = make_scene(("bridge", "user-bridge", "host"))
    columns = tuple(replace(column, invisible=REASON) if column.key == "host" else column for column in columns)
    rows = {(row.section, row.key, row.field): row for row in compare(columns, without(states, "host"))}
    assert rows["identity", "netns", ""].relation is Relation.DIFFERS
    loopback = rows["interfaces", "lo", "addresses"]
    assert (loopback.relation, loopback.absent) == (Relation.UNKNOWN, {"host": ABSENT})
    assert not any(key == "all" for _section, key, _field in rows)
