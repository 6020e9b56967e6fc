"""dashboard.core.reports.replay.pictures: a layout is computed only if boxes are added, removed or resized."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec

from dashboard.core.diagram.topology import draw
from dashboard.core.namespaces.state import Listener, NamespaceState
from dashboard.core.reports.replay.inputs import Inputs
from dashboard.core.reports.replay.pictures import RecordedPictures
from tests.core.builders import (
    MACHINE,
    States,
    container_id,
    make_address,
    make_interface,
    make_listener,
    make_ports,
    make_route,
)
from tests.core.machine_scenes import two_machines
from tests.core.scenes import make_scene


def with_listener(state: NamespaceState, pid: int) -> NamespaceState:
    return replace(
        state, listeners=(*state.listeners, make_listener(9000, "nc", pid, container=container_id("bridge")))
    )


def with_address(state: NamespaceState, number: int) -> NamespaceState:
    one, *rest = reversed(state.interfaces)
    return replace(state, interfaces=(*reversed(rest), replace(one, addresses=(make_address(f"10.0.0.{number}"),))))


def test_only_a_new_layout_is_computed() -> None:
    columns, states = make_scene()
    inputs, pictures = Inputs(), RecordedPictures()
    machine, bridge = states[MACHINE], states["bridge"]
    unseen = replace(machine, listeners=(*machine.listeners, make_listener(9000, "nc", 1)))
    second = make_interface("eth1", 99, "veth", addresses=("10.1.0.2/16",))
    two = replace(bridge, interfaces=(*bridge.interfaces, second))
    other_way = replace(two, routes=(make_route(interface="eth1"),))
    steps: list[tuple[str, States, set[str], int]] = [
        ("the first", states, {"wide", "narrow", "paths"}, 1),
        ("an invisible change", {**states, "bridge": replace(bridge, hostname="other"), MACHINE: unseen}, set(), 1),
        ("an added box", {**states, "bridge": with_listener(bridge, 1)}, {"wide", "narrow", "paths"}, 2),
        ("another text", {**states, "bridge": with_listener(bridge, 2)}, {"wide", "narrow"}, 2),
        ("the first again", states, {"wide", "narrow", "paths"}, 2),
        ("an added link", {**states, "bridge": two}, {"wide", "narrow", "paths"}, 3),
        ("another default route", {**states, "bridge": other_way}, {"wide", "narrow", "paths"}, 4),
        ("the first once more", states, {"wide", "narrow", "paths"}, 4),
        ("another address", {**states, "bridge": with_address(bridge, 9)}, {"wide", "narrow", "paths"}, 4),
    ]
    for what, now, changed, drawn in steps:
        assert {name for name, _ in pictures.advance(inputs.next_frame(columns, 0, now))} == changed, what
        assert pictures.computed == drawn, what


def shown(encoded: RecordedPictures, size: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines of every box of the newest diagram, and the ends of its edges, as stored in the tables."""
    tables = {name: json.loads(msgspec.json.encode(table.dump())) for name, table in encoded.tables.items()}
    _width, _height, _summary, boxes, edges = tables["pictures"][encoded._current[size]]
    things = (tables["things"][tables["boxes"][number][0]] for number in encoded.chains["boxes"].items(boxes))
    ends = (tables["edges"][number]["path"] for number in encoded.chains["edges"].items(edges))
    return tuple(" ".join(thing[3:]) for thing in things), tuple(ends)


def test_the_tables_hold_the_picture_of_each_state() -> None:
    columns, states = make_scene(("bridge", "none"))
    bridge = states["bridge"]
    inputs, pictures = Inputs(), RecordedPictures()
    for now in (states, {**states, "bridge": with_listener(bridge, 1)}, {**states, "bridge": with_listener(bridge, 2)}):
        list(pictures.advance(inputs.next_frame(columns, 0, now)))
        for size, picture in zip(("wide", "narrow"), draw(columns, now), strict=True):
            boxes, edges = shown(pictures, size)
            assert list(boxes) == [" ".join((box.title, *box.lines)) for box in picture.boxes]
            assert list(edges) == [edge.path for edge in picture.edges]


def test_a_published_port_of_the_machine_has_no_box_among_its_own() -> None:
    columns, states = make_scene(("host", "bridge"))
    inputs, pictures = Inputs(), RecordedPictures()
    list(pictures.advance(inputs.next_frame(columns, 0, states)))
    mapped = tuple(replace(one, published=make_ports(8090)) if one.key == "host" else one for one in columns)
    list(pictures.advance(inputs.next_frame(mapped, 1, states)))
    assert pictures.computed == 2
    assert shown(pictures, "wide")[0] == tuple(
        " ".join((box.title, *box.lines)) for box in draw(mapped, states)[0].boxes
    )


def test_paths_are_found_again_only_if_a_listener_on_a_published_port_changes() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    inputs, pictures = Inputs(), RecordedPictures()

    def changed(*listeners: Listener) -> set[str]:
        now = {**states, MACHINE: replace(machine, listeners=listeners)}
        return {name for name, _ in pictures.advance(inputs.next_frame(columns, 0, now))}

    proxies = tuple(one for one in machine.listeners if one.process == "docker-proxy")
    others = tuple(one for one in machine.listeners if one.process != "docker-proxy")
    assert "paths" in changed(*others, *proxies)
    assert "paths" not in changed(*proxies)
    assert "paths" in changed(*others)
    assert "paths" in changed(*others, *proxies)


def test_only_the_machine_that_changed_is_drawn_again() -> None:
    columns, states = two_machines()
    inputs, pictures = Inputs(), RecordedPictures()
    server = {**states, "bridge": with_listener(states["bridge"], 1)}
    lab2 = {**states, "bridge-lab2": with_listener(states["bridge-lab2"], 1)}
    all_names = {"wide", "narrow", "paths"}
    steps: list[tuple[str, States, set[str]]] = [
        ("the first", states, all_names),
        ("an invisible change", {**states, "bridge": replace(states["bridge"], hostname="other")}, set()),
        ("the first machine", server, all_names),
        ("both", {**server, "bridge-lab2": lab2["bridge-lab2"]}, all_names),
        ("the second machine", lab2, all_names),
        ("the first again", states, all_names),
    ]
    drawn = []
    for what, now, changed in steps:
        before = pictures.computed
        assert {name for name, _ in pictures.advance(inputs.next_frame(columns, 0, now))} == changed, what
        drawn.append(pictures.computed - before)
    wide = draw(columns, states)[0]
    assert drawn[0] > len(wide.boxes), "all boxes, edges and paths count"
    assert drawn[2] > 0
    assert drawn[3] > 0
    assert drawn[2] + drawn[3] < 1.5 * drawn[0], "one machine each"
    assert [drawn[1], *drawn[4:]] == [0, 0, 0]
    assert shown(pictures, "wide")[0] == tuple(" ".join((box.title, *box.lines)) for box in wide.boxes)
