"""Routes of edges: each can be followed from one end to the other."""

from __future__ import annotations

import re

import pytest

from dashboard.core.diagram.edge_routing import LANES, NEAR, EdgeRouter
from dashboard.core.experiments.picture import Box

BRIDGE = Box("machine:if:4", "interface", "machine", 32, 300, 190, 50)
PARENT = Box("machine:if:3", "interface", "machine", 32, 54, 190, 50)
DOOR = Box("bridge:proxy:8080", "proxy", "bridge", 548, 54, 190, 50)


def _end(key: str, y: float, x: float = 880) -> Box:
    return Box(f"{key}:if:7", "interface", "bridge", x + 14, y + 44, 190, 50)


def _stack(key: str, y: float, x: float = 880) -> Box:
    return Box(f"{key}:stack", "stack", "bridge", x, y, 340, 150)


def _cables(*boxes: Box, channel: float | None = None) -> EdgeRouter:
    return EdgeRouter({box.id: box for box in boxes}, channel)


def _lane(path: str) -> float:
    found = re.match(r"M\S+ \S+ H(\S+) V", path)
    assert found is not None
    return float(found[1])


def test_a_missing_box_has_no_edge() -> None:
    cables = _cables()
    cables.connect("veth", "bridge", None, _end("bridge", 12))
    cables.connect("veth", "bridge", BRIDGE, None)
    assert cables.edges == []


def test_an_edge_begins_at_one_box_and_ends_at_the_other() -> None:
    cables = _cables(_stack("bridge", 12), channel=250)
    cables.connect("veth", "bridge", BRIDGE, _end("bridge", 12), "veth pair")
    [edge] = cables.edges
    assert edge.path.startswith("M222 325 H734 C")
    assert edge.path.endswith(" 894 81")
    assert (edge.label, edge.label_x, edge.label_y) == ("veth pair", 270, 319)


def test_edges_from_a_parent_use_the_aisle_side_by_side() -> None:
    cables = _cables(_stack("a", 12), _stack("b", 180), channel=250)
    for key, y in (("a", 12), ("b", 180)):
        cables.connect("parent", "macvlan", PARENT, _end(key, y), "macvlan")
    assert [edge.path.split(" C")[0] for edge in cables.edges] == [
        "M32 79 H22 V250 H734",
        "M32 79 H22 V254 H734",
    ]


def test_an_edge_to_the_second_column_uses_the_gap_above_its_row() -> None:
    far = NEAR + 364
    cables = _cables(_stack("far", 180, far), channel=250)
    for kind, start in (("veth", BRIDGE), ("proxy", DOOR), ("dnat", DOOR)):
        cables.connect(kind, "bridge", start, _end("far", 180, far))
    heights = [float(edge.path.split(" H")[-3].split()[-1]) for edge in cables.edges]
    assert heights == [173, 170, 176]
    assert all(150 < height < 180 for height in heights)
    assert all(edge.path.endswith(f" V249 H{far + 14:g}") for edge in cables.edges)


def test_overlapping_edges_of_the_narrow_diagram_use_different_lanes() -> None:
    cables = _cables()
    for n in range(len(LANES)):
        cables.connect("veth", "bridge", BRIDGE, _end(f"arm-{n}", 500 + 200 * n))
    assert sorted(_lane(edge.path) for edge in cables.edges) == sorted(LANES)


def test_proxy_and_dnat_of_one_container_share_a_lane() -> None:
    cables = _cables()
    cables.connect("proxy", "bridge", DOOR, _end("bridge", 400))
    cables.connect("dnat", "bridge", DOOR, _end("bridge", 400))
    cables.connect("veth", "user-bridge", _end("x", 800), _end("y", 1200))
    assert {_lane(edge.path) for edge in cables.edges} == {LANES[0]}


@pytest.mark.parametrize("count", [6, 40])
def test_with_more_edges_than_lanes_the_emptiest_is_used(count: int) -> None:
    cables = _cables()
    for n in range(count):
        cables.connect("veth", "bridge", BRIDGE, _end(f"arm-{n}", 500 + 200 * n))
    lanes = [_lane(edge.path) for edge in cables.edges]
    assert max(lanes.count(x) for x in LANES) - min(lanes.count(x) for x in LANES) <= 1


def test_edges_that_touch_do_not_share_a_lane() -> None:
    cables = _cables()
    first, second, third = (_end(key, y) for key, y in (("a", 500), ("b", 700), ("c", 900)))
    cables.connect("veth", "bridge", first, second)
    cables.connect("veth", "bridge", second, third)
    cables.connect("veth", "bridge", _end("d", 901), _end("e", 1000))
    assert [_lane(edge.path) for edge in cables.edges] == [LANES[0], LANES[1], LANES[0]]
