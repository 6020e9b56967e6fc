"""Pictures are those that ``draw`` makes, drawn anew only where boxes come, go or grow."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.replay.inputs import Inputs
from dashboard.core.reports.replay.pictures import TrackPictures
from tests.core.builders import (
    MACHINE,
    States,
    container_id,
    make_address,
    make_interface,
    make_listener,
    make_route,
    make_scene,
)


def with_listener(state: NamespaceState, pid: int) -> NamespaceState:
    return replace(
        state, listeners=(*state.listeners, make_listener(9000, "nc", pid, container=container_id("bridge")))
    )


def with_address(state: NamespaceState, number: int) -> NamespaceState:
    one, *rest = reversed(state.interfaces)
    return replace(state, interfaces=(*reversed(rest), replace(one, addresses=(make_address(f"10.0.0.{number}"),))))


def test_only_another_layout_is_drawn_anew() -> None:
    columns, states = make_scene()
    inputs, pictures = Inputs(), TrackPictures()
    machine, bridge = states[MACHINE], states["bridge"]
    unseen = replace(machine, listeners=(*machine.listeners, make_listener(9000, "nc", 1)))
    second = make_interface("eth1", 99, "veth", addresses=("10.1.0.2/16",))
    two = replace(bridge, interfaces=(*bridge.interfaces, second))
    other_way = replace(two, routes=(make_route(interface="eth1"),))
    steps: list[tuple[str, States, set[str], int]] = [
        ("the first", states, {"wide", "narrow", "paths"}, 1),
        ("what is not shown", {**states, "bridge": replace(bridge, hostname="other"), MACHINE: unseen}, set(), 1),
        ("a box more", {**states, "bridge": with_listener(bridge, 1)}, {"wide", "narrow", "paths"}, 2),
        ("another text", {**states, "bridge": with_listener(bridge, 2)}, {"wide", "narrow"}, 2),
        ("the first again", states, {"wide", "narrow", "paths"}, 2),
        ("a link more", {**states, "bridge": two}, {"wide", "narrow", "paths"}, 3),
        ("another way out", {**states, "bridge": other_way}, {"wide", "narrow", "paths"}, 4),
        ("the first once more", states, {"wide", "narrow", "paths"}, 4),
        ("another address", {**states, "bridge": with_address(bridge, 9)}, {"wide", "narrow", "paths"}, 4),
    ]
    for what, now, changed, drawn in steps:
        assert {name for name, _ in pictures.advance(inputs.look(columns, 0, now))} == changed, what
        assert pictures.made == drawn, what
