"""Crowded scenes, and what holds for every picture of a scene."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

from dashboard.core.experiments.picture import Box, Picture
from tests.core.builders import MACHINE, Columns, States, make_column, make_interface, make_listener, make_ports
from tests.core.scenes import make_scene

STACKS = {"machine", "stack", "host-stack"}
KINDS = STACKS | {"interface", "listener", "proxy", "dnat", "more"}
EDGES = {"veth", "proxy", "dnat", "shares", "parent", "lan"}


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h
    )


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.w <= outer.x + outer.w
        and inner.y + inner.h <= outer.y + outer.h
    )


def find(picture: Picture, identity: str) -> Box:
    return next(box for box in picture.boxes if box.id == identity)


def texts(picture: Picture) -> str:
    return "\n".join(line for box in picture.boxes for line in (box.title, *box.lines))


def check_picture(picture: Picture) -> None:
    """Checks that hold for every diagram."""
    ids = [box.id for box in picture.boxes]
    assert len(set(ids)) == len(ids)
    assert {box.kind for box in picture.boxes} <= KINDS
    for box in picture.boxes:
        assert box.w > 0
        assert box.h > 0
        assert inside(box, Box("", "", "", 0, 0, picture.width, picture.height)), box
    for one, other in combinations(picture.boxes, 2):
        if overlap(one, other):
            outer, inner = (one, other) if inside(other, one) else (other, one)
            assert outer.kind in STACKS, (one, other)
            assert inside(inner, outer), (one, other)
    edges = [edge.id for edge in picture.edges]
    assert len(set(edges)) == len(edges)
    for edge in picture.edges:
        assert edge.kind in EDGES
        start, _, target = edge.id.partition(":")[2].partition(">")
        assert {start, target} <= set(ids)
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", edge.path)]
        assert all(-40 <= number <= max(picture.width, picture.height) + 40 for number in numbers)


def with_crowd(scene: tuple[Columns, States], links: int, sockets: int = 0) -> tuple[Columns, States]:
    columns, states = scene
    kinds = ["tun", "bridge", "physical", "vlan"]
    more = tuple(make_interface(f"x{number}", 100 + number, kinds[number % 4]) for number in range(links))
    opened = tuple(make_listener(20000 + number, "worker", number + 1) for number in range(sockets))
    machine = states[MACHINE]
    crowded = replace(machine, interfaces=machine.interfaces + more, listeners=machine.listeners + opened)
    same = {key: replace(crowded, resolver=s.resolver) for key, s in states.items() if s.netns == machine.netns}
    return columns, states | same | {MACHINE: crowded}


def many_arms(count: int) -> tuple[Columns, States]:
    """``count`` arms that cycle through the modes that need no other arm."""
    columns, states = make_scene(("host", "bridge", "user-bridge", "none", "macvlan"))
    heads, found = [columns[0]], {MACHINE: states[MACHINE]}
    for number in range(count):
        column = columns[1 + number % 5]
        key = f"{column.key}-{number}"
        port = make_ports(8080 + number) if column.published else ()
        heads.append(make_column(key, column.mode, published=port, networks=column.networks))
        state = states[column.key]
        found[key] = state if column.mode == "host" else replace(state, netns=state.netns + 100 + number)
    return tuple(heads), found
