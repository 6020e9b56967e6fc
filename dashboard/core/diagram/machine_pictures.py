"""Combines the diagrams of several machines, one below the other, with ids that are unique among all machines."""

import re
from collections.abc import Sequence
from dataclasses import replace

from dashboard.core.experiments.machines.groups import MachineGroup, shared_key
from dashboard.core.experiments.machines.journals import shared_request
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.picture import Box, DrawnHop, DrawnPath, Edge, Picture
from dashboard.core.modes import is_observer

_NUMBER = r"-?[\d.]+(?:e[+-]?\d+)?"
#: The commands of the paths that diagrams have: M and C with points, V with a height.
_POINT = re.compile(rf"({_NUMBER}) ({_NUMBER})")
_HEIGHT = re.compile(rf"V({_NUMBER})")


def titled(group: MachineGroup) -> tuple[Column, ...]:
    """Returns the columns of a machine. Adds the machine's name to the titles of columns that are not arms."""
    shown = {column.key: column for column in group.shown}
    return tuple(
        replace(column, title=shown[group.shared(column.key)].title) if is_observer(column.key) else column
        for column in group.columns
    )


def shared_id(identity: str, number: int) -> str:
    """Returns the id that a box or an edge of machine ``number`` has in the diagram of all machines. ``identity`` is
    the id in the diagram of that machine alone."""
    if ">" not in identity:
        return _shared_box(identity, number)
    kind, _colon, ends = identity.partition(":")
    start, _arrow, end = ends.partition(">")
    return f"{kind}:{_shared_box(start, number)}>{_shared_box(end, number)}"


def _shared_box(identity: str, number: int) -> str:
    column, colon, rest = identity.partition(":")
    return f"{shared_key(column, number)}{colon}{rest}"


def _lower_path(path: str, by: float) -> str:
    """Returns an SVG path moved down by ``by`` user units."""
    moved = _POINT.sub(lambda match: f"{match[1]} {float(match[2]) + by:g}", path)
    return _HEIGHT.sub(lambda match: f"V{float(match[1]) + by:g}", moved)


def _lower_edge(edge: Edge, number: int, by: float) -> Edge:
    label_y = edge.label_y + by if edge.label else edge.label_y
    return replace(edge, id=shared_id(edge.id, number), path=_lower_path(edge.path, by), label_y=label_y)


def stack_pictures(groups: Sequence[MachineGroup], pictures: Sequence[Picture]) -> Picture:
    """Returns one diagram with the diagrams of the machines, one below the other."""
    boxes: list[Box] = []
    edges: list[Edge] = []
    height = 0.0
    for group, picture in zip(groups, pictures, strict=True):
        boxes += [replace(box, id=shared_id(box.id, group.number), y=box.y + height) for box in picture.boxes]
        edges += [_lower_edge(edge, group.number, height) for edge in picture.edges]
        height += picture.height
    summary = " ".join(
        f"On {group.machine}: {picture.summary}" for group, picture in zip(groups, pictures, strict=True)
    )
    return Picture(max(picture.width for picture in pictures), height, tuple(boxes), tuple(edges), summary)


def shared_path(path: DrawnPath, number: int) -> DrawnPath:
    """Returns a path of machine ``number`` with the keys and ids that it has in the diagram of all machines."""

    def rename(ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(shared_id(identity, number) for identity in ids)

    hops: tuple[DrawnHop, ...] = tuple(replace(hop, ids=rename(hop.ids), spots=rename(hop.spots)) for hop in path.hops)
    return replace(path, key=shared_request(path.key, number), request=shared_request(path.request, number), hops=hops)
