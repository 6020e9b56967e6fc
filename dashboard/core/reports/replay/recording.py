"""The way of an experiment, entry by entry, as a browser replays it.

Rows and pictures are computed here, once: every row, head and picture that was ever shown stands in a table, each once,
and for each entry it is written which of them took another's place. What was made from the same is not made again.
``static/dashboard/js/core/reports/replay.js`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.journal import Entry, View, advance
from dashboard.core.experiments.timeline import format_cause
from dashboard.core.reports.replay.inputs import Inputs
from dashboard.core.reports.replay.interning import NONE, Table, differences
from dashboard.core.reports.replay.pictures import RecordedPictures
from dashboard.core.reports.replay.rows import RecordedRows

RECORDING_VERSION = 1
#: What a position shows, besides its line of the timeline.
FIELDS = ("head", "columns", *(section.key for section in SECTIONS), "wide", "narrow", "paths")
#: The most rows and pictures that are made for one track, about a minute of work. What comes after is left out, and
#: that is said.
MAX_MADE = 1_000_000


class ReplayRecording:
    """A track that ``extend`` goes on with.

    ``start`` is what was there before the first entry, ``first_at`` the time from which offsets count, if it is not
    that of the first entry. The n-th position is what was shown after the n-th entry. ``truncated``: there were more
    entries than could be worked off.
    """

    def __init__(self, start: View | None = None, first_at: float | None = None) -> None:
        self.view = start or View()
        self.first_at = first_at
        self.truncated = False
        self._seqs: list[int] = []
        self._times: list[int] = []
        self._texts: list[str] = []
        self._causes: list[int] = []
        self._abouts: list[int] = []
        self._changes: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in FIELDS}
        self._now = dict.fromkeys(FIELDS, NONE)
        self._tables = {name: Table() for name in ("heads", "columns", "causes", "abouts")}
        self._inputs = Inputs()
        self._rows = RecordedRows()
        self._pictures = RecordedPictures()

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, entry: Entry) -> None:
        """The next position. An entry that is known already changes nothing."""
        before, self.view = self.view, advance(self.view, entry)
        view = self.view
        if view is before:
            return
        first = not self._seqs
        if view.head is not None and (first or view.head is not before.head):
            self._set("head", self._tables["heads"].number(view.head))
        new_columns = first or view.columns is not before.columns
        if new_columns:
            self._set("columns", self._tables["columns"].number(view.columns))
        if new_columns or view.states is not before.states:
            look = self._inputs.look(view.columns, self._now["columns"], view.states)
            for name, number in (*self._rows.advance(look), *self._pictures.advance(look)):
                self._set(name, number)
        if self.first_at is None:
            self.first_at = entry.at
        self._seqs.append(entry.seq)
        self._times.append(round((entry.at - self.first_at) * 1000))
        self._texts.append(entry.text)
        self._causes.append(self._tables["causes"].number(format_cause(entry)))
        self._abouts.append(self._tables["abouts"].number(entry.about))
        self.truncated = self._rows.made + self._pictures.made > MAX_MADE

    def _set(self, name: str, number: int) -> None:
        if self._now[name] != number:
            self._now[name] = number
            positions, numbers = self._changes[name]
            positions.append(len(self))
            numbers.append(number)

    def written(self) -> dict[str, object]:
        """All of it, ready to be encoded."""
        tables = {**self._tables, **self._pictures.tables, "rows": self._rows.table}
        chains = {**self._pictures.chains, "rows": self._rows.chains}
        return {
            "v": RECORDING_VERSION,
            "first_at": self.first_at,
            "truncated": self.truncated,
            "seqs": differences(self._seqs),
            "times": differences(self._times),
            "texts": self._texts,
            "causes": self._causes,
            "abouts": self._abouts,
            "tables": {name: table.written() for name, table in tables.items()},
            "chains": {name: chain.written() for name, chain in chains.items()},
            "changes": {name: [differences(one) for one in changes] for name, changes in self._changes.items()},
        }


def extend(track: ReplayRecording, entries: Iterable[Entry]) -> ReplayRecording:
    """The same track, gone on with: a live page's grows."""
    for entry in entries:
        if track.truncated:
            break
        track.add(entry)
    return track


def build_recording(entries: Iterable[Entry], start: View | None = None, first_at: float | None = None) -> ReplayRecording:
    """The track of a journal, or of its later part with what was there before it."""
    return extend(ReplayRecording(start, first_at), entries)


def encode_recording(track: ReplayRecording) -> bytes:
    """JSON, not compressed; it is made to be compressed with deflate."""
    return msgspec.json.encode(track.written())
