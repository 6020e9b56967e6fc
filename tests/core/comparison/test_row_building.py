"""How the cells of a row relate."""

from __future__ import annotations

import pytest

from dashboard.core.comparison.cells import Cell, ObservedColumns
from dashboard.core.comparison.row_building import relate, section_cells, section_rows
from dashboard.core.comparison.rows import SECTIONS, compare
from dashboard.core.experiments.messages import Relation
from tests.core.scenes import make_scene

HIDDEN, NOTHING = Cell(absent="not visible", visible=False), Cell(absent="none")


@pytest.mark.parametrize(
    ("cells", "relation"),
    [
        ([Cell("1"), Cell("1")], Relation.SAME),
        ([Cell("1"), Cell("2")], Relation.DIFFERS),
        ([Cell("1"), NOTHING], Relation.ONLY),
        ([Cell("1", "a"), Cell("2", "a")], Relation.SAME),
        ([Cell("1"), HIDDEN], Relation.UNKNOWN),
        ([Cell("1"), Cell("2"), HIDDEN], Relation.DIFFERS),
        ([Cell("1"), Cell(absent="x", applies=False)], Relation.SAME),
    ],
)
def test_the_relation_of_a_row_follows_from_its_cells(cells: list[Cell], relation: Relation) -> None:
    assert relate({str(number): cell for number, cell in enumerate(cells)}) is relation


def test_the_rows_of_all_sections_are_the_comparison() -> None:
    columns, states = make_scene(("host", "bridge", "none"))
    observed = ObservedColumns(columns, states)
    rows = [row for section in SECTIONS for row in section_rows(observed, section.key)]
    assert tuple(rows) == compare(columns, states)
    assert {(row.key, row.field) for row in rows if row.section == "dns"} == set(section_cells(observed, "dns"))
