"""Rows are those that ``compare`` makes, and only what is new is made."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given, settings

from dashboard.core.comparison.rows import SECTIONS, compare
from dashboard.core.reports.replay.inputs import Inputs
from dashboard.core.reports.replay.rows import TrackRows
from tests.core.builders import Columns, States, generated_scenes, make_listener, make_scene


@settings(max_examples=60)
@given(generated_scenes(), generated_scenes())
def test_rows_are_those_of_the_comparison(first: tuple[Columns, States], second: tuple[Columns, States]) -> None:
    inputs, rows = Inputs(), TrackRows()
    lists: dict[str, int] = {}
    for number, (columns, states) in enumerate((first, second, first)):
        lists.update(rows.advance(inputs.look(columns, number % 2, states)))
        written = msgspec.json.decode(msgspec.json.encode(rows.table.written()))
        found = [written[row] for section in SECTIONS for row in rows.chains.items(lists[section.key])]
        assert found == msgspec.json.decode(msgspec.json.encode(compare(columns, states)))


def test_one_listener_more_makes_one_row_more() -> None:
    columns, states = make_scene()
    inputs, rows = Inputs(), TrackRows()
    list(rows.advance(inputs.look(columns, 0, states)))
    before, made = len(rows.table), rows.made
    more = {**states, "none": replace(states["none"], listeners=(*states["none"].listeners, make_listener(9000)))}
    assert [section for section, _ in rows.advance(inputs.look(columns, 0, more))] == ["listeners"]
    assert len(rows.table) == before + 1
    assert rows.made == made + 2  # what the column says, and the row
    assert [section for section, _ in rows.advance(inputs.look(columns, 0, states))] == ["listeners"]
    assert rows.made == made + 2
