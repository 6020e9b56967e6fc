"""dashboard.core.reports.replay.rows: the rows of ``compare``, and only new ones are computed."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given

from dashboard.core.comparison.rows import SECTIONS, compare
from dashboard.core.reports.replay.inputs import Inputs
from dashboard.core.reports.replay.rows import RecordedRows
from tests.core.builders import MACHINE, Columns, States, make_interface, make_listener
from tests.core.scenes import make_scene
from tests.core.strategies import generated_scenes


@given(generated_scenes(), generated_scenes())
def test_rows_are_those_of_the_comparison(first: tuple[Columns, States], second: tuple[Columns, States]) -> None:
    inputs, rows = Inputs(), RecordedRows()
    lists: dict[str, int] = {}
    for number, (columns, states) in enumerate((first, second, first)):
        lists.update(rows.advance(inputs.next_frame(columns, number % 2, states)))
        dumped = msgspec.json.decode(msgspec.json.encode(rows.table.dump()))
        found = [dumped[row] for section in SECTIONS for row in rows.chains.items(lists[section.key])]
        assert found == msgspec.json.decode(msgspec.json.encode(compare(columns, states)))


def test_the_kind_of_a_master_is_known_in_the_row_of_its_port() -> None:
    columns, states = make_scene(("bridge",))
    links = (make_interface("eth1", 90, master="bond0"), make_interface("bond0", 91, "bond"))
    states[MACHINE] = replace(states[MACHINE], interfaces=(*states[MACHINE].interfaces, *links))
    rows = RecordedRows()
    lists = dict(rows.advance(Inputs().next_frame(columns, 0, states)))
    dumped = msgspec.json.decode(msgspec.json.encode(rows.table.dump()))
    found = [dumped[row] for row in rows.chains.items(lists["interfaces"])]
    (joined,) = (row for row in found if (row["key"], row["field"]) == ("eth1", "joined"))
    assert joined["cells"][MACHINE] == "bond bond0"


def test_an_added_listener_computes_one_row() -> None:
    columns, states = make_scene()
    inputs, rows = Inputs(), RecordedRows()
    list(rows.advance(inputs.next_frame(columns, 0, states)))
    before, computed = len(rows.table), rows.computed
    more = {**states, "none": replace(states["none"], listeners=(*states["none"].listeners, make_listener(9000)))}
    assert [section for section, _ in rows.advance(inputs.next_frame(columns, 0, more))] == ["listeners"]
    assert len(rows.table) == before + 1
    assert rows.computed == computed + 2  # the cell and the row
    assert [section for section, _ in rows.advance(inputs.next_frame(columns, 0, states))] == ["listeners"]
    assert rows.computed == computed + 2
