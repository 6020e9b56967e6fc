"""Diagrams and paths for a recording (``ReplayRecording``). They are computed again only if an input that they show
changed.

The layout depends on the boxes, the edges and the number of lines in each box. If only the text of a line changed, such
as an address or a process, the earlier layout is reused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.diagram.drawn_namespaces import (
    DrawnNamespace,
    group_by_namespace,
    interface_items,
    listener_items,
    mapping_items,
    own_listeners,
)
from dashboard.core.diagram.machine_pictures import shared_path, stack_pictures
from dashboard.core.diagram.path_overlay import draw_machine, draw_path, index_pictures, shown_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.machines.groups import MachineGroup
from dashboard.core.experiments.picture import Box, DrawnPath, Edge, Item, Picture, clip
from dashboard.core.modes import MACHINE, OUTSIDE
from dashboard.core.namespaces.forwarders import DOCKER_PROXY
from dashboard.core.namespaces.state import Listener
from dashboard.core.paths.model import Path
from dashboard.core.paths.outside import NEIGHBOUR_PORT
from dashboard.core.reports.replay.inputs import Frame
from dashboard.core.reports.replay.interning import NONE, Chains, Numbers, Table

#: The inputs of the diagram and the paths of one machine of several.
_OF_MACHINE = ("interfaces", "routes", "listeners", "firewall")
_TABLES = ("things", "places", "boxes", "edges", "summaries", "pictures", "paths")
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Items:
    """The small boxes of one namespace. ``wide`` and ``narrow`` map the id of each box to its lines in the wide and in
    the narrow diagram.

    ``items`` is a number for the ids and lines of the boxes: equal ids and lines have the same number. ``shape`` is a
    number for the ids and the number of lines of each box. The same layout fits as long as ``shape`` is the same.
    """

    wide: Mapping[str, tuple[str, ...]]
    narrow: Mapping[str, tuple[str, ...]]
    items: int
    shape: int


class RecordedPictures:
    """Stores all diagrams and paths of a recording, each once.

    ``computed`` measures the work. If the experiment runs on one machine, it is the number of computed layouts. If the
    experiment runs on several machines, it is the number of boxes, edges and paths drawn, because every change of a
    machine draws all its diagrams and paths again.
    """

    def __init__(self) -> None:
        self.tables = {name: Table() for name in _TABLES}
        self.chains = {name: Chains() for name in ("boxes", "edges", "paths")}
        self.computed = 0
        self._current: dict[str, int] = {"wide": NONE, "narrow": NONE, "paths": NONE}
        self._drawing_key: _Key = ()
        self._paths_key: _Key = ()
        self._pictures: dict[_Key, tuple[int, int]] = {}
        self._values: dict[int, Picture] = {}
        self._lists: dict[int, tuple[int, int]] = {NONE: (NONE, NONE)}
        self._ids = Numbers()
        self._ids_of: dict[int, int] = {}
        self._found: dict[_Key, tuple[tuple[Path, str], ...]] = {}
        self._paths: dict[_Key, int] = {}
        self._listeners_of: dict[_Key, tuple[Listener, ...]] = {}
        self._items_of: dict[_Key, _Items] = {}
        self._layouts: dict[_Key, tuple[Picture, Picture]] = {}
        self._machines: dict[_Key, tuple[tuple[Picture, Picture], tuple[DrawnPath, ...]]] = {}
        self._stacked: dict[_Key, tuple[int, int, int]] = {}
        self._boxes: dict[Box, int] = {}
        self._edges: dict[Edge, int] = {}
        self._items, self._shapes = Numbers(), Numbers()

    def advance(self, frame: Frame) -> Iterator[tuple[str, int]]:
        """Yields the names of what the frame changes, each with its new number. ``wide`` and ``narrow`` are the two
        diagrams, ``paths`` the paths."""
        if frame.groups:
            yield from self._draw_machines(frame)
            return
        shown = [self._list_items(frame, namespace) for namespace in group_by_namespace(frame.columns, frame.states)]
        about = (frame.common, frame.links, *(numbers["exits"] for numbers in frame.numbers.values()))
        drawing_key = (about, *(one.items for one in shown))
        if drawing_key != self._drawing_key:
            self._drawing_key = drawing_key
            numbers = self._pictures.get(drawing_key)
            if numbers is None:
                wide, narrow = self._draw(frame, (about, *(one.shape for one in shown)), shown)
                numbers = self._pictures[drawing_key] = (
                    self._number(wide, self._current["wide"]),
                    self._number(narrow, self._current["narrow"]),
                )
            self._current["wide"], self._current["narrow"] = numbers
            yield "wide", numbers[0]
            yield "narrow", numbers[1]
        search_key = (
            frame.common,
            *(numbers["interfaces"] for numbers in frame.numbers.values()),
            frame.numbers[MACHINE]["primary"] if MACHINE in frame.numbers else NONE,
            self._listeners_of_paths(frame),
            frame.numbers[MACHINE]["firewall"] if MACHINE in frame.numbers else NONE,
            *(numbers["routes"] for key, numbers in frame.numbers.items() if key in OUTSIDE),
        )
        paths_key = (search_key, frame.links, *(self._ids_of[self._current[size]] for size in ("wide", "narrow")))
        if paths_key != self._paths_key:
            self._paths_key = paths_key
            paths = self._found.get(search_key)
            if paths is None:
                paths = self._found[search_key] = shown_paths(frame.columns, frame.states)
            self._current["paths"] = self._number_paths(frame, paths_key[1:], paths)
            yield "paths", self._current["paths"]

    def _draw_machines(self, frame: Frame) -> Iterator[tuple[str, int]]:
        """Like ``advance``, but for an experiment on several machines. A machine is drawn again only if its inputs
        changed."""
        groups = [one.group for one in frame.groups]
        keys = [self._machine_key(frame, group) for group in groups]
        drawing_key = tuple(keys)
        if drawing_key == self._drawing_key:
            return
        self._drawing_key = drawing_key
        numbers = self._stacked.get(drawing_key)
        if numbers is None:
            drawn = [self._draw_machine(key, group) for key, group in zip(keys, groups, strict=True)]
            wide, narrow = (stack_pictures(groups, [pictures[size] for pictures, _paths in drawn]) for size in (0, 1))
            paths = tuple(
                self.tables["paths"].number(shared_path(path, group.number))
                for group, (_pictures, found) in zip(groups, drawn, strict=True)
                for path in found
            )
            numbers = self._stacked[drawing_key] = (
                self._number(wide, self._current["wide"]),
                self._number(narrow, self._current["narrow"]),
                self.chains["paths"].number(paths, self._current["paths"]),
            )
        for name, number in zip(("wide", "narrow", "paths"), numbers, strict=True):
            self._current[name] = number
            yield name, number

    def _machine_key(self, frame: Frame, group: MachineGroup) -> _Key:
        observed = [column.key for column in group.shown if column.key in frame.states]
        inputs = tuple(
            (frame.states[key].netns, *(frame.numbers[key][name] for name in _OF_MACHINE)) for key in observed
        )
        return (group.machine, frame.common[0], *observed, *inputs)

    def _draw_machine(self, key: _Key, group: MachineGroup) -> tuple[tuple[Picture, Picture], tuple[DrawnPath, ...]]:
        drawn = self._machines.get(key)
        if drawn is None:
            drawn = self._machines[key] = draw_machine(group)
            pictures, paths = drawn
            self.computed += len(paths) + sum(len(picture.boxes) + len(picture.edges) for picture in pictures)
        return drawn

    def _listeners_of_paths(self, frame: Frame) -> _Key:
        """Returns the sockets of each column on which paths depend: those on published ports, on the ports of
        containers and of the neighbour's server, and those of docker-proxy."""
        found: list[tuple[Listener, ...]] = []
        for key, numbers in frame.numbers.items():
            inputs_key = (frame.common, key, numbers["listeners"])
            listeners = self._listeners_of.get(inputs_key)
            if listeners is None:
                published = {one.host_port for column in frame.columns for one in column.published}
                ports = published | {column.port or 80 for column in frame.columns} | {NEIGHBOUR_PORT}
                listeners = self._listeners_of[inputs_key] = tuple(
                    one for one in frame.states[key].listeners if one.port in ports or one.process == DOCKER_PROXY
                )
            found.append(listeners)
        return tuple(found)

    def _list_items(self, frame: Frame, namespace: DrawnNamespace) -> _Items:
        machine = frame.states.get(MACHINE)
        machine_numbers = frame.numbers[MACHINE] if machine is not None else {}
        of_machine = tuple(machine_numbers.get(name, NONE) for name in ("listeners", "firewall"))
        numbers = frame.numbers[namespace.key]
        inputs_key = (frame.common, namespace.key, numbers["interfaces"], numbers["listeners"], of_machine)
        shown = self._items_of.get(inputs_key)
        if shown is None:
            mode = namespace.columns[0].mode
            inside: list[Item] = []
            for column in namespace.columns:
                if column.key != MACHINE:
                    inside += listener_items(
                        column.key,
                        column.mode,
                        own_listeners(column, namespace.state, alone=len(namespace.columns) == 1),
                    )
                if machine is not None and namespace.key != MACHINE:
                    inside += mapping_items(column, namespace.state, machine)
            narrow = [*interface_items(namespace, mode), *inside]
            wide = narrow
            if namespace.key == MACHINE:
                wide = [item for bridges in (False, True) for item in interface_items(namespace, mode, bridges=bridges)]
                wide += inside
            texts = tuple(tuple((item.id, item.lines) for item in items) for items in (wide, narrow))
            room = tuple(tuple((item.id, len(item.lines)) for item in items) for items in (wide, narrow))
            shown = self._items_of[inputs_key] = _Items(
                dict(texts[0]), dict(texts[1]), self._items.number(texts), self._shapes.number(room)
            )
        return shown

    def _draw(self, frame: Frame, layout_key: _Key, shown: Sequence[_Items]) -> tuple[Picture, Picture]:
        layout = self._layouts.get(layout_key)
        if layout is None:
            self.computed += 1
            layout = self._layouts[layout_key] = draw(frame.columns, frame.states)
            return layout
        return (
            _with_lines(layout[0], {identity: lines for one in shown for identity, lines in one.wide.items()}),
            _with_lines(layout[1], {identity: lines for one in shown for identity, lines in one.narrow.items()}),
        )

    def _number_paths(self, frame: Frame, about: _Key, paths: tuple[tuple[Path, str], ...]) -> int:
        """Stores the paths as drawn in the current diagrams, and returns the number of their list. ``about`` identifies
        these diagrams. ``paths`` are pairs of a path and the key of its request, which is empty if the path cannot be
        traced."""
        drawing = None
        numbers = []
        for path, request in paths:
            inputs_key = (frame.common, about, path, request)
            number = self._paths.get(inputs_key)
            if number is None:
                pictures = self._values[self._current["wide"]], self._values[self._current["narrow"]]
                drawing = drawing or index_pictures(frame.columns, frame.states, pictures)
                number = self._paths[inputs_key] = self.tables["paths"].number(draw_path(drawing, path, request))
            numbers.append(number)
        return self.chains["paths"].number(tuple(numbers), self._current["paths"])

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


def _with_lines(picture: Picture, lines_of: Mapping[str, tuple[str, ...]]) -> Picture:
    """Returns the picture with the text of some boxes replaced. ``lines_of`` maps the id of a box to its new lines."""
    boxes = []
    for box in picture.boxes:
        lines = tuple(clip(line, box.w) for line in lines_of[box.id]) if box.id in lines_of else box.lines
        boxes.append(box if lines == box.lines else replace(box, lines=lines))
    return replace(picture, boxes=tuple(boxes))
