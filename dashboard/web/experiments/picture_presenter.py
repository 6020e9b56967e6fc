"""Computes the positions of texts and icons in the boxes of a diagram, in the diagram's units.

The browser computes the same (``js/core/diagram/drawing.js``); ``tests/js/vectors.json`` tests both. Numbers are
strings, so that no locale puts a comma into an SVG attribute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.experiments.picture import Box, DrawnPath, Edge, Picture
from dashboard.core.measurements.formatting import fixed

FRAMES = frozenset({"machine", "stack", "host-stack"})
LINE = 17
#: The distance between two hop numbers at one corner, and the distance of a number from the end of its edge.
NUMBERS_APART, BEFORE_END = 20, 12


@dataclass(frozen=True, slots=True)
class TextView:
    """A line of text in the diagram. ``style`` is strong, plain or soft."""

    x: str
    y: str
    text: str
    style: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class BoxView:
    """A box with its texts. ``shape`` is the position of the mode's icon, None if the box has none."""

    id: str
    kind: str
    mode: str
    x: str
    y: str
    w: str
    h: str
    radius: str
    shape: tuple[str, str] | None
    texts: tuple[TextView, ...]


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An edge and its label, which may be empty. ``x`` and ``y`` are the position of the label."""

    id: str
    kind: str
    mode: str
    path: str
    label: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class NumberView:
    """The number of a hop on the selected path, and the position of the number's centre."""

    text: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class PictureView:
    """The elements of a diagram, in drawing order: the frames of machines, the edges, the remaining boxes (``things``).

    ``passed`` are the ids of the elements on the selected path, ``numbers`` the numbers of its hops.
    """

    box: str
    summary: str
    frames: tuple[BoxView, ...]
    edges: tuple[EdgeView, ...]
    things: tuple[BoxView, ...]
    passed: frozenset[str] = frozenset()
    numbers: tuple[NumberView, ...] = ()


def number(value: float) -> str:
    """Formats a number with at most two decimals and without an exponent."""
    text = fixed(value, 2).rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def lay_out_box(box: Box) -> BoxView:
    """Returns a box with the positions of its texts."""
    x, y = box.x, box.y
    texts: list[TextView] = []
    shape = None
    if box.kind in FRAMES:
        shape = (number(x + 16), number(y + 14))
        texts.append(TextView(number(x + 35), number(y + 25), box.title, "strong"))
        for place, line in enumerate(box.lines):
            if box.kind == "host-stack":
                texts.append(TextView(number(x + 16), number(y + 45 + LINE * place), line, "soft"))
            else:
                right = number(x + box.w - 16)
                texts.append(TextView(right, number(y + 25 + LINE * place), line, "soft", "end"))
    else:
        lines = [(box.title, "strong")] if box.title else []
        lines += [(line, "plain" if place == 0 and not box.title else "soft") for place, line in enumerate(box.lines)]
        for place, (line, style) in enumerate(lines):
            texts.append(TextView(number(x + 12), number(y + 21 + LINE * place), line, style))
    return BoxView(
        box.id,
        box.kind,
        box.mode,
        number(x),
        number(y),
        number(box.w),
        number(box.h),
        "12" if box.kind in FRAMES else "7",
        shape,
        tuple(texts),
    )


def lay_out_edge(edge: Edge) -> EdgeView:
    """Returns an edge with the position of its label."""
    return EdgeView(edge.id, edge.kind, edge.mode, edge.path, edge.label, number(edge.label_x), number(edge.label_y))


def number_hops(boxes: Sequence[Box], path: DrawnPath) -> tuple[NumberView, ...]:
    """Returns the numbers of a path's hops with their positions. Hops that are not in the diagram have no number."""
    known = {box.id: box for box in boxes}
    numbers = []
    for place, hop in enumerate(path.hops, 1):
        box = next((known[spot] for spot in hop.spots if spot in known), None)
        if box is None:
            continue
        x, y = (box.x - BEFORE_END, box.y + box.h / 2) if hop.cable else (box.x, box.y)
        numbers.append(NumberView(str(place), number(x + NUMBERS_APART * hop.shift), number(y)))
    return tuple(numbers)


def lay_out(picture: Picture, chosen: DrawnPath | None = None) -> PictureView:
    """Returns all elements of the diagram. ``chosen`` is the path that is highlighted, None for no path."""
    return PictureView(
        f"0 0 {number(picture.width)} {number(picture.height)}",
        picture.summary,
        tuple(lay_out_box(box) for box in picture.boxes if box.kind == "machine"),
        tuple(lay_out_edge(edge) for edge in picture.edges),
        tuple(lay_out_box(box) for box in picture.boxes if box.kind != "machine"),
        frozenset(identity for hop in chosen.hops for identity in hop.ids) if chosen else frozenset(),
        number_hops(picture.boxes, chosen) if chosen else (),
    )
