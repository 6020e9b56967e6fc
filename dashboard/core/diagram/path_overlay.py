"""Which boxes and cables of the picture each path passes, and where the numbers of its hops stand.

A hop is found by its place in the path: the last one before the program is the server's own link, the first one of a
path between containers is the client's, all others are the machine's (``core.paths.finder``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.diagram.drawn_namespaces import mapping_box_id, group_by_namespace
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.picture import DrawnHop, DrawnPath, Picture
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.links import is_cable, veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import Path, PathKind

#: Where the door of a published port stands among the hops.
DOORS = {PathKind.PUBLISHED_PROXY: (1, "proxy"), PathKind.PUBLISHED_DNAT: (0, "dnat")}
#: The client's own loopback leads to the server.
SHARED_STACK = frozenset({PathKind.LOOPBACK, PathKind.SHARED_NAMESPACE})


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """What a path is found in: ``index_pictures``."""

    columns: Mapping[str, Column]
    states: Mapping[str, NamespaceState]
    owners: Mapping[str, str]
    boxes: tuple[frozenset[str], ...]  # of each picture
    edges: tuple[tuple[str, str, str, str], ...]  # id, kind, start, end

    def first_box(self, *ids: str) -> tuple[str, ...]:
        """The first one that is drawn, for each picture in which one is."""
        found = (next((one for one in ids if one in boxes), "") for boxes in self.boxes)
        return tuple(dict.fromkeys(one for one in found if one))

    def stack(self, column: str) -> tuple[str, ...]:
        """The frame in which a column lives: its own, or that of the stack's owner."""
        return self.first_box(f"{column}:stack", f"{self.owners.get(column, '')}:stack")

    def link(self, column: str, name: str) -> Interface | None:
        """By name, as the column's namespace has it."""
        state = self.states.get(column)
        return next((one for one in state.interfaces if one.name == name), None) if state else None

    def box_of(self, column: str, link: Interface) -> tuple[str, ...]:
        """The box of a link, or the one under which it is folded."""
        owner = self.owners.get(column, "")
        folds = [f"{owner}:if:more-bridges"] if link.kind == "bridge" else []
        return self.first_box(f"{owner}:if:{link.index}", *folds, f"{owner}:if:more")

    def arriving(self, kind: str, ends: Sequence[str]) -> tuple[str, ...]:
        """The edges of a kind that lead to one of these boxes."""
        return tuple(one for one, of, _start, to in self.edges if of == kind and to in ends)


def index_pictures(columns: Sequence[Column], states: Mapping[str, NamespaceState], pictures: Sequence[Picture]) -> PictureIndex:
    """``pictures`` are those of the same state, in all sizes."""
    owners = {column.key: stack.key for stack in group_by_namespace(columns, states) for column in stack.columns}
    edges = {}
    for edge in (edge for picture in pictures for edge in picture.edges):
        start, _, end = edge.id.removeprefix(f"{edge.kind}:").partition(">")
        edges[edge.id] = (edge.id, edge.kind, start, end)
    boxes = tuple(frozenset(box.id for box in picture.boxes) for picture in pictures)
    return PictureIndex({one.key: one for one in columns}, states, owners, boxes, tuple(edges.values()))


def draw_paths(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], pictures: Sequence[Picture]
) -> tuple[DrawnPath, ...]:
    """Every path to every running arm, in the order of the columns; also those that do not exist, with the reason."""
    drawing = index_pictures(columns, states, pictures)
    return tuple(draw_path(drawing, path) for path in find_paths(columns, states))


def draw_path(drawing: PictureIndex, path: Path) -> DrawnPath:
    """Follows from the path, the columns, how the links are joined, and which boxes and edges are drawn."""
    server, client = drawing.columns[path.server], drawing.columns.get(path.client)
    if path.unavailable:
        return DrawnPath(path.key, server.mode, path.title, unavailable=path.unavailable)
    start, stack = drawing.stack(path.client), drawing.stack(path.server)
    program = drawing.first_box(f"{server.key}:listen:tcp:{path.server_port}") or stack
    hops = [
        DrawnHop(client.title if client else path.client, start, start),
        *(_hop(drawing, path, number, text) for number, text in enumerate(path.hops)),
        DrawnHop(server.title, (*stack, *program), program),
    ]
    taken: Counter[tuple[tuple[str, ...], bool]] = Counter()
    shown = []
    for hop in hops:
        shown.append(replace(hop, ids=tuple(dict.fromkeys(hop.ids)), shift=taken[hop.spots, hop.cable]))
        taken[hop.spots, hop.cable] += 1
    return DrawnPath(path.key, server.mode, path.title, path.target, tuple(shown))


def _hop(drawing: PictureIndex, path: Path, number: int, text: str) -> DrawnHop:
    where, kind = DOORS.get(path.kind, (-1, ""))
    name = text.partition(" ")[0]
    if number == where:
        door = mapping_box_id(drawing.columns[path.server], kind, (path.server_port, "tcp", path.port))
        box = drawing.first_box(door, f"{path.server}:ports:more")
        return DrawnHop(text, (*box, *(one for one, _kind, start, _end in drawing.edges if start == door)), box)
    if path.kind in SHARED_STACK:
        return _link_hop(drawing, path.client, name, text, path.server)
    if number == len(path.hops) - 1:
        return _link_hop(drawing, path.server, name, text)
    if number == 0 and path.kind is PathKind.CONTAINER_TO_CONTAINER:
        return _link_hop(drawing, path.client, name, text)
    link = drawing.link(MACHINE, name)
    if link is not None and is_cable(link):
        return _cable_hop(drawing, path, link, text)
    return _link_hop(drawing, MACHINE, name, text)


def _link_hop(drawing: PictureIndex, column: str, name: str, text: str, guest: str = "") -> DrawnHop:
    """A link with a box of its own. ``guest`` lives in the same stack: what joins it to the link is passed too."""
    link = drawing.link(column, name)
    if link is None:
        return DrawnHop(text)
    box = drawing.box_of(column, link)
    frame = f"{guest}:stack"
    shares = [one for one, kind, start, end in drawing.edges if kind == "shares" and start in box and end == frame]
    return DrawnHop(text, (*box, *drawing.arriving("parent", box), *shares), box)


def _cable_hop(drawing: PictureIndex, path: Path, outer: Interface, text: str) -> DrawnHop:
    """The machine's end of a veth pair: drawn as the cable to the end inside."""
    machine = drawing.states[MACHINE]
    for column in (path.client, path.server):
        state = drawing.states.get(column)
        inner = next((end for one, end in veth_ends(machine, state) if one.name == outer.name), None) if state else None
        if inner is not None:
            box = drawing.box_of(column, inner)
            return DrawnHop(text, drawing.arriving("veth", box), box, cable=True)
    return DrawnHop(text)
