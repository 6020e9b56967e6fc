"""Routes the edges of a diagram so that none is hidden by a box or by another edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.core.experiments.picture import Box, Edge, around, curve, left_of, right_of

#: Lanes left of the boxes of the narrow diagram, the nearest first.
LANES = (21.0, 16.5, 12.0, 7.5, 3.0)
#: In the wide diagram: where the other stacks begin, and where their second column begins.
NEAR, FAR = 800.0, 1000.0
MAPPING_OFFSETS = {"proxy": -3.0, "dnat": 3.0}


@dataclass(slots=True)
class EdgeRouter:
    """Routes the edges between ``boxes``, and collects them in ``edges``. ``channel`` is the y coordinate of a free
    strip in the machine's box of the wide diagram, where edges can run. It is None for the narrow diagram."""

    boxes: Mapping[str, Box]
    channel: float | None = None
    edges: list[Edge] = field(default_factory=list)
    _lanes: dict[float, list[tuple[float, float, str]]] = field(default_factory=lambda: {x: [] for x in LANES})
    _outside: int = 0

    def connect(self, kind: str, mode: str, start: Box | None, end: Box | None, label: str = "") -> None:
        """Adds an edge between two boxes. Does nothing if one of them is None because the diagram does not show it.
        ``kind`` is shares, lan, veth, parent, proxy or dnat. ``mode`` is that of the column to which the edge
        belongs."""
        if start is None or end is None:
            return
        identity = f"{kind}:{start.id}>{end.id}"
        if self.channel is None:
            self.edges.append(Edge(identity, kind, mode, self._route_left(identity, kind, start, end)))
            return
        (x2, y2), rest = self._arrival(kind, end)
        if kind in {"parent", "lan"}:
            # A straight line from the parent, which is above, would pass behind the host-mode containers.
            x1, y1 = left_of(start)
            height = self.channel + 4 * (sum(edge.kind == kind for edge in self.edges) % 3)
            path, label_at = around(x1, y1, height, x2, y2), (x1 + 215, self.channel - 5)
        else:
            x1, y1 = right_of(start)
            path, label_at = curve(x1, y1, x2, y2), (x1 + 48 if label else 0, y1 - 6)
        self.edges.append(Edge(identity, kind, mode, path + rest, label, *label_at))

    def connect_outside(self, kind: str, mode: str, start: Box | None, end: Box | None, label: str) -> None:
        """Adds an edge between the boxes of two network stacks that are both outside the machine's namespace. In the
        wide diagram, the edge runs to the left of both stacks, in one of three lanes."""
        if start is None or end is None or self.channel is None:
            self.connect(kind, mode, start, end, label)
            return
        (x1, y1), (x2, y2) = left_of(start), left_of(end)
        lane = NEAR - 12 - 5 * (self._outside % 3)
        self._outside += 1
        path = f"M{x1:g} {y1:g} H{lane:g} V{y2:g} H{x2:g}"
        self.edges.append(Edge(f"{kind}:{start.id}>{end.id}", kind, mode, path))

    def _arrival(self, kind: str, end: Box) -> tuple[tuple[float, float], str]:
        """Returns the point at which the curve of an edge ends, and the rest of the SVG path from there to the box
        ``end``. The rest is empty unless the box is in the second column of stacks. There, it runs in the gap above the
        stack, because the first column would hide it."""
        x, y = left_of(end)
        frame = self.boxes.get(f"{end.id.partition(':')[0]}:stack")
        if frame is None or frame.x <= FAR:
            return (x, y), ""
        offset = MAPPING_OFFSETS.get(kind, 0.0)
        return (NEAR - 12, frame.y - 7 + offset), f" H{frame.x - 12 + offset:g} V{y:g} H{x:g}"

    def _route_left(self, identity: str, kind: str, start: Box, end: Box) -> str:
        """Returns the SVG path of an edge along the left side of the narrow diagram.

        The edge uses the nearest lane that is free between the heights of the two boxes. If none is free, it uses the
        lane with the fewest edges there. Edges of one kind to one box may share a lane, unless they are veth pairs.
        ``identity`` is the id of the edge.
        """
        (x1, y1), (x2, y2) = left_of(start), left_of(end)
        low, high = min(y1, y2), max(y1, y2)
        group = identity if kind == "veth" else f"{'mappings' if kind in MAPPING_OFFSETS else kind}>{end.id}"

        def conflicts(x: float) -> int:
            return sum(a <= high and low <= b and other != group for a, b, other in self._lanes[x])

        lane = min(LANES, key=conflicts)
        self._lanes[lane].append((low, high, group))
        return f"M{x1:g} {y1:g} H{lane:g} V{y2:g} H{x2:g}"
