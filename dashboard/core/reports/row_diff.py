"""Rows of two or more reports beside each other: what each arm says now that it did not say then.

Reports keep rows as they are read. What changes from launch to launch and means nothing is levelled out before two of
them are compared: inodes, process ids, MAC addresses, names of veth pairs and of bridges, container ids, and the names
that carry the experiment's own number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.messages import Row
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.modes import MACHINE

_MAC = re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")
_VETH = re.compile(r"\bveth[0-9a-f]{5,}\b")
_BRIDGE = re.compile(r"\bbr-[0-9a-f]{12}\b")
_PID = re.compile(r"(?<=\S) \d+(?=$| \()", re.MULTILINE)
_LINK_LOCAL = re.compile(r"^fe80:[^\n]*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ArmMatch:
    """An arm and the key of its column in each report, None where it has none."""

    label: str
    mode: str
    columns: tuple[str | None, ...]

    @property
    def everywhere(self) -> bool:
        """Whether each report has it."""
        return None not in self.columns


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One fact that is not the same in all reports, for the arms ``arms``; ``texts`` as each report shows it."""

    section: str
    label: str
    arms: tuple[str, ...]
    texts: tuple[str, ...]


def match_arms(snapshots: Sequence[Snapshot]) -> tuple[ArmMatch, ...]:
    """Columns of the same key and mode, else of the same mode where one of it is left in each; others stand alone."""
    left = [{one.key: one.mode for one in snapshot.columns} for snapshot in snapshots]
    found = []
    for key, mode in [item for one in left for item in one.items()]:
        columns = tuple(key if one.get(key) == mode else None for one in left)
        if sum(one is not None for one in columns) > 1:
            found.append(ArmMatch(key, mode, columns))
            for one, column in zip(left, columns, strict=True):
                if column is not None:
                    del one[column]
    for mode in dict.fromkeys(mode for one in left for mode in one.values()):
        keys = [[key for key, other in one.items() if other == mode] for one in left]
        if all(len(one) <= 1 for one in keys):
            matched = tuple(one[0] if one else None for one in keys)
            found.append(ArmMatch(next(one for one in matched if one), mode, matched))
        else:
            found += [
                ArmMatch(key, mode, tuple(key if number == place else None for place in range(len(left))))
                for number, one in enumerate(keys)
                for key in one
            ]
    return tuple(found)


class _Levelled:
    """The rows of one report, by what they are about."""

    def __init__(self, snapshot: Snapshot) -> None:
        names = [(one.container.name, one.key) for one in snapshot.columns if one.container is not None]
        names += [(one.container.id[:12], one.key) for one in snapshot.columns if one.container is not None]
        names.append((snapshot.experiment.id, "experiment"))
        #: Longest first: one name may begin with another.
        self._names = sorted(((old, new) for old, new in names if len(old) > 3), key=lambda pair: -len(pair[0]))
        self.rows = {self.identity(row): row for row in snapshot.rows}

    def level(self, text: str) -> str:
        for old, new in self._names:
            text = text.replace(old, f"«{new}»")
        return _BRIDGE.sub("br-…", _VETH.sub("veth…", text))

    def identity(self, row: Row) -> tuple[str, str, str]:
        return row.section, self.level(row.key), row.field

    def said(self, row: Row | None, column: str) -> tuple[object, str]:
        """What is compared, and what is shown, of a column."""
        if row is None:
            return None, "–"  # noqa: RUF001 - a dash for nothing, as everywhere on the pages
        text = row.cells.get(column)
        if text is None:
            word = row.absent.get(column, "none")
            return ("absent", self.level(word)), f"({word})"
        return self._norm(row, column, text), text

    def _norm(self, row: Row, column: str, text: str) -> object:
        if row.section == "identity" and row.key == "netns":
            return "the machine's" if text == row.cells.get(MACHINE) else "its own"
        if row.section == "listeners":
            if row.key.endswith(" resolver"):
                return "Docker's resolver"
            return self.level(_PID.sub("", text)), row.notes.get(column, "")
        if row.section == "interfaces" and row.field == "addresses":
            text = _LINK_LOCAL.sub("", text)
        return self.level(_MAC.sub("a MAC address", text)).strip()


def _nothing(norm: object) -> bool:
    return norm is None or (isinstance(norm, tuple) and norm[0] == "absent")


def list_changes(snapshots: Sequence[Snapshot], arms: Sequence[ArmMatch]) -> tuple[tuple[ChangedRow, ...], int]:
    """Rows that are not the same in all reports, by section, and how many are. Arms that change alike, as all in the
    machine's namespace do, share one row. Only arms that every report has are looked at."""
    levelled = [_Levelled(snapshot) for snapshot in snapshots]
    compared = [arm for arm in arms if arm.everywhere]
    found: dict[tuple[tuple[str, str, str], tuple[str, ...]], ChangedRow] = {}
    same = 0
    for identity in dict.fromkeys(identity for one in levelled for identity in one.rows):
        rows = [one.rows.get(identity) for one in levelled]
        label = next(row.label or row.key for row in rows if row is not None)
        for arm in compared:
            said = [one.said(row, str(key)) for one, row, key in zip(levelled, rows, arm.columns, strict=True)]
            norms = [norm for norm, _text in said]
            if all(norm == norms[0] for norm in norms):
                same += 1
            elif None not in norms or not all(_nothing(norm) for norm in norms):
                texts = tuple(text for _norm, text in said)
                known = found.get((identity, texts))
                names = (*known.arms, arm.label) if known is not None else (arm.label,)
                found[identity, texts] = ChangedRow(identity[0], label, names, texts)
    ranks = {section.key: rank for rank, section in enumerate(SECTIONS)}
    return tuple(sorted(found.values(), key=lambda row: ranks.get(row.section, len(ranks)))), same
