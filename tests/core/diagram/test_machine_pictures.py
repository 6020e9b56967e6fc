"""The pictures of two machines in one."""

from __future__ import annotations

import re

from dashboard.core.diagram.machine_pictures import shared_id, shared_path, stack_pictures, titled
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.machines.groups import group_by_machine
from dashboard.core.experiments.picture import DrawnHop, DrawnPath, Picture
from tests.core.machine_scenes import two_machines

MODES = ("host", "bridge", "user-bridge", "macvlan")


def heights(path: str) -> list[float]:
    """All heights in an SVG path."""
    points = re.findall(r"[-\d.]+ ([-\d.]+)", path)
    return [float(one) for one in (*points, *re.findall(r"V([-\d.]+)", path))]


def test_the_second_picture_is_below_the_first() -> None:
    columns, states = two_machines(MODES)
    groups = group_by_machine(columns, states)
    for size in (0, 1):
        first, second = (draw(titled(group), group.states)[size] for group in groups)
        both = draw(columns, states)[size]
        assert both.height == first.height + second.height
        assert both.boxes[: len(first.boxes)] == first.boxes
        lower = both.boxes[len(first.boxes) :]
        assert [(box.x, box.y - first.height) for box in lower] == [(box.x, box.y) for box in second.boxes]
        for moved, edge in zip(both.edges[len(first.edges) :], second.edges, strict=True):
            assert heights(moved.path) == [height + first.height for height in heights(edge.path)]
            assert re.sub(r"[-\d.]+", "", moved.path) == re.sub(r"[-\d.]+", "", edge.path)


def test_ids_are_unique_among_all_machines() -> None:
    for picture in draw(*two_machines(MODES)):
        ids = [*(box.id for box in picture.boxes), *(edge.id for edge in picture.edges)]
        assert len(ids) == len(set(ids))
        assert "machine@2:stack" in ids


def test_each_machine_has_its_name_in_the_picture_and_in_its_text() -> None:
    wide, _narrow = draw(*two_machines(MODES))
    assert [box.title for box in wide.boxes if box.kind == "machine"] == [
        "this machine (server)",
        "this machine (lab2)",
    ]
    assert "On server: " in wide.summary
    assert "On lab2: " in wide.summary


def test_paths_pass_boxes_and_edges_of_their_machine() -> None:
    columns, states = two_machines(MODES)
    pictures = draw(columns, states)
    ids = {box.id for picture in pictures for box in picture.boxes}
    ids |= {edge.id for picture in pictures for edge in picture.edges}
    paths = draw_paths(columns, states, pictures)
    assert len({path.key for path in paths}) == len(paths)
    shown = [path for path in paths if path.hops]
    assert {path.key.partition("/")[0] for path in shown} >= {"bridge", "bridge-lab2"}
    for path in shown:
        assert {one for hop in path.hops for one in (*hop.ids, *hop.spots)} <= ids
        is_second = path.key.partition("/")[0].endswith("-lab2")
        machines = {one for hop in path.hops for one in hop.ids if one.startswith("machine")}
        assert all(one.startswith("machine@2") is is_second for one in machines)


def test_names_of_boxes_edges_and_paths_have_the_number_of_their_machine() -> None:
    assert shared_id("machine:if:3", 2) == "machine@2:if:3"
    assert shared_id("veth:machine:if:3>bridge:if:2", 2) == "veth:machine@2:if:3>bridge:if:2"
    assert shared_id("machine:if:3", 1) == "machine:if:3"
    path = DrawnPath(
        "machine/resolver", "host", "Resolver", hops=(DrawnHop("lo", ("machine:if:1",), ("machine:stack",)),)
    )
    moved = shared_path(path, 2)
    assert (moved.key, moved.hops[0].ids, moved.hops[0].spots) == (
        "machine@2/resolver",
        ("machine@2:if:1",),
        ("machine@2:stack",),
    )


def test_a_machine_without_a_state_leaves_room() -> None:
    columns, states = two_machines(("bridge",))
    seen = {key: state for key, state in states.items() if not key.endswith(("@2", "lab2"))}
    wide, _narrow = draw(columns, seen)
    assert wide.height > draw(*two_machines(("bridge",)))[0].height / 2
    groups = group_by_machine(columns, states)
    assert stack_pictures(groups, [Picture(10, 20), Picture(30, 40)]).width == 30
