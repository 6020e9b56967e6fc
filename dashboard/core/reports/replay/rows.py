"""The rows of a recording, as ``comparison.compare`` returns them. Equal rows are not computed again.

Sections that change often are computed in parts. A part has the cells of a column for one port, link or destination. It
is computed again only if the columns, its own listeners, interfaces or routes, or another input of the section change.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from dashboard.core.comparison.cells import Cell, RowKey
from dashboard.core.comparison.machines.rows import machine_section_rows
from dashboard.core.comparison.row_building import column_cells, make_row, row_order, section_rows
from dashboard.core.comparison.rows import INPUTS, SECTIONS
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import OUTSIDE
from dashboard.core.namespaces.state import NamespaceState, interface_key
from dashboard.core.reports.replay.inputs import Frame
from dashboard.core.reports.replay.interning import NONE, Chains, Numbers, Table

#: The inputs of whole sections. Of interfaces and routes, identity shows the primary addresses only. Other sections
#: depend on how the arms are connected. Cells and reasons of interfaces depend on the links of all columns.
_INPUTS = {
    **INPUTS,
    "identity": ("namespaces", "hostname", "primary", "connection"),
    "published": ("connection",),
    "interfaces": ("interfaces", "links"),
    "routes": ("routes", "connection"),
}

#: Sections that are computed in parts, and the key of an item's part.
_PARTS: dict[str, Callable[[Any], Hashable]] = {
    "listeners": lambda one: (one.protocol, one.port),
    "interfaces": interface_key,
    "routes": lambda one: (one.family, one.destination),
}


type _NumberedCells = tuple[tuple[int, int, int], ...]  # numbers of the row's identity, its RowKey and the cell


def _numbers_of(frame: Frame, section: str, inputs: Iterable[str]) -> tuple[object, ...]:
    """Returns a key for a section. It is equal for two frames if the ``inputs`` of all columns are equal in them."""
    return (section, frame.common, *(numbers[name] for numbers in frame.numbers.values() for name in inputs))


class RecordedRows:
    """Stores all rows of a recording, each once. ``computed`` counts the computed rows and cells."""

    def __init__(self) -> None:
        self.table = Table()
        self.chains = Chains()
        self.computed = 0
        self._current: dict[str, tuple[object, ...]] = {}
        self._lists: dict[str, int] = dict.fromkeys((section.key for section in SECTIONS), NONE)
        self._sections: dict[tuple[object, ...], int] = {}
        self._parts: dict[tuple[str, int], tuple[tuple[int, tuple[object, ...]], ...]] = {}
        self._numbered_cells: dict[tuple[object, ...], _NumberedCells] = {}
        self._rows: dict[tuple[object, ...], int] = {}
        self._part_numbers, self._identities, self._key_numbers, self._cell_numbers = (Numbers() for _ in range(4))
        self._keys: list[RowKey] = []
        self._orders: list[tuple[object, ...]] = []
        self._cells: list[Cell] = []

    def advance(self, frame: Frame) -> Iterator[tuple[str, int]]:
        """Yields the sections whose inputs changed, each with the number under which its new list of rows is stored."""
        for section, inputs in _INPUTS.items():
            inputs_key = _numbers_of(frame, section, inputs)
            if self._current.get(section) == inputs_key:
                continue
            self._current[section] = inputs_key
            number = self._sections.get(inputs_key)
            if number is None:
                in_parts = section in _PARTS and not frame.groups
                rows = self._in_parts(frame, section) if in_parts else self._whole(frame, section)
                number = self._sections[inputs_key] = self.chains.number(rows, self._lists[section])
            self._lists[section] = number
            yield section, number

    def _whole(self, frame: Frame, section: str) -> tuple[int, ...]:
        groups = frame.groups
        rows = machine_section_rows(groups, section) if groups else section_rows(frame.observed, section)
        self.computed += len(rows) + 1
        return tuple(self.table.number(row) for row in rows)

    def _in_parts(self, frame: Frame, section: str) -> tuple[int, ...]:
        context = _numbers_of(frame, section, [name for name in _INPUTS[section] if name != section])
        lines_of: dict[int, list[int]] = {}
        nothing = [NONE] * len(frame.columns)
        for place, column in enumerate(frame.columns, start=1):
            if column.key not in frame.states:
                continue
            for identity, key, cell in self._column_cells(frame, context, section, column):
                line = lines_of.get(identity)
                if line is None:
                    line = lines_of[identity] = [key, *nothing]
                if line[place] == NONE:
                    line[place] = cell
        compared = [place for place, column in enumerate(frame.columns, start=1) if column.key not in OUTSIDE]
        rows = (line for line in lines_of.values() if any(line[place] != NONE for place in compared))
        lines = sorted(rows, key=lambda line: self._orders[line[0]])
        return tuple(self._row(frame, section, context, line) for line in lines)

    def _row(self, frame: Frame, section: str, context: tuple[object, ...], line: list[int]) -> int:
        inputs_key = (context, *line)
        row = self._rows.get(inputs_key)
        if row is None:
            cells = zip(frame.columns, line[1:], strict=True)
            known = {column.key: self._cells[number] for column, number in cells if number != NONE}
            self.computed += 1
            row = self._rows[inputs_key] = self.table.number(
                make_row(frame.observed, section, self._keys[line[0]], known)
            )
        return row

    def _column_cells(self, frame: Frame, context: tuple[object, ...], section: str, column: Column) -> _NumberedCells:
        number = frame.numbers[column.key][section]
        inputs_key = (context, column.key, number)
        cells = self._numbered_cells.get(inputs_key)
        if cells is None:
            state = frame.states[column.key]
            parts = self._parts.get((section, number))
            if parts is None:
                parts = self._parts[section, number] = self._divide(section, getattr(state, section))
            cells = self._numbered_cells[inputs_key] = tuple(
                cell for part in parts for cell in self._part_cells(frame, context, section, column, state, part)
            )
        return cells

    def _divide(self, section: str, items: tuple[Any, ...]) -> tuple[tuple[int, tuple[object, ...]], ...]:
        groups: dict[Hashable, list[object]] = {}
        for item in items:
            groups.setdefault(_PARTS[section](item), []).append(item)
        return tuple((self._part_numbers.number(part), part) for part in map(tuple, groups.values()))

    def _part_cells(
        self,
        frame: Frame,
        context: tuple[object, ...],
        section: str,
        column: Column,
        state: NamespaceState,
        part: tuple[int, tuple[object, ...]],
    ) -> _NumberedCells:
        inputs_key = (context, column.key, "part", part[0])
        numbered = self._numbered_cells.get(inputs_key)
        if numbered is None:
            cells = column_cells(frame.observed, section, column, replace(state, **{section: cast(Any, part[1])}))
            numbered = self._numbered_cells[inputs_key] = tuple(self._number(key, cell) for key, cell in cells)
            self.computed += len(numbered)
        return numbered

    def _number(self, key: RowKey, cell: Cell) -> tuple[int, int, int]:
        key_number, cell_number = self._key_numbers.number(key), self._cell_numbers.number(cell)
        if key_number == len(self._keys):
            self._keys.append(key)
            self._orders.append(row_order(key))
        if cell_number == len(self._cells):
            self._cells.append(cell)
        return self._identities.number((key.section, key.key, key.field)), key_number, cell_number
