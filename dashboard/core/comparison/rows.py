"""Rows from states: what is the same, what differs, and what only one column has.

Rows are in a stable order: by ``SECTIONS``, then by weight, then by rank. Order and identity of rows do not depend on
the order of observation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.comparison.invisible_cells import invisible_cells
from dashboard.core.comparison.name_cells import dns_cells, hosts_cells
from dashboard.core.comparison.port_cells import listener_cells, published_cells
from dashboard.core.comparison.reasons import absent_word, explain
from dashboard.core.comparison.stack_cells import identity_cells, interface_cells, route_cells, sysctl_cells
from dashboard.core.comparison.weight import Weight, weigh
from dashboard.core.experiments.messages import ArmStatus, Column, Relation, Row
from dashboard.core.modes import OBSERVERS, OUTSIDE, SHOWN_ONLY
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.namespaces.visibility import not_visible


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the table, with an explanation and its source."""

    key: str
    title: str
    about: str


SECTIONS: tuple[Section, ...] = (
    Section(
        "identity",
        "Identity",
        "A network namespace is one complete network stack, identified by its inode: the same number means the same "
        "stack (namespaces(7)).",
    ),
    Section(
        "published",
        "Published ports",
        "Ports requested with -p (HostConfig.PortBindings), and ports that the Engine published "
        "(NetworkSettings.Ports).",
    ),
    Section(
        "listeners",
        "Listeners",
        "Sockets that accept connections or datagrams, read with sock_diag(7), and the process of each.",
    ),
    Section(
        "interfaces",
        "Interfaces",
        "Interfaces and their addresses, read with rtnetlink(7). In host mode they are the machine's.",
    ),
    Section("routes", "Routes", "The main routing table (ip-route(8))."),
    Section(
        "dns",
        "DNS",
        "The resolver in /etc/resolv.conf (resolv.conf(5)), and lookups from inside each column.",
    ),
    Section("hosts", "Hosts file", "Names that are resolved without a name server (hosts(5))."),
    Section(
        "sysctls",
        "Network sysctls",
        "Kernel settings of the network namespace, some of which Docker changes for containers.",
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
    """``only``: exactly one of several columns has it. Columns to which the row does not apply are ignored.
    ``unknown``: the visible columns do not differ, and others are not visible."""
    applying = [cell for cell in cells.values() if cell.applies]
    visible = [cell for cell in applying if cell.visible]
    present = [cell for cell in visible if cell.text is not None]
    values = {
        (cell.text is None, cell.absent if cell.text is None else cell.normalised or cell.text) for cell in visible
    }
    if len(visible) < len(applying):
        return Relation.DIFFERS if len(values) > 1 else Relation.UNKNOWN
    if len(present) == 1 and len(applying) > 1:
        return Relation.ONLY
    return Relation.SAME if len(values) <= 1 else Relation.DIFFERS


def _missing(section: str, observed: ObservedColumns, column: Column, key: RowKey) -> Cell:
    """The cell of a column that has no value in this row."""
    if section == "published":
        if column.key in OBSERVERS:
            return Cell(absent="does not apply", applies=False)
        return Cell(absent="not asked" if key.field == "asked" else "not published")
    if column.key not in observed.states:
        if column.invisible and column.status is ArmStatus.RUNNING:
            return Cell(absent=not_visible(column.invisible), visible=False)
        return Cell(absent=_NO_STATE[column.status], applies=False)
    return Cell(absent=absent_word(observed, column, key))


#: The fields of a state that each section depends on, in addition to the columns and their shared namespaces.
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
    """The rows of the last comparison by section, reused while their inputs are unchanged."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, tuple[Row, ...]]] = {}

    def get(self, section: str, inputs: object, make: Callable[[], tuple[Row, ...]]) -> tuple[Row, ...]:
        """The section's rows; calls ``make`` only if the inputs have changed."""
        known = self._known.get(section)
        if known is None or known[0] != inputs:
            known = self._known[section] = (inputs, make())
        return known[1]


def compare(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], cache: RowCache | None = None
) -> tuple[Row, ...]:
    """All rows of a comparison, in reading order. ``cache`` avoids work; it does not change the result."""
    observed = ObservedColumns(tuple(columns), states)
    cache = cache or RowCache()
    shared = (observed.columns, tuple((key, state.netns) for key, state in states.items()))
    rows: list[Row] = []
    for section in SECTIONS:
        values = tuple(getattr(state, name) for state in states.values() for name in INPUTS[section.key])
        rows += cache.get(section.key, (shared, values), partial(section_rows, observed, section.key))
    return tuple(rows)


def section_rows(observed: ObservedColumns, section: str) -> tuple[Row, ...]:
    """The rows of one section, in reading order, without rows that only columns outside the machine have. They depend
    on the columns, their shared namespaces, and ``INPUTS``."""
    rows: dict[tuple[str, str], tuple[RowKey, dict[str, Cell]]] = {}
    for column in observed.columns:
        for key, cell in column_cells(observed, section, column, observed.states.get(column.key)):
            rows.setdefault((key.key, key.field), (key, {}))[1].setdefault(column.key, cell)
    compared = (row for row in rows.values() if not row[1].keys() <= OUTSIDE)
    ordered = sorted(compared, key=lambda pair: row_order(pair[0]))
    return tuple(make_row(observed, section, key, cells) for key, cells in ordered)


def column_cells(observed: ObservedColumns, section: str, column: Column, state: NamespaceState | None) -> Cells:
    """The cells of one column in a section. ``state`` may be only a part of the column's state."""
    if section == "published":
        return published_cells(observed, column, state) if column.key not in OBSERVERS else iter(())
    if state is not None:
        return _WITH_STATE[section](observed, column, state)
    hidden = column.invisible and column.status is ArmStatus.RUNNING
    return invisible_cells(observed, section, column) if hidden else iter(())


def row_order(key: RowKey) -> tuple[object, ...]:
    """The sort key of a row in its section."""
    return (weigh(key.section, key.key, key.field), _sortable(key.rank), key.key, key.field)


def _sortable(rank: tuple[int | str, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in rank)


def make_row(observed: ObservedColumns, section: str, key: RowKey, present: Mapping[str, Cell]) -> Row:
    """One row from the cells of the columns that have a value. Cells of some columns are shown but not compared."""
    cells = {
        column.key: present[column.key] if column.key in present else _missing(section, observed, column, key)
        for column in observed.columns
    }
    compared = {name: cell for name, cell in cells.items() if name not in SHOWN_ONLY}
    relation = _relation(compared)
    return Row(
        section=section,
        key=key.key,
        field=key.field,
        label=key.label,
        cells={name: cell.text for name, cell in cells.items()},
        relation=relation,
        why=explain(observed.compared, key, compared) if relation in {Relation.DIFFERS, Relation.ONLY} else "",
        notes={name: cell.note for name, cell in cells.items() if cell.note},
        absent={name: cell.absent or "none" for name, cell in cells.items() if cell.text is None},
        normalised={
            name: cell.normalised
            for name, cell in cells.items()
            if cell.text is not None and cell.normalised is not None and cell.normalised != cell.text
        },
        detail=weigh(section, key.key, key.field) is Weight.DETAIL,
    )
