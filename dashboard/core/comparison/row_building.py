"""Builds the rows of a section: the cells of each column, their relation, and the reason for a difference."""

from collections.abc import Callable, Mapping

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

type CellsByRow = dict[tuple[str, str], tuple[RowKey, dict[str, Cell]]]

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


def relate(cells: Mapping[str, Cell]) -> Relation:
    """Returns the relation of the cells of a row. Cells of columns to which the row does not apply are ignored.
    ``only`` means that exactly one of several columns has a value. ``unknown`` means that at least one cell cannot be
    read and the others do not differ."""
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
    """Returns the cell of a column that has no value in this row."""
    if section == "published":
        if column.key in OBSERVERS:
            return Cell(absent="does not apply", applies=False)
        return Cell(absent="not requested" if key.field == "asked" else "not published")
    if column.key not in observed.states:
        if column.invisible and column.status is ArmStatus.RUNNING:
            return Cell(absent=not_visible(column.invisible), visible=False)
        return Cell(absent=_NO_STATE[column.status], applies=False)
    return Cell(absent=absent_word(observed, column, key))


def section_cells(observed: ObservedColumns, section: str) -> CellsByRow:
    """Returns the cells of a section. The result maps the key and the field of a row to its ``RowKey`` and to its
    cells, by column. A column without a value in a row has no cell there. Rows in which only columns outside the
    machine (``OUTSIDE``) have a value are left out."""
    rows: CellsByRow = {}
    for column in observed.columns:
        for key, cell in column_cells(observed, section, column, observed.states.get(column.key)):
            rows.setdefault((key.key, key.field), (key, {}))[1].setdefault(column.key, cell)
    return {identity: row for identity, row in rows.items() if not row[1].keys() <= OUTSIDE}


def section_rows(observed: ObservedColumns, section: str) -> tuple[Row, ...]:
    """Returns the rows of one section in the order of the table. Rows in which only columns outside the machine
    (``OUTSIDE``) have a value are left out. The rows may depend only on the columns, on the namespaces that they share,
    and on the fields in ``rows.INPUTS``. ``rows.RowCache`` reuses them until one of these changes."""
    ordered = sorted(section_cells(observed, section).values(), key=lambda pair: row_order(pair[0]))
    return tuple(make_row(observed, section, key, cells) for key, cells in ordered)


def column_cells(observed: ObservedColumns, section: str, column: Column, state: NamespaceState | None) -> Cells:
    """Yields the cells of one column in a section. ``state`` is the state of the column, None if it is not known. If
    the state is incomplete, only the cells of what it contains are yielded."""
    if section == "published":
        return published_cells(column) if column.key not in OBSERVERS else iter(())
    if section == "engines":  # compared between machines only
        return iter(())
    if state is not None:
        return _WITH_STATE[section](observed, column, state)
    hidden = column.invisible and column.status is ArmStatus.RUNNING
    return invisible_cells(observed, section, column) if hidden else iter(())


def row_order(key: RowKey) -> tuple[object, ...]:
    """Returns the key by which rows are sorted within their section."""
    return (weigh(key.section, key.key, key.field), _sortable(key.rank), key.key, key.field)


def _sortable(rank: tuple[int | str, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in rank)


def complete_cells(
    observed: ObservedColumns, section: str, key: RowKey, present: Mapping[str, Cell]
) -> dict[str, Cell]:
    """Returns the cell of every column in a row. ``present`` has the cells of the columns with a value. Each other
    column gets a cell that states why it has no value."""
    return {
        column.key: present[column.key] if column.key in present else _missing(section, observed, column, key)
        for column in observed.columns
    }


def make_row(observed: ObservedColumns, section: str, key: RowKey, present: Mapping[str, Cell]) -> Row:
    """Returns a row with its relation and, if columns differ, the reason. ``present`` has the cells of the columns that
    have a value. Columns in ``SHOWN_ONLY``, such as the neighbour, are shown but not compared."""
    cells = complete_cells(observed, section, key, present)
    compared = {name: cell for name, cell in cells.items() if name not in SHOWN_ONLY}
    relation = relate(compared)
    differs = relation in {Relation.DIFFERS, Relation.ONLY}
    return assemble_row(key, cells, relation, explain(observed.compared, key, compared) if differs else "")


def assemble_row(key: RowKey, cells: Mapping[str, Cell], relation: Relation, why: str) -> Row:
    """Returns a row from the cells of all columns. ``why`` is the reason for a difference, empty if the columns do not
    differ."""
    return Row(
        section=key.section,
        key=key.key,
        field=key.field,
        label=key.label,
        cells={name: cell.text for name, cell in cells.items()},
        relation=relation,
        why=why,
        notes={name: cell.note for name, cell in cells.items() if cell.note},
        absent={name: cell.absent or "none" for name, cell in cells.items() if cell.text is None},
        normalised={
            name: cell.normalised
            for name, cell in cells.items()
            if cell.text is not None and cell.normalised is not None and cell.normalised != cell.text
        },
        detail=weigh(key.section, key.key, key.field) is Weight.DETAIL,
    )
