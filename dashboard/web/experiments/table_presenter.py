"""The comparison as the page shows it: sections of rows, each row with one cell per column.

The browser computes the same from the same rows (``js/core/comparison/cells.js``);
``tests/js/vectors.json`` holds both to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.messages import Column, PublishedPort, Relation, Row
from dashboard.core.experiments.stream import row_id

#: Rows of one section that are shown before "show all".
FOLD_AFTER = 40

#: Namespace inodes: the fixed ones and those from PROC_DYNAMIC_FIRST (0xF0000000) on
#: (Linux include/linux/proc_ns.h, fs/proc/generic.c); bare or as ``net:[4026531840]``.
_INODE = re.compile(r"^(?:[a-z_]+:\[)?(4[0-2]\d{8})\]?$")
_FIRST_INODE = 0xEFFFFFF8


class CellKind(StrEnum):
    """How a cell is drawn."""

    VALUE = "value"
    ABSENT = "absent"
    NAMESPACE = "namespace"


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell. ``badge`` is the mode whose shape the namespace carries: that of the first
    column in which the same namespace stands."""

    column: str
    title: str
    mode: str
    kind: CellKind
    text: str
    note: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class RowView:
    """One row with its cells in the order of the columns; ``over`` when it begins folded,
    ``again`` when the row above it (differences only) has the same reason."""

    id: str
    row: Row
    cells: tuple[CellView, ...]
    over: bool = False
    again: bool = False

    @property
    def label(self) -> str:
        """What the row is about, in words."""
        return self.row.label or self.row.key

    @property
    def differs(self) -> bool:
        """Whether "differences only" shows it."""
        return self.row.relation is not Relation.SAME


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section with its title and what it is about."""

    key: str
    title: str
    about: str
    rows: tuple[RowView, ...]

    @property
    def differ(self) -> int:
        """How many rows differ."""
        return sum(one.differs for one in self.rows)

    @property
    def same(self) -> int:
        """How many rows are the same everywhere."""
        return len(self.rows) - self.differ

    @property
    def folds(self) -> bool:
        """Whether some rows begin folded."""
        return any(one.over for one in self.rows)


def namespace_inode(text: str | None) -> str | None:
    """The inode if the text names a namespace, else None."""
    found = _INODE.match(text or "")
    return found[1] if found and int(found[1]) >= _FIRST_INODE else None


def list_cells(row: Row, columns: Sequence[Column]) -> tuple[CellView, ...]:
    """The row's cells in the order of the columns."""
    owners: dict[str, str] = {}
    cells = []
    for column in columns:
        text = row.cells.get(column.key)
        note = row.notes.get(column.key, "")
        inode = namespace_inode(text)
        if text is None:
            word = row.absent.get(column.key) or "none"
            cells.append(CellView(column.key, column.title, column.mode, CellKind.ABSENT, word, note))
        elif inode is not None:
            badge = owners.setdefault(inode, column.mode)
            cells.append(CellView(column.key, column.title, column.mode, CellKind.NAMESPACE, text, note, badge))
        else:
            cells.append(CellView(column.key, column.title, column.mode, CellKind.VALUE, text, note))
    return tuple(cells)


def list_sections(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[SectionView, ...]:
    """Every known section, empty ones too, then unknown ones in the order in which rows bring them."""
    grouped: dict[str, list[RowView]] = {one.key: [] for one in SECTIONS}
    differing: dict[str, list[str]] = {}
    for row in rows:
        members = grouped.setdefault(row.section, [])
        reasons = differing.setdefault(row.section, [])
        differs = row.relation is not Relation.SAME
        over = differs and len(reasons) >= FOLD_AFTER
        again = differs and bool(row.why) and reasons[-1:] == [row.why]
        if differs:
            reasons.append(row.why)
        members.append(RowView(row_id(row), row, list_cells(row, columns), over, again))
    known = {one.key: (gettext(one.title), gettext(one.about)) for one in SECTIONS}
    return tuple(
        SectionView(key, *known.get(key, (key.capitalize(), "")), tuple(members)) for key, members in grouped.items()
    )


def format_published(port: PublishedPort) -> str:
    """``0.0.0.0:8080 → 80/tcp``; a port left open is "any port"."""
    address = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    outside = str(port.host_port) if port.host_port else "*"
    return f"{address + ':' if address else ''}{outside} → {port.container_port}/{port.protocol}"
