"""How the connections of a picture run, so that none hides behind a box or on top of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.core.experiments.picture import Box, Edge, around, curve, left_of, right_of

#: Left of the boxes of the narrow picture, the nearest first.
LANES = (21.0, 16.5, 12.0, 7.5, 3.0)
#: In the wide picture: where the other stacks begin, and what lies behind their first column.
NEAR, FAR = 880.0, 1200.0
DOORS = {"proxy": -3.0, "dnat": 3.0}


@dataclass(slots=True)
class EdgeRouter:
    """The connections between ``boxes``. ``aisle`` is the height at which nothing stands in the machine's box of
    the wide picture; None in the narrow one."""

    boxes: Mapping[str, Box]
    aisle: float | None = None
    edges: list[Edge] = field(default_factory=list)
    _lanes: dict[float, list[tuple[float, float, str]]] = field(default_factory=lambda: {x: [] for x in LANES})

    def join(self, kind: str, mode: str, start: Box | None, end: Box | None, label: str = "") -> None:
        """Adds a connection between two boxes that are drawn."""
        if start is None or end is None:
            return
        identity = f"{kind}:{start.id}>{end.id}"
        if self.aisle is None:
            self.edges.append(Edge(identity, kind, mode, self._beside(identity, kind, start, end)))
            return
        (x2, y2), rest = self._arrival(kind, end)
        if kind == "parent":
            # The parent stands above: straight on, its cable would run behind the host-mode containers.
            x1, y1 = left_of(start)
            height = self.aisle + 4 * (sum(one.kind == kind for one in self.edges) % 3)
            path, label_at = around(x1, y1, height, x2, y2), (x1 + 215, self.aisle - 5)
        else:
            x1, y1 = right_of(start)
            path, label_at = curve(x1, y1, x2, y2), (x1 + 48 if label else 0, y1 - 6)
        self.edges.append(Edge(identity, kind, mode, path + rest, label, *label_at))

    def _arrival(self, kind: str, end: Box) -> tuple[tuple[float, float], str]:
        """Where the curve ends, and how it goes on from there: behind the nearer stacks a cable could not be
        followed, so one to the second column takes the gap above the row."""
        x, y = left_of(end)
        frame = self.boxes.get(f"{end.id.partition(':')[0]}:stack")
        if frame is None or frame.x <= FAR:
            return (x, y), ""
        offset = DOORS.get(kind, 0.0)
        return (NEAR - 12, frame.y - 7 + offset), f" H{frame.x - 12 + offset:g} V{y:g} H{x:g}"

    def _beside(self, identity: str, kind: str, start: Box, end: Box) -> str:
        """Down the left side, in the nearest lane that is free at this height, else the emptiest. What leads to one
        place in one manner may run together."""
        (x1, y1), (x2, y2) = left_of(start), left_of(end)
        low, high = min(y1, y2), max(y1, y2)
        group = identity if kind == "veth" else f"{'doors' if kind in DOORS else kind}>{end.id}"

        def met(x: float) -> int:
            return sum(a <= high and low <= b and other != group for a, b, other in self._lanes[x])

        lane = min(LANES, key=met)
        self._lanes[lane].append((low, high, group))
        return f"M{x1:g} {y1:g} H{lane:g} V{y2:g} H{x2:g}"
