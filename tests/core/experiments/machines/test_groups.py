"""The columns of each machine, and among those of all machines."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.experiments.machines.groups import (
    MachineNote,
    group_by_machine,
    machine_number,
    mark_machines,
    shared_column,
    shared_key,
    shared_titles,
    sort_by_machine,
)
from dashboard.core.modes import MACHINE
from tests.core.machine_scenes import LAB2, SERVER, scene_of, share, two_machines
from tests.core.scenes import make_scene


def test_the_columns_of_one_machine_have_no_groups() -> None:
    assert group_by_machine(*make_scene(("host", "bridge"))) == ()


def test_each_group_has_what_its_lab_observed() -> None:
    columns, states = two_machines()
    groups = group_by_machine(columns, states)
    assert [(group.machine, group.number) for group in groups] == [("server", 1), ("lab2", 2)]
    for group, facts in zip(groups, (SERVER, LAB2), strict=True):
        assert (group.columns, group.states) == scene_of(group.machine, ("host", "bridge"), facts)
        assert [group.shared(column.key) for column in group.columns] == [column.key for column in group.shown]


def test_keys_and_titles_are_unique_among_all_machines() -> None:
    columns, _states = two_machines()
    assert [column.key for column in columns] == ["machine", "host", "bridge", "machine@2", "host-lab2", "bridge-lab2"]
    assert columns[0].title == "this machine (server)"
    assert columns[3].title == "this machine (lab2)"
    assert shared_key("bridge", 2) == "bridge"


def test_arms_of_the_same_mode_have_the_titles_of_the_first_machine() -> None:
    columns, states = share([scene_of("server", ("none", "host"), SERVER), scene_of("lab2", ("host", "bridge"), LAB2)])
    assert shared_titles(group_by_machine(columns, states)) == (
        {"none": "none", "host": "host"},
        {"host-lab2": "host", "bridge-lab2": "bridge-lab2"},
    )


def test_titles_that_would_not_be_unique_stay() -> None:
    columns, states = share([scene_of("server", ("host",), SERVER), scene_of("lab2", ("host", "none"), LAB2)])
    columns = tuple(replace(one, title="host") if one.key == "none-lab2" else one for one in columns)
    assert shared_titles(group_by_machine(columns, states)) == ({"host": "host"}, {})


def test_the_number_of_a_machine_is_read_from_its_key() -> None:
    numbers = [machine_number(key) for key in ("machine", "machine@2", "machine@x", "machine@99999", "machine@²")]
    assert numbers == [1, 2, 1, 1, 1]


def test_a_column_that_appears_later_is_beside_those_of_its_machine() -> None:
    columns, _states = two_machines()
    late = [*columns[:2], *columns[3:], columns[2]]
    assert [column.key for column in sort_by_machine(late)] == [column.key for column in columns]
    plain, _states = make_scene(("host", "bridge"))
    assert sort_by_machine(reversed(plain)) == plain[::-1]


def test_a_note_about_a_machine_is_at_all_its_columns() -> None:
    columns, _states = two_machines()
    notes = {"lab2": MachineNote("It does not respond."), "server": MachineNote(note="It is drained.")}
    marked = mark_machines(columns, notes)
    assert {column.machine: (column.absent, column.note) for column in marked} == {
        "server": ("", "It is drained."),
        "lab2": ("It does not respond.", ""),
    }
    assert mark_machines(marked, {}) == columns
    plain, _states = make_scene(("host",))
    assert mark_machines(plain, {"": MachineNote("nothing")}) is plain
    assert plain[0].key == MACHINE


def test_notes_of_a_lab_about_its_machine_are_not_shown() -> None:
    columns, _states = make_scene(("host",))
    told = shared_column(replace(columns[0], machine="server", absent="forged", note="forged"), 2, "lab2")
    assert (told.machine, told.absent, told.note) == ("lab2", "", "")
