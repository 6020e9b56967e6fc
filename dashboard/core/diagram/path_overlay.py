"""Finds the boxes and edges of the diagram that a path passes, and the positions of its hop numbers.

The text of a hop names an interface; the position of the hop in its path tells in which namespace the interface is.
The last hop before the server program names an interface of the server. The first hop of a path between containers
names an interface of the client. All other hops name interfaces of the machine (``core.paths.finder``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.diagram.drawn_namespaces import group_by_namespace, mapping_box_id
from dashboard.core.diagram.machine_pictures import shared_path, titled
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.machines.groups import MachineGroup, group_by_machine
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.picture import DrawnHop, DrawnPath, Picture
from dashboard.core.modes import MACHINE, OTHER_CONTAINER, OTHER_HOST, OUTSIDE
from dashboard.core.namespaces.forwarders import forwarder_name
from dashboard.core.namespaces.links import is_cable, veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import FILTERED_KINDS, Path, PathKind
from dashboard.core.paths.requests import request_key, requested_paths

#: The position of the forwarding program or DNAT among the hops.
MAPPING_HOPS = {
    PathKind.PUBLISHED_PROXY: (1, "proxy"),
    PathKind.PUBLISHED_ROOTLESS: (1, "proxy"),
    PathKind.PUBLISHED_DNAT: (0, "dnat"),
}
#: Path kinds in which client and server share a stack.
SHARED_STACK = frozenset({PathKind.LOOPBACK, PathKind.SHARED_NAMESPACE})


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """The boxes and edges of the wide and the narrow diagram of one state, for searching. ``boxes`` has the ids of each
    diagram's boxes. ``owners`` maps the key of each column to the key of the column that owns its namespace."""

    columns: Mapping[str, Column]
    states: Mapping[str, NamespaceState]
    owners: Mapping[str, str]
    boxes: tuple[frozenset[str], ...]  # of each diagram
    edges: tuple[tuple[str, str, str, str], ...]  # id, kind, start, end

    def first_box(self, *ids: str) -> tuple[str, ...]:
        """Returns, for each diagram, the first of ``ids`` that one of its boxes has. Diagrams without such a box are
        left out. An id found in several diagrams is returned once."""
        first = (next((box for box in ids if box in boxes), "") for boxes in self.boxes)
        return tuple(dict.fromkeys(filter(None, first)))

    def stack(self, column: str) -> tuple[str, ...]:
        """Returns, for each diagram, the id of the box that frames a column. If the column has no such box, returns the
        id of the box of the column that owns its namespace."""
        return self.first_box(f"{column}:stack", f"{self.owners.get(column, '')}:stack")

    def link(self, column: str, name: str) -> Interface | None:
        """Returns the interface with this name in the column's namespace, or None."""
        state = self.states.get(column)
        return next((interface for interface in state.interfaces if interface.name == name), None) if state else None

    def box_of(self, column: str, link: Interface) -> tuple[str, ...]:
        """Returns, for each diagram, the id of the box of an interface of a column. If the interface has no box,
        returns the id of the box that gives the number of hidden interfaces."""
        owner = self.owners.get(column, "")
        folds = [f"{owner}:if:more-bridges"] if link.kind == "bridge" else []
        return self.first_box(f"{owner}:if:{link.index}", *folds, f"{owner}:if:more")

    def arriving(self, kind: str, ends: Sequence[str]) -> tuple[str, ...]:
        """Returns the ids of the edges of a kind that end at one of the boxes ``ends``."""
        return tuple(one for one, of, _start, to in self.edges if of == kind and to in ends)


def index_pictures(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], pictures: Sequence[Picture]
) -> PictureIndex:
    """Builds the index of ``pictures``, which are all diagrams of one state."""
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
    """Returns all paths to running arms as they are drawn, in the order of the columns. Paths that do not exist have a
    reason instead of hops."""
    groups = group_by_machine(columns, states)
    if groups:
        return tuple(shared_path(path, group.number) for group in groups for path in draw_machine(group)[1])
    index = index_pictures(columns, states, pictures)
    return tuple(draw_path(index, path, request) for path, request in shown_paths(columns, states))


def draw_machine(group: MachineGroup) -> tuple[tuple[Picture, Picture], tuple[DrawnPath, ...]]:
    """Returns the wide and the narrow diagram of one of several machines, and its paths. Keys and ids are those of the
    machine's own lab, so several machines may use the same ones."""
    columns = titled(group)
    pictures = draw(columns, group.states)
    return pictures, draw_paths(columns, group.states, pictures)


