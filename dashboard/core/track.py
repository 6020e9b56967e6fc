"""The way of an experiment, entry by entry, as a browser replays it.

Rows and pictures are computed here, once: every row, head and picture that was ever shown stands in a table, each once,
and for each entry it is written which of them took another's place. What was made from the same is not made again.
``static/dashboard/js/core/replay.js`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dashboard.core.cells import Scene
from dashboard.core.comparison import INPUTS, SECTIONS, section_rows
from dashboard.core.journal import Entry, View, advance
from dashboard.core.picture import Picture
from dashboard.core.stacks import MACHINE, doors_of, listener_items, own_listeners, stacks_of
from dashboard.core.state import NamespaceState
from dashboard.core.tables import NONE, Chains, Numbers, Table, differences
from dashboard.core.timeline import cause_of
from dashboard.core.topology import draw

TRACK_VERSION = 1
#: What a position shows, besides its line of the timeline.
FIELDS = ("head", "columns", *(section.key for section in SECTIONS), "wide", "narrow")
#: The most rows that are made for one track, about a minute of work. What comes after is left out, and that is said.
MOST_ROWS = 2_000_000
_STATE_FIELDS = tuple(dict.fromkeys(name for names in INPUTS.values() for name in names))
_TABLES = (
    "heads",
    "columns",
    "rows",
    "things",
    "places",
    "boxes",
    "edges",
    "summaries",
    "pictures",
    "causes",
    "abouts",
)


class Track:
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
        self._tables = {name: Table() for name in _TABLES}
        self._chains = {name: Chains() for name in ("rows", "boxes", "edges")}
        self._numbers = {name: Numbers() for name in ("place", *_STATE_FIELDS)}
        self._of_state: dict[str, dict[str, int]] = {}
        self._made_from: dict[str, tuple[object, ...]] = {}
        self._sections: dict[tuple[object, ...], int] = {}
        self._pictures: dict[tuple[object, ...], tuple[int, int]] = {}
        self._parts: dict[int, tuple[int, int]] = {NONE: (NONE, NONE)}
        self._items: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._rows_made = 0

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, entry: Entry) -> None:
        """The next position. An entry that is known already changes nothing."""
        before, self.view = self.view, advance(self.view, entry)
        if self.view is before:
            return
        first = not self._seqs
        if self.view.head is not None and (first or self.view.head is not before.head):
            self._set("head", self._tables["heads"].number(self.view.head))
        new_columns = first or self.view.columns is not before.columns
        if new_columns:
            self._set("columns", self._tables["columns"].number(self.view.columns))
        if new_columns or self.view.states is not before.states:
            self._look(before.states)
        if self.first_at is None:
            self.first_at = entry.at
        self._seqs.append(entry.seq)
        self._times.append(round((entry.at - self.first_at) * 1000))
        self._texts.append(entry.text)
        self._causes.append(self._tables["causes"].number(cause_of(entry)))
        self._abouts.append(self._tables["abouts"].number(entry.about))
        self.truncated = self._rows_made > MOST_ROWS

    def _set(self, name: str, number: int) -> None:
        if self._now[name] != number:
            self._now[name] = number
            positions, numbers = self._changes[name]
            positions.append(len(self))
            numbers.append(number)

    def _look(self, before: Mapping[str, NamespaceState]) -> None:
        """Rows and pictures of the view, as far as what they are made from is not what it was."""
        states = self.view.states
        for key, state in states.items():
            if state is not before.get(key) or key not in self._of_state:
                self._of_state[key] = self._number_fields(state, before.get(key), self._of_state.get(key))
        place = self._numbers["place"].number(tuple((key, state.netns) for key, state in states.items()))
        scene = Scene(self.view.columns, states)
        common = (self._now["columns"], place)
        for section in SECTIONS:
            name = section.key
            fields = INPUTS[name]
            made_from = (name, *common, *(self._of_state[key][field] for key in states for field in fields))
            if self._made_from.get(name) != made_from:
                self._made_from[name] = made_from
                number = self._sections.get(made_from)
                if number is None:
                    number = self._sections[made_from] = self._make_rows(scene, name)
                self._set(name, number)
        self._draw(common)

    def _number_fields(
        self, state: NamespaceState, old: NamespaceState | None, known: dict[str, int] | None
    ) -> dict[str, int]:
        """Equal numbers for equal fields. A field that was not touched is the same object."""
        if old is None or known is None:
            return {name: self._numbers[name].number(getattr(state, name)) for name in _STATE_FIELDS}
        return {
            name: known[name]
            if (now := getattr(state, name)) is getattr(old, name)
            else self._numbers[name].number(now)
            for name in _STATE_FIELDS
        }

    def _make_rows(self, scene: Scene, section: str) -> int:
        table = self._tables["rows"]
        rows = tuple(table.number(row) for row in section_rows(scene, section))
        self._rows_made += len(rows) + 1
        return self._chains["rows"].number(rows, self._now[section])

    def _draw(self, common: tuple[int, int]) -> None:
        """A picture shows links, ways out, and the listeners that have room in it."""
        view = self.view
        states = view.states
        made_from = (
            *common,
            *((self._of_state[key]["interfaces"], self._of_state[key]["routes"]) for key in states),
            *self._shown_listeners(common),
        )
        if self._made_from.get("picture") == made_from:
            return
        self._made_from["picture"] = made_from
        numbers = self._pictures.get(made_from)
        if numbers is None:
            wide, narrow = draw(view.columns, states)
            self._rows_made += 2
            numbers = self._pictures[made_from] = (
                self._number_picture(wide, self._now["wide"]),
                self._number_picture(narrow, self._now["narrow"]),
            )
        self._set("wide", numbers[0])
        self._set("narrow", numbers[1])

    def _shown_listeners(self, common: tuple[int, int]) -> Iterator[object]:
        states = self.view.states
        machine = states.get(MACHINE)
        of_machine = self._of_state[MACHINE]["listeners"] if machine is not None else NONE
        for stack in stacks_of(self.view.columns, states):
            of_stack = self._of_state[stack.key]["listeners"]
            for column in stack.columns:
                known = (*common, column.key, of_stack, of_machine)
                shown = self._items.get(known)
                if shown is None:
                    listeners = listener_items(column.key, column.mode, own_listeners(column, stack.state))
                    doors = doors_of(column, machine) if machine is not None else ()
                    shown = self._items[known] = (tuple(listeners), tuple(doors))
                yield shown

    def _number_picture(self, picture: Picture, base: int) -> int:
        tables, chains = self._tables, self._chains
        old = self._parts[base]
        boxes = tuple(
            tables["boxes"].number(
                (
                    tables["things"].number((box.id, box.kind, box.mode, box.title, *box.lines)),
                    tables["places"].number((box.x, box.y, box.w, box.h)),
                )
            )
            for box in picture.boxes
        )
        edges = tuple(tables["edges"].number(edge) for edge in picture.edges)
        parts = (chains["boxes"].number(boxes, old[0]), chains["edges"].number(edges, old[1]))
        summary = tables["summaries"].number(picture.summary)
        number = tables["pictures"].number((picture.width, picture.height, summary, *parts))
        self._parts[number] = parts
        return number

    def written(self) -> dict[str, object]:
        """All of it, ready to be encoded."""
        return {
            "v": TRACK_VERSION,
            "first_at": self.first_at,
            "truncated": self.truncated,
            "seqs": differences(self._seqs),
            "times": differences(self._times),
            "texts": self._texts,
            "causes": self._causes,
            "abouts": self._abouts,
            "tables": {name: table.written() for name, table in self._tables.items()},
            "chains": {name: chains.written() for name, chains in self._chains.items()},
            "changes": {name: [differences(one) for one in changes] for name, changes in self._changes.items()},
        }


def extend(track: Track, entries: Iterable[Entry]) -> Track:
    """The same track, gone on with: a live page's grows."""
    for entry in entries:
        if track.truncated:
            break
        track.add(entry)
    return track


def build_track(entries: Iterable[Entry], start: View | None = None, first_at: float | None = None) -> Track:
    """The track of a journal, or of its later part with what was there before it."""
    return extend(Track(start, first_at), entries)


def encode_track(track: Track) -> bytes:
    """JSON, not compressed; it is made to be compressed with deflate."""
    return msgspec.json.encode(track.written())
