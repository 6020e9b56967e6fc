"""The boxes and edges of a diagram, and helpers to place them. All coordinates are in SVG user units.

The values are plain data, so that the template and the browser draw the same diagram.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LINE = 17
CHAR = 7.3
WIDE_LANE = 746.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with lines of text and a bold ``title``. A box that is a network stack also has the icon of its
    mode."""

    id: str
    kind: str
    mode: str
    x: float
    y: float
    w: float
    h: float
    lines: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection between boxes. ``path`` is the ``d`` attribute of an SVG path."""

    id: str
    kind: str
    mode: str
    path: str
    label: str = ""
    label_x: float = 0
    label_y: float = 0


@dataclass(frozen=True, slots=True)
class DrawnHop:
    """One hop of a path.

    ``ids`` are the boxes and edges that the hop passes, in the wide and in the narrow diagram. ``spots`` are the ids of
    boxes at which the hop's number can be drawn; the first one in the diagram is used. A hop without ``spots`` has no
    number. The number is at the corner of the box. If ``cable`` is true, it is where the edge meets the box. ``shift``
    counts the earlier hops whose numbers are drawn at the same position.
    """

    text: str
    ids: tuple[str, ...] = ()
    spots: tuple[str, ...] = ()
    cable: bool = False
    shift: int = 0


@dataclass(frozen=True, slots=True)
class DrawnPath:
    """The path of a request from the client's stack to the program. If the path does not exist, ``hops`` is empty and
    ``unavailable`` is the reason. ``request`` is the key with which the path can be traced; empty if it cannot."""

    key: str
    mode: str
    title: str
    target: str = ""
    hops: tuple[DrawnHop, ...] = ()
    unavailable: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A diagram: boxes and edges in drawing order, and the same facts as text in ``summary``."""

    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()
    summary: str = ""


def choose_larger(pictures: Iterable[Picture], width: float, height: float) -> Picture:
    """Returns the picture that is largest when scaled to fit this width and height. ``pictures`` are several layouts of
    one diagram."""
    return max(pictures, key=lambda one: min(width / max(one.width, 1.0), height / max(one.height, 1.0)))


@dataclass(frozen=True, slots=True)
class Item:
    """A small box that has no position yet."""

    id: str
    kind: str
    mode: str
    lines: tuple[str, ...]
    title: str = ""


def clip(text: str, width: float) -> str:
    """Returns the text, shortened with an ellipsis if it is wider than ``width``."""
    room = max(4, int((width - 24) / CHAR))
    return text if len(text) <= room else text[: room - 1] + "…"


def height_of(item: Item) -> float:
    """Returns the height of a small box from its number of lines."""
    return 16 + LINE * len(item.lines)


def place(items: Sequence[Item], x: float, y: float, w: float, gap: float = 10) -> tuple[list[Box], float]:
    """Stacks items vertically from ``y`` downwards. Returns the boxes and the bottom edge of the last one."""
    boxes = []
    for item in items:
        boxes.append(
            Box(
                item.id,
                item.kind,
                item.mode,
                x,
                y,
                w,
                height_of(item),
                tuple(clip(t, w) for t in item.lines),
                item.title,
            )
        )
        y += height_of(item) + gap
    return boxes, y - gap if items else y


def curve(x1: float, y1: float, x2: float, y2: float) -> str:
    """Returns the SVG path of an edge from the first point to the second: a straight line through the machine's box,
    then a curve through the gap to the other stacks."""
    start = f"M{x1:g} {y1:g}"
    if x1 < WIDE_LANE < x2:
        start, x1 = f"{start} H{WIDE_LANE - 12:g}", WIDE_LANE - 12
    bend = max(24.0, abs(x2 - x1) / 2)
    return f"{start} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def around(x1: float, y1: float, channel: float, x2: float, y2: float) -> str:
    """Returns the SVG path of an edge that avoids the boxes of the machine. The edge leaves its box on the left and
    goes down to ``channel``, a height without boxes. There it goes to the right, and ends with a curve through the gap
    to the other stacks."""
    lane = WIDE_LANE - 12
    bend = max(24.0, abs(x2 - lane) / 2)
    walk = f"M{x1:g} {y1:g} H{x1 - 10:g} V{channel:g} H{lane:g}"
    return f"{walk} C{lane + bend:g} {channel:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def right_of(box: Box) -> tuple[float, float]:
    """The middle of the box's right edge."""
    return box.x + box.w, box.y + box.h / 2


def left_of(box: Box) -> tuple[float, float]:
    """The middle of the box's left edge."""
    return box.x, box.y + box.h / 2
