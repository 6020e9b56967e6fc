"""Compares the rows of several reports, arm by arm.

Cells are compared by their normalised values, which contain no MAC addresses and no process ids. Names that Docker or
Netmodes generated for one launch (of containers, veth pairs and bridges) are replaced before the comparison.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.comparison.weight import weigh
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.modes import MACHINE, plain_key

_VETH = re.compile(r"\bveth[0-9a-f]{5,}\b")
_BRIDGE = re.compile(r"\bbr-[0-9a-f]{12}\b")
_NO_ROW = "–"  # noqa: RUF001 - a dash, as everywhere on the pages

type RowId = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ArmMatch:
    """The same arm in several reports. ``columns`` has the key of its column in each report, None in a report without
    the arm. ``label`` is the first of these keys."""

    label: str
    mode: str
    columns: tuple[str | None, ...]

    @property
    def everywhere(self) -> bool:
        """Whether all reports have the arm."""
        return None not in self.columns


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A compared fact. ``arms`` are the arms for which its texts are the same. If the fact differs between the reports,
    ``texts`` has one text for each report. If it does not differ, ``texts`` has each distinct text once. There may be
    several, because generated names and ids are not compared."""

    section: str
    label: str
    arms: tuple[str, ...]
    texts: tuple[str, ...]


def match_arms(snapshots: Sequence[Snapshot]) -> tuple[ArmMatch, ...]:
    """Matches the columns of the reports. Columns with the same key and mode are one arm. Of the remaining columns,
    those with the same mode are one arm if no report has several of them. A column without a match becomes an
    ``ArmMatch`` of its own."""
    unmatched = [{column.key: column.mode for column in snapshot.columns} for snapshot in snapshots]
    matches = []
    for key, mode in [item for modes in unmatched for item in modes.items()]:
        columns = tuple(key if modes.get(key) == mode else None for modes in unmatched)
        if sum(column is not None for column in columns) > 1:
            matches.append(ArmMatch(key, mode, columns))
            for modes, column in zip(unmatched, columns, strict=True):
                if column is not None:
                    del modes[column]
    for mode in dict.fromkeys(mode for modes in unmatched for mode in modes.values()):
        keys = [[key for key, other in modes.items() if other == mode] for modes in unmatched]
        if all(len(own) <= 1 for own in keys):
            columns = tuple(own[0] if own else None for own in keys)
            matches.append(ArmMatch(next(column for column in columns if column), mode, columns))
        else:
            matches += [
                ArmMatch(key, mode, tuple(key if number == report else None for report in range(len(unmatched))))
                for number, own in enumerate(keys)
                for key in own
            ]
    return tuple(matches)


class _ComparableRows:
    """The rows of one report by section, key and field. In keys and values, names and ids that change with every launch
    are replaced."""

    def __init__(self, snapshot: Snapshot) -> None:
        names = {snapshot.experiment.id: "experiment"}
        own = {column.machine: column.key for column in snapshot.columns if plain_key(column.key) == MACHINE}
        #: The column of the machine on which each column is.
        self._machines = {column.key: own.get(column.machine, MACHINE) for column in snapshot.columns}
        for column in snapshot.columns:
            if column.container is not None:
                names |= {column.container.name: column.key, column.container.id[:12]: column.key}
        #: Longest first: one name may begin with another.
        self._names = sorted((item for item in names.items() if len(item[0]) > 3), key=lambda item: -len(item[0]))
        self.rows = {(row.section, self._without_names(row.key), row.field): row for row in snapshot.rows}

    def _without_names(self, text: str) -> str:
        for name, label in self._names:
            text = text.replace(name, f"«{label}»")
        return _BRIDGE.sub("br-…", _VETH.sub("veth…", text))

    def cell(self, identity: RowId, column: str) -> tuple[object, str]:
        """Returns the value by which a cell is compared, and the text that the page shows. The value is None if the
        report has no such row, and a pair that begins with "absent" if the row has no value for the column."""
        row = self.rows.get(identity)
        if row is None:
            return None, _NO_ROW
        text = row.cells.get(column)
        if text is None:
            word = row.absent.get(column, "none")
            return ("absent", self._without_names(word)), f"({word})"
        if (row.section, row.key) == ("identity", "netns"):  # the inode is another one in each launch
            return ("shared" if text == row.cells.get(self._machines.get(column, MACHINE)) else "separate"), text
        return self._without_names(row.normalised.get(column, text)), text


def _is_nothing(value: object) -> bool:
    return value is None or isinstance(value, tuple)


type _Rows = dict[tuple[RowId, tuple[str, ...]], ChangedRow]


@dataclass(frozen=True, slots=True)
class RowDiff:
    """The compared facts, ordered by section and importance. ``changes`` differ between reports, ``same`` do not.
    ``same_count`` is the number of facts that do not differ, counted for each arm. It includes facts that are absent in
    all reports."""

    changes: tuple[ChangedRow, ...] = ()
    same: tuple[ChangedRow, ...] = ()
    same_count: int = 0


def compare_rows(snapshots: Sequence[Snapshot], arms: Sequence[ArmMatch]) -> RowDiff:
    """Compares the rows of the arms that all reports have. If the texts of a row are the same for several arms, the
    result has one ``ChangedRow`` for all of them."""
    reports = [_ComparableRows(snapshot) for snapshot in snapshots]
    compared = [arm for arm in arms if arm.everywhere]
    changes: _Rows = {}
    same: _Rows = {}
    same_count = 0
    for identity in dict.fromkeys(identity for report in reports for identity in report.rows):
        label = next(row.label or row.key for report in reports if (row := report.rows.get(identity)) is not None)
        for arm in compared:
            cells = [report.cell(identity, str(key)) for report, key in zip(reports, arm.columns, strict=True)]
            values, texts = [value for value, _text in cells], tuple(text for _value, text in cells)
            if all(value == values[0] for value in values):
                same_count += 1
                if not _is_nothing(values[0]):
                    _add(same, identity, label, arm, tuple(dict.fromkeys(texts)))
            elif None not in values or not all(map(_is_nothing, values)):
                _add(changes, identity, label, arm, texts)
    return RowDiff(_in_order(changes), _in_order(same), same_count)


def _add(rows: _Rows, identity: RowId, label: str, arm: ArmMatch, texts: tuple[str, ...]) -> None:
    known = rows.get((identity, texts))
    names = (*known.arms, arm.label) if known is not None else (arm.label,)
    rows[identity, texts] = ChangedRow(identity[0], label, names, texts)


def _in_order(rows: _Rows) -> tuple[ChangedRow, ...]:
    ranks = {section.key: rank for rank, section in enumerate(SECTIONS)}
    items = sorted(rows.items(), key=lambda item: (ranks.get(item[1].section, len(ranks)), weigh(*item[0][0])))
    return tuple(row for _identity, row in items)
