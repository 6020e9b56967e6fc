"""States to rows: what is the same, what differs, what only one column has.

Rows come in a stable order: sections as in ``SECTIONS``, inside them by rank. The order and the
identity of rows do not depend on the order in which things were observed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.comparison.name_cells import dns_cells, hosts_cells
from dashboard.core.comparison.port_cells import listener_cells, published_cells
from dashboard.core.comparison.reasons import absent_word, explain
from dashboard.core.comparison.stack_cells import identity_cells, interface_cells, route_cells, sysctl_cells
from dashboard.core.experiments.messages import ArmStatus, Column, Relation, Row
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the table, with what it is and where the fact stands."""

    key: str
    title: str
    about: str


SECTIONS: tuple[Section, ...] = (
    Section(
        "identity",
        "Identity",
        "A network namespace is one complete network stack. Its inode names it: the same number is the same stack "
        "(namespaces(7)).",
    ),
    Section(
        "published",
        "Published ports",
        "What -p asked for (HostConfig.PortBindings) beside what the Engine really did (NetworkSettings.Ports).",
    ),
    Section(
        "listeners",
        "Listeners",
        "Sockets that wait for connections or datagrams, read with sock_diag(7), and the process that holds each.",
    ),
    Section(
        "interfaces",
        "Interfaces",
        "Links and their addresses, read with rtnetlink(7). In host mode they are the machine's own.",
    ),
    Section("routes", "Routes", "The main routing table: where packets leave (ip-route(8))."),
    Section(
        "dns",
        "DNS",
        "The resolver that /etc/resolv.conf names (resolv.conf(5)), and names looked up from inside each column.",
    ),
    Section("hosts", "Hosts file", "Names that are answered before any server is asked (hosts(5))."),
    Section(
        "sysctls",
        "Network sysctls",
        "Kernel settings that belong to the network namespace, and that Docker changes for containers.",
    ),
)

_WITH_STATE: dict[str, Callable[[ObservedColumns, Column, NamespaceState], Cells]] = {
    "identity": identity_cells,
    "listeners": listener_cells,
    "interfaces": interface_cells,
    "routes": route_cells,
    "dns": dns_cells,
    "hosts": hosts_cells,
    "sysctls": sysctl_cells,
}

_NO_STATE = {
    ArmStatus.WAITING: "not started yet",
    ArmStatus.CREATED: "not started yet",
    ArmStatus.REFUSED: "refused",
    ArmStatus.EXITED: "exited",
    ArmStatus.GONE: "removed",
    ArmStatus.LOST: "removed outside Netmodes",
    ArmStatus.RUNNING: "not read yet",
}


def _relation(cells: Mapping[str, Cell]) -> Relation:
    """``only``: exactly one of several columns has it. Columns to which a row does not apply are left out."""
    applying = [cell for cell in cells.values() if cell.applies]
    present = [cell for cell in applying if cell.text is not None]
    if len(present) == 1 and len(applying) > 1:
        return Relation.ONLY
    values = {
        (cell.text is None, cell.absent if cell.text is None else cell.normalised or cell.text) for cell in applying
    }
    return Relation.SAME if len(values) <= 1 else Relation.DIFFERS


def _missing(section: str, observed: ObservedColumns, column: Column, key: RowKey) -> Cell:
    """What a column says that says nothing about this row."""
    if section == "published":
        if column.key == MACHINE:
            return Cell(absent="does not apply", applies=False)
        return Cell(absent="not asked" if key.field == "asked" else "not published")
    if column.key not in observed.states:
        return Cell(absent=_NO_STATE[column.status], applies=False)
    return Cell(absent=absent_word(observed, column, key))


#: What each section is made from, besides the columns and which namespaces they share.
INPUTS: dict[str, tuple[str, ...]] = {
    "identity": ("namespaces", "hostname", "interfaces", "routes"),
    "published": (),
    "listeners": ("listeners",),
    "interfaces": ("interfaces",),
    "routes": ("routes",),
    "dns": ("resolver", "lookups"),
    "hosts": ("hosts", "hostname"),
    "sysctls": ("sysctls",),
}


class RowCache:
    """Rows of the last comparison by section: what was made from the same is not made again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, tuple[Row, ...]]] = {}

    def get(self, section: str, made_from: object, make: Callable[[], tuple[Row, ...]]) -> tuple[Row, ...]:
        """The section's rows, made anew only if ``made_from`` is not what it was."""
        known = self._known.get(section)
        if known is None or known[0] != made_from:
            known = self._known[section] = (made_from, make())
        return known[1]


def compare(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], cache: RowCache | None = None
) -> tuple[Row, ...]:
    """All rows of a comparison, in reading order. ``cache`` of earlier ones saves work, and changes nothing."""
    observed = ObservedColumns(tuple(columns), states)
    cache = cache or RowCache()
    place = (observed.columns, tuple((key, state.netns) for key, state in states.items()))
    rows: list[Row] = []
    for section in SECTIONS:
        values = tuple(getattr(state, name) for state in states.values() for name in INPUTS[section.key])
        rows += cache.get(section.key, (place, values), partial(section_rows, observed, section.key))
    return tuple(rows)


def section_rows(observed: ObservedColumns, section: str) -> tuple[Row, ...]:
    """The rows of one section, in reading order: they follow from the columns, from which namespaces they share, and
    from ``INPUTS``."""
    found: dict[tuple[str, str], tuple[RowKey, dict[str, Cell]]] = {}
    for column in observed.columns:
        for key, cell in column_cells(observed, section, column, observed.states.get(column.key)):
            found.setdefault((key.key, key.field), (key, {}))[1].setdefault(column.key, cell)
    ordered = sorted(found.values(), key=lambda pair: row_order(pair[0]))
    return tuple(make_row(observed, section, key, said) for key, said in ordered)


def column_cells(observed: ObservedColumns, section: str, column: Column, state: NamespaceState | None) -> Cells:
    """What one column says in a section; of ``state``, which may be a part of its own."""
    if section == "published":
        return published_cells(observed, column, state) if column.key != MACHINE else iter(())
    return iter(()) if state is None else _WITH_STATE[section](observed, column, state)


def row_order(key: RowKey) -> tuple[object, ...]:
    """Sorts the rows of a section."""
    return (_sortable(key.rank), key.key, key.field)


def _sortable(rank: tuple[int | str, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in rank)


def make_row(observed: ObservedColumns, section: str, key: RowKey, said: Mapping[str, Cell]) -> Row:
    """One row, of what the columns say in it."""
    cells = {
        column.key: said[column.key] if column.key in said else _missing(section, observed, column, key)
        for column in observed.columns
    }
    relation = _relation(cells)
    return Row(
        section=section,
        key=key.key,
        field=key.field,
        label=key.label,
        cells={name: cell.text for name, cell in cells.items()},
        relation=relation,
        why="" if relation is Relation.SAME else explain(observed, key, cells),
        notes={name: cell.note for name, cell in cells.items() if cell.note},
        absent={name: cell.absent or "none" for name, cell in cells.items() if cell.text is None},
        normalised={
            name: cell.normalised
            for name, cell in cells.items()
            if cell.text is not None and cell.normalised is not None and cell.normalised != cell.text
        },
    )
