"""Records what an experiment showed after each entry of its journal, for replay in a browser.

Rows and diagrams are computed here, not in the browser. Every distinct row, diagram and head (``ExperimentHead``) is
stored in a table once, and each entry lists what it changed. Equal inputs are not computed twice.
``static/dashboard/js/core/reports/replay.js`` reads the recording.
"""

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
#: What a position shows in addition to its line of the timeline.
FIELDS = ("head", "columns", *(section.key for section in SECTIONS), "wide", "narrow", "paths")
#: The limit of computed rows and pictures in a recording, about a minute of work. Later entries are left out, and the
#: recording is marked as truncated.
MAX_COMPUTED = 1_000_000


class ReplayRecording:
    """A recording to which entries can be added. Position n is what the page showed after the n-th recorded entry.

    ``start`` is the view before the first entry. Times of entries are recorded as offsets from ``first_at`` (seconds
    since the epoch; by default, the time of the first entry). ``truncated`` becomes true when more than
    ``MAX_COMPUTED`` rows and diagrams have been computed; ``extend`` then adds no further entries.
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
        self._current = dict.fromkeys(FIELDS, NONE)
        self._tables = {name: Table() for name in ("heads", "columns", "causes", "abouts")}
        self._inputs = Inputs()
        self._rows = RecordedRows()
        self._pictures = RecordedPictures()

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, entry: Entry) -> None:
        """Adds a position for the entry. Ignores an entry that was already applied."""
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
            frame = self._inputs.next_frame(view.columns, self._current["columns"], view.states)
            for name, number in (*self._rows.advance(frame), *self._pictures.advance(frame)):
                self._set(name, number)
        if self.first_at is None:
            self.first_at = entry.at
        self._seqs.append(entry.seq)
        self._times.append(round((entry.at - self.first_at) * 1000))
        self._texts.append(entry.text)
        self._causes.append(self._tables["causes"].number(format_cause(entry)))
        self._abouts.append(self._tables["abouts"].number(entry.about))
        self.truncated = self._rows.computed + self._pictures.computed > MAX_COMPUTED

    def _set(self, name: str, number: int) -> None:
        if self._current[name] != number:
            self._current[name] = number
            positions, numbers = self._changes[name]
            positions.append(len(self))
            numbers.append(number)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Adds entries until the recording is truncated."""
        for entry in entries:
            if self.truncated:
                break
            self.add(entry)

    def dump(self) -> dict[str, object]:
        """Returns the recording as a dictionary that msgspec can encode as JSON."""
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
            "tables": {name: table.dump() for name, table in tables.items()},
            "chains": {name: chain.dump() for name, chain in chains.items()},
            "changes": {name: [differences(change) for change in changes] for name, changes in self._changes.items()},
        }


def build_recording(
    entries: Iterable[Entry], start: View | None = None, first_at: float | None = None
) -> ReplayRecording:
    """Returns the recording of a journal, or of its entries after the view ``start``. See ``ReplayRecording`` for the
    parameters."""
    recording = ReplayRecording(start, first_at)
    recording.extend(entries)
    return recording


def encode_recording(recording: ReplayRecording) -> bytes:
    """Returns the recording as JSON."""
    return msgspec.json.encode(recording.dump())
