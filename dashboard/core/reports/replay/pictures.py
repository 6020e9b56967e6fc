"""The pictures of a track, and the paths in them: drawn again only where something is to be seen of what changed.

Where boxes and edges stand follows from which there are and how many lines each box has. Another address or process is
another line in a box that stands where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.diagram.drawn_namespaces import (
    DrawnNamespace,
    mapping_items,
    interface_items,
    listener_items,
    own_listeners,
    group_by_namespace,
)
from dashboard.core.diagram.path_overlay import draw_path, index_pictures
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.picture import Box, Edge, Item, Picture, clip
from dashboard.core.modes import MACHINE
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import Path
from dashboard.core.reports.replay.inputs import Frame
from dashboard.core.reports.replay.interning import NONE, Chains, Numbers, Table

_TABLES = ("things", "places", "boxes", "edges", "summaries", "pictures", "paths")
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    """The small boxes of a stack: their lines by their ids in each picture, and numbers of what they say and of what
    room they take."""

    wide: Mapping[str, tuple[str, ...]]
    narrow: Mapping[str, tuple[str, ...]]
    items: int
    shape: int


class RecordedPictures:
    """All pictures that were ever shown. ``made`` counts how many were drawn."""

    def __init__(self) -> None:
        self.tables = {name: Table() for name in _TABLES}
        self.chains = {name: Chains() for name in ("boxes", "edges", "paths")}
        self.made = 0
        self._now: dict[str, int] = {"wide": NONE, "narrow": NONE, "paths": NONE}
        self._drawn_from: _Key = ()
        self._marked_from: _Key = ()
        self._pictures: dict[_Key, tuple[int, int]] = {}
        self._values: dict[int, Picture] = {}
        self._lists: dict[int, tuple[int, int]] = {NONE: (NONE, NONE)}
        self._ids = Numbers()
        self._ids_of: dict[int, int] = {}
        self._found: dict[_Key, tuple[Path, ...]] = {}
        self._paths: dict[_Key, int] = {}
        self._held_by: dict[_Key, _Key] = {}
        self._shown_of: dict[_Key, _Shown] = {}
        self._layouts: dict[_Key, tuple[Picture, Picture]] = {}
        self._boxes: dict[Box, int] = {}
        self._edges: dict[Edge, int] = {}
        self._items, self._shapes = Numbers(), Numbers()

    def advance(self, look: Frame) -> Iterator[tuple[str, int]]:
        """``wide``, ``narrow`` and ``paths`` with their numbers, where they may be others now."""
        shown = [self._show(look, stack) for stack in group_by_namespace(look.columns, look.states)]
        about = (look.common, look.links, *(numbers["ways"] for numbers in look.of.values()))
        drawn_from = (about, *(one.items for one in shown))
        if drawn_from != self._drawn_from:
            self._drawn_from = drawn_from
            numbers = self._pictures.get(drawn_from)
            if numbers is None:
                wide, narrow = self._draw(look, (about, *(one.shape for one in shown)), shown)
                numbers = self._pictures[drawn_from] = (
                    self._number(wide, self._now["wide"]),
                    self._number(narrow, self._now["narrow"]),
                )
            self._now["wide"], self._now["narrow"] = numbers
            yield "wide", numbers[0]
            yield "narrow", numbers[1]
        found_from = (
            look.common,
            *(numbers["interfaces"] for numbers in look.of.values()),
            look.of[MACHINE]["primary"] if MACHINE in look.of else NONE,
            self._held(look),
        )
        marked_from = (found_from, look.links, *(self._ids_of[self._now[size]] for size in ("wide", "narrow")))
        if marked_from != self._marked_from:
            self._marked_from = marked_from
            paths = self._found.get(found_from)
            if paths is None:
                paths = self._found[found_from] = find_paths(look.columns, look.states)
            self._now["paths"] = self._mark(look, marked_from[1:], paths)
            yield "paths", self._now["paths"]

    def _held(self, look: Frame) -> _Key:
        """Who listens on the machine's published ports."""
        machine = look.states.get(MACHINE)
        if machine is None:
            return ()
        made_from = (look.common, look.of[MACHINE]["listeners"])
        held = self._held_by.get(made_from)
        if held is None:
            ports = {one.host_port for column in look.columns for one in column.published}
            held = self._held_by[made_from] = tuple(one for one in machine.listeners if one.port in ports)
        return held

    def _show(self, look: Frame, stack: DrawnNamespace) -> _Shown:
        """What has room in the pictures of one stack."""
        machine = look.states.get(MACHINE)
        of_machine = look.of[MACHINE]["listeners"] if machine is not None else NONE
        numbers = look.of[stack.key]
        made_from = (look.common, stack.key, numbers["interfaces"], numbers["listeners"], of_machine)
        shown = self._shown_of.get(made_from)
        if shown is None:
            mode = stack.columns[0].mode
            inside: list[Item] = []
            for column in stack.columns:
                if column.key != MACHINE:
                    inside += listener_items(column.key, column.mode, own_listeners(column, stack.state))
                if machine is not None and stack.key != MACHINE:
                    inside += mapping_items(column, machine)
            narrow = [*interface_items(stack, mode), *inside]
            wide = narrow
            if stack.key == MACHINE:
                wide = [item for bridges in (False, True) for item in interface_items(stack, mode, bridges=bridges)]
                wide += inside
            said = tuple(tuple((item.id, item.lines) for item in items) for items in (wide, narrow))
            room = tuple(tuple((item.id, len(item.lines)) for item in items) for items in (wide, narrow))
            shown = self._shown_of[made_from] = _Shown(
                dict(said[0]), dict(said[1]), self._items.number(said), self._shapes.number(room)
            )
        return shown

    def _draw(self, look: Frame, layout_from: _Key, shown: Sequence[_Shown]) -> tuple[Picture, Picture]:
        layout = self._layouts.get(layout_from)
        if layout is None:
            self.made += 1
            layout = self._layouts[layout_from] = draw(look.columns, look.states)
            return layout
        return (
            _retold(layout[0], {identity: lines for one in shown for identity, lines in one.wide.items()}),
            _retold(layout[1], {identity: lines for one in shown for identity, lines in one.narrow.items()}),
        )

    def _mark(self, look: Frame, about: _Key, paths: tuple[Path, ...]) -> int:
        """The paths that there are, as they are marked in the pictures."""
        drawing = None
        numbers = []
        for path in paths:
            made_from = (look.common, about, path)
            number = self._paths.get(made_from)
            if number is None:
                pictures = self._values[self._now["wide"]], self._values[self._now["narrow"]]
                drawing = drawing or index_pictures(look.columns, look.states, pictures)
                number = self._paths[made_from] = self.tables["paths"].number(draw_path(drawing, path))
            numbers.append(number)
        return self.chains["paths"].number(tuple(numbers), self._now["paths"])

    def _number(self, picture: Picture, like: int) -> int:
        tables, old = self.tables, self._lists[like]
        boxes = tuple(map(self._number_box, picture.boxes))
        edges = tuple(map(self._number_edge, picture.edges))
        lists = (self.chains["boxes"].number(boxes, old[0]), self.chains["edges"].number(edges, old[1]))
        summary = tables["summaries"].number(picture.summary)
        number = tables["pictures"].number((picture.width, picture.height, summary, *lists))
        self._lists[number] = lists
        self._values[number] = picture
        ids = (tuple(box.id for box in picture.boxes), tuple(edge.id for edge in picture.edges))
        self._ids_of[number] = self._ids.number(ids)
        return number

    def _number_box(self, box: Box) -> int:
        number = self._boxes.get(box)
        if number is None:
            thing = self.tables["things"].number((box.id, box.kind, box.mode, box.title, *box.lines))
            place = self.tables["places"].number((box.x, box.y, box.w, box.h))
            number = self._boxes[box] = self.tables["boxes"].number((thing, place))
        return number

    def _number_edge(self, edge: Edge) -> int:
        number = self._edges.get(edge)
        if number is None:
            number = self._edges[edge] = self.tables["edges"].number(edge)
        return number


def _retold(picture: Picture, said: Mapping[str, tuple[str, ...]]) -> Picture:
    """The same layout with other lines in the small boxes."""
    boxes = []
    for box in picture.boxes:
        lines = said.get(box.id)
        told = box.lines if lines is None else tuple(clip(line, box.w) for line in lines)
        boxes.append(box if told == box.lines else replace(box, lines=told))
    return replace(picture, boxes=tuple(boxes))