def shown_paths(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[tuple[Path, str], ...]:
    """Returns the paths in the diagrams as pairs: a path, and the key with which it can be traced. The key is empty if
    the path cannot be traced."""
    traceable = {request_key(path) for path in requested_paths(columns, states) if path.address}
    keys = ((path, request_key(path)) for path in measured_paths(columns, states))
    return tuple((path, key if key in traceable else "") for path, key in keys)


def draw_path(index: PictureIndex, path: Path, request: str = "") -> DrawnPath:
    """Returns a path with the boxes and edges of its hops. ``request`` is the key with which the path can be traced."""
    server, client = index.columns[path.server], index.columns.get(path.client)
    if path.unavailable:
        return DrawnPath(path.key, server.mode, path.title, unavailable=path.unavailable)
    start, stack = index.stack(path.client), index.stack(path.server)
    program = index.first_box(f"{server.key}:listen:tcp:{path.server_port}") or stack
    hops = [
        DrawnHop(client.title if client else path.client, start, start),
        *(_hop(index, path, number, text) for number, text in enumerate(path.hops)),
        DrawnHop(server.title, (*stack, *program), program),
    ]
    taken: Counter[tuple[tuple[str, ...], bool]] = Counter()
    shown = []
    for hop in hops:
        shown.append(replace(hop, ids=tuple(dict.fromkeys(hop.ids)), shift=taken[hop.spots, hop.cable]))
        taken[hop.spots, hop.cable] += 1
    return DrawnPath(path.key, server.mode, path.title, path.target, tuple(shown), request=request)


def _hop(index: PictureIndex, path: Path, number: int, text: str) -> DrawnHop:
    where, kind = MAPPING_HOPS.get(path.kind, (-1, ""))
    name = text.partition(" ")[0]
    if path.kind in FILTERED_KINDS and (name == "DNAT" or forwarder_name(name)):
        where, kind = number, "dnat" if name == "DNAT" else "proxy"
    if number == where:
        mapping = mapping_box_id(index.columns[path.server], kind, (path.server_port, "tcp", path.port))
        box = index.first_box(mapping, f"{path.server}:ports:more")
        return DrawnHop(text, (*box, *(one for one, _kind, start, _end in index.edges if start == mapping)), box)
    if path.kind in SHARED_STACK:
        return _link_hop(index, path.client, name, text, path.server)
    if number == len(path.hops) - 1 and (number or path.client not in OUTSIDE):
        return _link_hop(index, path.server, name, text)
    if number == 0 and path.kind in {PathKind.CONTAINER_TO_CONTAINER, PathKind.HAIRPIN, PathKind.REMOTE_OVERLAY}:
        return _link_hop(index, path.client, name, text)
    if path.kind is PathKind.REMOTE_OVERLAY:
        return DrawnHop(text, _lan_edges(index, OTHER_HOST))
    if number == 0 and path.client in OUTSIDE:
        hop = _link_hop(index, MACHINE, name, text)
        lan = _lan_edges(index, OTHER_HOST if path.client == OTHER_CONTAINER else path.client)
        return replace(hop, ids=(*lan, *hop.ids))
    link = index.link(MACHINE, name)
    if link is not None and is_cable(link):
        return _cable_hop(index, path, link, text)
    return _link_hop(index, MACHINE, name, text)


def _lan_edges(index: PictureIndex, column: str) -> tuple[str, ...]:
    """Returns the ids of the edges between the machine and a column outside it: the LAN."""
    return tuple(one for one, kind, _start, end in index.edges if kind == "lan" and end.startswith(f"{column}:"))


def _link_hop(index: PictureIndex, column: str, name: str, text: str, guest: str = "") -> DrawnHop:
    """Returns a hop over the interface ``name`` of a column; ``text`` describes the hop. If ``guest`` is a column that
    shares this column's stack, the hop also passes the edge from the interface to the guest."""
    link = index.link(column, name)
    if link is None:
        return DrawnHop(text)
    box = index.box_of(column, link)
    frame = f"{guest}:stack"
    shares = [one for one, kind, start, end in index.edges if kind == "shares" and start in box and end == frame]
    return DrawnHop(text, (*box, *index.arriving("parent", box), *shares), box)


def _cable_hop(index: PictureIndex, path: Path, outer: Interface, text: str) -> DrawnHop:
    """Returns a hop over a veth pair, which is drawn as an edge, not as a box. ``outer`` is the machine's end of the
    pair; ``text`` describes the hop."""
    machine = index.states[MACHINE]
    for column in (path.client, path.server):
        state = index.states.get(column)
        inner = next((end for one, end in veth_ends(machine, state) if one.name == outer.name), None) if state else None
        if inner is not None:
            box = index.box_of(column, inner)
            return DrawnHop(text, index.arriving("veth", box), box, cable=True)
    return DrawnHop(text)
