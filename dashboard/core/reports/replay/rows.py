"""The rows of a track: the same as ``comparison.compare`` makes, without making again what was made before.

Sections of which the parts change often are made part by part: what a column says of one port, link or destination
follows from that, from the columns and, for links, from how all links are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any, cast

from dashboard.core.comparison.cells import Cell, RowKey
from dashboard.core.comparison.rows import INPUTS, SECTIONS, reading_order, row_of, said_by, section_rows
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.state import NamespaceState, interface_key
from dashboard.core.reports.replay.inputs import Look
from dashboard.core.reports.replay.interning import NONE, Chains, Numbers, Table

#: What whole sections are made from: of interfaces and routes, identity shows only what is primary.
_INPUTS = {**INPUTS, "identity": ("namespaces", "hostname", "primary")}

#: Sections that are made part by part, and what belongs to one part.
_PARTS: dict[str, Callable[[Any], Hashable]] = {
    "listeners": lambda one: (one.protocol, one.port),
    "interfaces": interface_key,
    "routes": lambda one: (one.family, one.destination),
}

_Said = tuple[tuple[int, int, int], ...]  # numbers of the row's identity, its RowKey, and the cell


class TrackRows:
    """All rows that were ever shown. ``made`` counts how many were computed."""

    def __init__(self) -> None:
        self.table = Table()
        self.chains = Chains()
        self.made = 0
        self._now: dict[str, tuple[object, ...]] = {}
        self._lists: dict[str, int] = dict.fromkeys((section.key for section in SECTIONS), NONE)
        self._sections: dict[tuple[object, ...], int] = {}
        self._parts: dict[tuple[str, int], tuple[tuple[int, tuple[object, ...]], ...]] = {}
        self._said: dict[tuple[object, ...], _Said] = {}
        self._rows: dict[tuple[object, ...], int] = {}
        self._part_numbers, self._identities, self._key_numbers, self._cell_numbers = (Numbers() for _ in range(4))
        self._keys: list[RowKey] = []
        self._orders: list[tuple[object, ...]] = []
        self._cells: list[Cell] = []

    def advance(self, look: Look) -> Iterator[tuple[str, int]]:
        """The sections that may show other rows now, with the number of the list of their rows."""
        for section, inputs in _INPUTS.items():
            made_from = (section, look.common, *(numbers[name] for numbers in look.of.values() for name in inputs))
            if section == "interfaces":
                made_from = (*made_from, look.links)
            if self._now.get(section) == made_from:
                continue
            self._now[section] = made_from
            number = self._sections.get(made_from)
            if number is None:
                rows = self._by_part(look, section) if section in _PARTS else self._at_once(look, section)
                number = self._sections[made_from] = self.chains.number(rows, self._lists[section])
            self._lists[section] = number
            yield section, number

    def _at_once(self, look: Look, section: str) -> tuple[int, ...]:
        rows = section_rows(look.scene, section)
        self.made += len(rows) + 1
        return tuple(self.table.number(row) for row in rows)

    def _by_part(self, look: Look, section: str) -> tuple[int, ...]:
        about = (section, look.common, look.links if section == "interfaces" else ())
        found: dict[int, list[int]] = {}
        nothing = [NONE] * len(look.columns)
        for place, column in enumerate(look.columns, start=1):
            if column.key not in look.states:
                continue
            for identity, key, cell in self._said_by(look, about, section, column):
                line = found.get(identity)
                if line is None:
                    line = found[identity] = [key, *nothing]
                if line[place] == NONE:
                    line[place] = cell
        lines = sorted(found.values(), key=lambda line: self._orders[line[0]])
        return tuple(self._row(look, section, about, line) for line in lines)

    def _row(self, look: Look, section: str, about: tuple[object, ...], line: list[int]) -> int:
        made_from = (about, *line)
        row = self._rows.get(made_from)
        if row is None:
            cells = zip(look.columns, line[1:], strict=True)
            said = {column.key: self._cells[number] for column, number in cells if number != NONE}
            made = row_of(look.scene, section, self._keys[line[0]], said)
            self.made += 1
            row = self._rows[made_from] = self.table.number(made)
        return row

    def _said_by(self, look: Look, about: tuple[object, ...], section: str, column: Column) -> _Said:
        number = look.of[column.key][section]
        made_from = (about, column.key, number)
        said = self._said.get(made_from)
        if said is None:
            state = look.states[column.key]
            parts = self._parts.get((section, number))
            if parts is None:
                parts = self._parts[section, number] = self._divide(section, getattr(state, section))
            said = self._said[made_from] = tuple(
                one for part in parts for one in self._of_part(look, about, section, column, state, part)
            )
        return said

    def _divide(self, section: str, items: tuple[Any, ...]) -> tuple[tuple[int, tuple[object, ...]], ...]:
        groups: dict[Hashable, list[object]] = {}
        for item in items:
            groups.setdefault(_PARTS[section](item), []).append(item)
        return tuple((self._part_numbers.number(part), part) for part in map(tuple, groups.values()))

    def _of_part(
        self,
        look: Look,
        about: tuple[object, ...],
        section: str,
        column: Column,
        state: NamespaceState,
        part: tuple[int, tuple[object, ...]],
    ) -> _Said:
        made_from = (about, column.key, "part", part[0])
        said = self._said.get(made_from)
        if said is None:
            cells = said_by(look.scene, section, column, replace(state, **{section: cast(Any, part[1])}))
            said = self._said[made_from] = tuple(self._number(key, cell) for key, cell in cells)
            self.made += len(said)
        return said

    def _number(self, key: RowKey, cell: Cell) -> tuple[int, int, int]:
        key_number, cell_number = self._key_numbers.number(key), self._cell_numbers.number(cell)
        if key_number == len(self._keys):
            self._keys.append(key)
            self._orders.append(reading_order(key))
        if cell_number == len(self._cells):
            self._cells.append(cell)
        return self._identities.number((key.section, key.key, key.field)), key_number, cell_number
