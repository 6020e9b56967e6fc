"""Rows of columns on several machines, compared within each machine and between the machines.

The cells of a machine are the same as in an experiment on that machine alone. A network namespace belongs to its
machine: equal inodes on two machines are different network stacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.comparison.cells import Cell, ObservedColumns, RowKey
from dashboard.core.comparison.machines.engine_cells import engine_cells
from dashboard.core.comparison.machines.reasons import ComparedMachine, explain_machines
from dashboard.core.comparison.reasons import explain
from dashboard.core.comparison.row_building import (
    CellsByRow,
    assemble_row,
    complete_cells,
    relate,
    row_order,
    section_cells,
)
from dashboard.core.experiments.machines.groups import MachineGroup, group_by_machine
from dashboard.core.experiments.messages import Column, Relation, Row
from dashboard.core.modes import MACHINE, SHOWN_ONLY
from dashboard.core.namespaces.state import NamespaceState

ENGINE_SECTION = "engines"
_DIFFERENT = (Relation.DIFFERS, Relation.ONLY)


@dataclass(frozen=True)
class ObservedGroup:
    """The columns of one machine with their states."""

    group: MachineGroup
    observed: ObservedColumns

    def cells(self, section: str) -> CellsByRow:
        """Returns the cells of this machine's columns in a section, by row."""
        if section != ENGINE_SECTION:
            return section_cells(self.observed, section)
        column = self.group.machine_column
        facts = column.engine if column is not None else None
        return {(key.key, key.field): (key, {MACHINE: cell}) for key, cell in engine_cells(facts)}

    def complete(self, key: RowKey, present: Mapping[str, Cell]) -> dict[str, Cell]:
        """Returns the cell of every column of this machine in a row. ``present`` has the cells of the columns with a
        value. Each other column gets a cell that states why it has no value."""
        if key.section != ENGINE_SECTION:
            cells = complete_cells(self.observed, key.section, key, present)
            return {name: self._of_machine(key, cell) for name, cell in cells.items()}
        missing = Cell(absent="not reported by the lab", visible=False)
        others = Cell(absent="does not apply", applies=False)
        return {
            column.key: present.get(column.key, missing if column.key == MACHINE else others)
            for column in self.observed.columns
        }

    def _of_machine(self, key: RowKey, cell: Cell) -> Cell:
        is_namespace = (key.section, key.key) == ("identity", "netns") and cell.text is not None
        return replace(cell, normalised=f"{cell.text} of machine {self.group.number}") if is_namespace else cell


def observe_groups(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[ObservedGroup, ...]:
    """Returns the columns of each machine; empty if all columns belong to one machine."""
    return tuple(
        ObservedGroup(group, ObservedColumns(group.columns, group.states))
        for group in group_by_machine(columns, states)
    )


def machine_section_rows(groups: Sequence[ObservedGroup], section: str) -> tuple[Row, ...]:
    """Returns the rows of one section in the order of the table. ``groups`` are the columns of each machine."""
    cells = [group.cells(section) for group in groups]
    keys: dict[tuple[str, str], RowKey] = {}
    for rows in cells:
        for identity, (key, _cells) in rows.items():
            keys.setdefault(identity, key)
    found = []
    for identity, key in sorted(keys.items(), key=lambda item: row_order(item[1])):
        present = [rows[identity][1] if identity in rows else {} for rows in cells]
        found.append(_make_row(groups, key, present))
    return tuple(found)


def _make_row(groups: Sequence[ObservedGroup], key: RowKey, present: Sequence[Mapping[str, Cell]]) -> Row:
    complete = [group.complete(key, cells) for group, cells in zip(groups, present, strict=True)]
    shared = {
        group.group.shared(name): cell
        for group, cells in zip(groups, complete, strict=True)
        for name, cell in cells.items()
    }
    compared = [{name: cell for name, cell in cells.items() if name not in SHOWN_ONLY} for cells in complete]
    relation = relate(
        {f"{name}@{number}": cell for number, cells in enumerate(compared) for name, cell in cells.items()}
    )
    return assemble_row(key, shared, relation, _explain(groups, key, compared) if relation in _DIFFERENT else "")


def _explain(groups: Sequence[ObservedGroup], key: RowKey, cells: Sequence[dict[str, Cell]]) -> str:
    """Returns why the columns of each machine differ, then why the machines differ. A reason that applies to all
    machines is stated once, without their names."""
    reasons: dict[str, list[str]] = {}
    if key.section != ENGINE_SECTION:
        for group, own in zip(groups, cells, strict=True):
            if relate(own) in _DIFFERENT and (why := explain(group.observed.compared, key, own)):
                reasons.setdefault(why, []).append(group.group.machine)
    within = [
        why if len(machines) == len(groups) else f"On {' and '.join(machines)}: {why}"
        for why, machines in reasons.items()
    ]
    machines = [
        ComparedMachine(group.group.machine, group.group.columns, own) for group, own in zip(groups, cells, strict=True)
    ]
    return " ".join(filter(None, (*within, explain_machines(key, machines))))
