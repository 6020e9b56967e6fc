"""Rows of columns on two machines."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.machines.rows import machine_section_rows, observe_groups
from dashboard.core.comparison.rows import RowCache, compare
from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.experiments.stream import row_id
from tests.core.builders import Columns, States
from tests.core.machine_scenes import LAB2, MACHINES, SERVER, scene_of, share, two_machines
from tests.core.scenes import make_scene


def rows_of(columns: Columns, states: States) -> dict[str, Row]:
    return {row_id(row): row for row in compare(columns, states)}


def test_the_cells_of_a_machine_are_those_that_it_has_alone() -> None:
    shown = rows_of(*two_machines())
    for number, (name, facts) in enumerate(zip(MACHINES, (SERVER, LAB2), strict=True), start=1):
        columns, states = scene_of(name, ("host", "bridge"), facts)
        for row in compare(columns, states):
            cells = shown[row_id(row)].cells
            for key, text in row.cells.items():
                assert cells[f"{key}@2" if key == "machine" and number == 2 else key] == text


def test_equal_numbers_of_two_machines_are_different_stacks() -> None:
    row = rows_of(*two_machines())["identity/netns/"]
    assert row.cells["machine"] == row.cells["machine@2"]
    assert row.normalised["machine"] != row.normalised["machine@2"]
    assert row.relation is Relation.DIFFERS
    assert "on its own machine only" in row.why


def test_a_row_with_equal_cells_on_both_machines_is_the_same() -> None:
    row = rows_of(*two_machines())["interfaces/lo/link"]
    assert row.relation is Relation.SAME
    assert row.why == ""


def test_a_reason_that_both_machines_have_is_stated_once() -> None:
    row = rows_of(*two_machines())["identity/hostname/"]
    single = rows_of(*make_scene(("host", "bridge")))["identity/hostname/"]
    assert row.why.count(single.why) == 1
    assert "lab2" not in row.why


def test_a_reason_of_one_machine_names_it() -> None:
    columns, states = share([scene_of("server", ("host", "bridge"), SERVER), scene_of("lab2", ("bridge",), LAB2)])
    row = rows_of(columns, states)["identity/hostname/"]
    assert "On lab2: " in row.why
    assert "On server: " in row.why


def test_engines_and_kernels_are_compared_between_the_machines_only() -> None:
    shown = rows_of(*two_machines())
    row = shown["engines/version/"]
    assert {key: text for key, text in row.cells.items() if text} == {
        "machine": "Docker Engine 28.5.2",
        "machine@2": "Docker Engine 26.1.5",
    }
    assert row.relation is Relation.DIFFERS
    assert row.absent["bridge"] == "does not apply"
    same = rows_of(*two_machines(facts=(SERVER, SERVER)))
    assert same["engines/kernel/"].relation is Relation.SAME
    assert not any(row.section == "engines" for row in compare(*make_scene(("host",))))


def test_a_lab_that_reports_nothing_about_its_engine_makes_no_difference() -> None:
    row = rows_of(*two_machines(facts=(SERVER, None)))["engines/kernel/"]
    assert row.relation is Relation.UNKNOWN
    assert row.absent["machine@2"] == "not reported by the lab"


def test_a_cache_changes_nothing() -> None:
    columns, states = two_machines()
    cache = RowCache()
    assert compare(columns, states, cache) == compare(columns, states)
    other = states | {"bridge-lab2": replace(states["bridge-lab2"], hostname="changed")}
    assert compare(columns, other, cache) == compare(columns, other)


def test_an_arm_that_has_not_started_is_not_compared() -> None:
    columns, states = two_machines()
    del states["bridge-lab2"]
    row = rows_of(columns, states)["interfaces/eth0/link"]
    assert row.cells["bridge-lab2"] is None
    groups = observe_groups(columns, states)
    assert [row_id(one) for one in machine_section_rows(groups, "interfaces")] == [
        row_id(one) for one in compare(columns, states) if one.section == "interfaces"
    ]
