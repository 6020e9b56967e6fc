"""Prepares the comparison for the page: sections of rows, each with one cell per column.

The browser computes the same from the same rows (``js/core/comparison/cells.js``); ``tests/js/vectors.json`` tests
both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext

from dashboard.core.comparison.machines.engine_cells import describe_facts
from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.comparison.weight import Weight, by_weight, weigh_row
from dashboard.core.experiments.messages import Column, PublishedPort, Relation, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.namespaces.addresses import bracket

#: The number of differing rows of a section that are shown before “show all”.
FOLD_AFTER = 40

#: A namespace's inode, alone or as in ``net:[4026531840]``. Inodes of namespaces are fixed ones just below
#: PROC_DYNAMIC_FIRST (0xF0000000), or start there (Linux include/linux/proc_ns.h, fs/proc/generic.c).
_INODE = re.compile(r"^(?:[a-z_]+:\[)?(4[0-2]\d{8})\]?$")
_FIRST_INODE = 0xEFFFFFF8


class CellKind(StrEnum):
    """How a cell is shown."""

    VALUE = "value"
    ABSENT = "absent"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class MachineView:
    """The header of a machine above its columns.

    ``span`` is the number of its columns. ``engine`` describes its engine and kernel. ``absent`` is the reason why the
    columns do not change now, empty if the machine is present. ``note`` is a remark on the machine, empty if there is
    none.
    """

    name: str
    span: int
    engine: str
    absent: str
    note: str


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell of a row. If it shows a namespace, ``owner`` is the mode of the first column that shows the same namespace
    in this row."""

    column: str
    title: str
    mode: str
    kind: CellKind
    text: str
    note: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class RowView:
    """A row with its cells in the order of the columns.

    ``detail`` is true if the row is less important than others. ``over`` is true if the row is hidden at first, because
    it is a detail or because the section has many rows. ``again`` is true if the row differs for the same reason as the
    differing row above it.
    """

    id: str
    row: Row
    cells: tuple[CellView, ...]
    over: bool = False
    again: bool = False
    detail: bool = False

    @property
    def label(self) -> str:
        """The text of the row's header."""
        return self.row.label or self.row.key

    @property
    def differs(self) -> bool:
        """Whether the columns are known to differ."""
        return self.row.differs


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section of the comparison. ``about`` explains it."""

    key: str
    title: str
    about: str
    rows: tuple[RowView, ...]

    @property
    def differ(self) -> int:
        """The number of rows that differ."""
        return sum(row.differs for row in self.rows)

    @property
    def same(self) -> int:
        """The number of rows that are the same in all columns."""
        return sum(row.row.relation is Relation.SAME for row in self.rows)

    @property
    def folds(self) -> bool:
        """Whether the section hides rows at first because it has many."""
        return any(row.over and not row.detail for row in self.rows)

    @property
    def listed(self) -> int:
        """The number of rows that are visible after “show all”. Details, and rows that are the same in all columns, do
        not count."""
        return sum(not row.detail and row.row.relation is not Relation.SAME for row in self.rows)

    @property
    def details(self) -> int:
        """The number of rows that are details and are not the same in all columns."""
        return sum(row.detail and row.row.relation is not Relation.SAME for row in self.rows)


def namespace_inode(text: str | None) -> str | None:
    """Returns the inode in ``text`` if it is the inode of a namespace; otherwise None."""
    match = _INODE.match(text or "")
    return match[1] if match and int(match[1]) >= _FIRST_INODE else None


def list_cells(row: Row, columns: Sequence[Column]) -> tuple[CellView, ...]:
    """Returns the row's cells in the order of the columns."""
    owners: dict[tuple[str, str], str] = {}
    cells = []
    for column in columns:
        text = row.cells.get(column.key)
        note = row.notes.get(column.key, "")
        inode = namespace_inode(text)
        if text is None:
            word = row.absent.get(column.key) or "none"
            cells.append(CellView(column.key, column.title, column.mode, CellKind.ABSENT, word, note))
        elif inode is not None:
            owner = owners.setdefault((column.machine, inode), column.mode)
            cells.append(CellView(column.key, column.title, column.mode, CellKind.NAMESPACE, text, note, owner))
        else:
            cells.append(CellView(column.key, column.title, column.mode, CellKind.VALUE, text, note))
    return tuple(cells)


def list_machines(columns: Sequence[Column]) -> tuple[MachineView, ...]:
    """Returns the headers of the machines, in the order of the columns; empty if the experiment runs on one machine."""
    groups: dict[str, list[Column]] = {}
    for column in columns or ():
        if column.machine:
            groups.setdefault(column.machine, []).append(column)
    return tuple(
        MachineView(
            name,
            len(own),
            next((describe_facts(column.engine) for column in own if column.engine is not None), ""),
            own[0].absent,
            own[0].note,
        )
        for name, own in groups.items()
    )


def list_sections(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[SectionView, ...]:
    """Returns the sections of the comparison. First come all sections that Netmodes knows, even empty ones; then the
    other sections of ``rows``, in the order in which they occur there."""
    grouped: dict[str, list[RowView]] = {section.key: [] for section in SECTIONS}
    differing: dict[str, list[str]] = {}
    for row in by_weight(rows):
        members = grouped.setdefault(row.section, [])
        reasons = differing.setdefault(row.section, [])
        shown = row.relation is not Relation.SAME
        detail = weigh_row(row) is Weight.DETAIL
        over = detail or (shown and len(reasons) >= FOLD_AFTER)
        again = shown and not detail and bool(row.why) and reasons[-1:] == [row.why]
        if shown:
            reasons.append(row.why)
        members.append(RowView(row_id(row), row, list_cells(row, columns), over, again, detail))
    known = {section.key: (gettext(section.title), gettext(section.about)) for section in SECTIONS}
    return tuple(
        SectionView(key, *known.get(key, (key.capitalize(), "")), tuple(members)) for key, members in grouped.items()
    )


def format_published(port: PublishedPort) -> str:
    """Formats a published port, as in ``0.0.0.0:8080 → 80/tcp``. ``*`` stands for a host port that the Engine
    chooses."""
    address = bracket(port.host_address)
    outside = str(port.host_port) if port.host_port else "*"
    return f"{address + ':' if address else ''}{outside} → {port.container_port}/{port.protocol}"
