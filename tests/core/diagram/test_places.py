"""Where boxes and edges are: no boxes overlap or leave the frame, whatever is in the scene."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.diagram.topology import draw, draw_wide
from tests.core.builders import Columns, States, with_column
from tests.core.diagram.pictures import check_picture, many_arms, with_crowd
from tests.core.scenes import make_scene
from tests.core.strategies import engine_scenes, generated_scenes


@given(engine_scenes())
def test_every_picture_of_a_real_scene_is_in_order(scene: tuple[Columns, States]) -> None:
    for picture in draw(*scene):
        check_picture(picture)


@given(generated_scenes())
def test_every_picture_of_an_impossible_scene_is_in_order(scene: tuple[Columns, States]) -> None:
    for picture in draw(*scene):
        check_picture(picture)


@given(st.integers(1, 12), st.integers(0, 300), st.integers(0, 300))
def test_any_number_of_arms_links_and_sockets_stays_in_bounds(arms: int, links: int, sockets: int) -> None:
    wide, narrow = draw(*with_crowd(many_arms(arms), links, sockets))
    check_picture(wide)
    check_picture(narrow)
    assert wide.height <= 1200 + 260 * arms
    assert narrow.height <= 1600 + 420 * arms
    assert len(wide.boxes) < 40 + 14 * arms


def test_a_picture_of_a_crowded_scene_is_drawn_within_its_time_limit() -> None:
    scene = with_crowd(many_arms(12), 300, 300)
    before = time.process_time()
    draw(*scene)
    assert time.process_time() - before < 0.5


def test_long_names_are_clipped_to_their_box() -> None:
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", title="b" * 200)
    long = tuple(replace(one, process="p" * 200) for one in states["bridge"].listeners)
    for picture in draw(columns, states | {"bridge": replace(states["bridge"], listeners=long)}):
        for box in picture.boxes:
            assert all(len(line) * 7.3 <= max(box.w, 60) for line in box.lines), box
            assert len(box.title) * 7.3 <= box.w, box


#: Where each box of host, bridge and macvlan is: x, y, width, height.
WIDE: dict[str, tuple[float, ...]] = {
    "machine:stack": (12, 12, 722, 252),
    "machine:if:2": (32, 54, 190, 50),
    "machine:if:1": (32, 114, 190, 50),
    "machine:if:3": (32, 198, 190, 50),
    "host:stack": (266, 54, 236, 120),
    "host:listen:tcp:80": (280, 110, 208, 50),
    "bridge:proxy:tcp:8081:80": (524, 54, 190, 50),
    "bridge:dnat:tcp:8081:80": (524, 114, 190, 50),
    "bridge:stack": (800, 12, 376, 170),
    "bridge:if:32": (816, 56, 167, 50),
    "bridge:if:1": (816, 116, 167, 50),
    "bridge:listen:tcp:80": (993, 56, 167, 50),
    "macvlan:stack": (800, 200, 376, 170),
    "macvlan:if:22": (816, 244, 167, 50),
    "macvlan:if:1": (816, 304, 167, 50),
    "macvlan:listen:tcp:80": (993, 244, 167, 50),
}
NARROW: dict[str, tuple[float, ...]] = {
    "machine:stack": (26, 12, 326, 474),
    "machine:if:2": (40, 54, 298, 50),
    "machine:if:3": (40, 112, 298, 50),
    "machine:if:1": (40, 170, 298, 50),
    "host:stack": (40, 232, 298, 120),
    "host:listen:tcp:80": (54, 288, 270, 50),
    "bridge:proxy:tcp:8081:80": (40, 364, 298, 50),
    "bridge:dnat:tcp:8081:80": (40, 422, 298, 50),
    "bridge:stack": (26, 506, 326, 168),
    "bridge:if:32": (42, 550, 142, 50),
    "bridge:if:1": (42, 610, 142, 50),
    "bridge:listen:tcp:80": (194, 550, 142, 50),
    "macvlan:stack": (26, 692, 326, 168),
    "macvlan:if:22": (42, 736, 142, 50),
    "macvlan:if:1": (42, 796, 142, 50),
    "macvlan:listen:tcp:80": (194, 736, 142, 50),
}


def test_boxes_of_three_modes_are_where_the_layout_puts_them() -> None:
    wide, narrow = draw(*make_scene(("host", "bridge", "macvlan")))
    for picture, places, size in ((wide, WIDE, (1188, 382)), (narrow, NARROW, (360, 878))):
        assert (picture.width, picture.height) == size
        assert {box.id: (box.x, box.y, box.w, box.h) for box in picture.boxes} == places


def test_edges_of_three_modes_run_where_the_layout_puts_them() -> None:
    wide, narrow = draw(*make_scene(("host", "bridge", "macvlan")))
    assert {edge.id: (edge.path, edge.label, edge.label_x, edge.label_y) for edge in wide.edges} == {
        "shares:machine:if:1>host:stack": ("M222 139 C246 139 242 114 266 114", "", 0, 133),
        "shares:machine:if:2>host:stack": ("M222 79 C246 79 242 114 266 114", "", 0, 73),
        "veth:machine:if:3>bridge:if:32": ("M222 223 H734 C775 223 775 81 816 81", "veth pair", 270, 217),
        "proxy:bridge:proxy:tcp:8081:80>bridge:if:32": ("M714 79 H734 C775 79 775 81 816 81", "", 0, 73),
        "dnat:bridge:dnat:tcp:8081:80>bridge:if:32": ("M714 139 H734 C775 139 775 81 816 81", "", 0, 133),
        "parent:machine:if:2>macvlan:if:22": ("M32 79 H22 V184 H734 C775 184 775 269 816 269", "macvlan", 247, 179),
    }
    assert {edge.id: edge.path for edge in narrow.edges} == {
        "shares:machine:if:1>host:stack": "M40 195 H21 V292 H40",
        "shares:machine:if:2>host:stack": "M40 79 H21 V292 H40",
        "veth:machine:if:3>bridge:if:32": "M40 137 H16.5 V575 H42",
        "proxy:bridge:proxy:tcp:8081:80>bridge:if:32": "M40 389 H21 V575 H42",
        "dnat:bridge:dnat:tcp:8081:80>bridge:if:32": "M40 447 H21 V575 H42",
        "parent:machine:if:2>macvlan:if:22": "M40 79 H12 V761 H42",
    }


@pytest.mark.parametrize(
    ("arms", "size", "places"),
    [
        (6, (1188, 698), [(800, 12, 376), (800, 200, 376), (800, 388, 376), (800, 516, 376)]),
        (7, (1588, 570), [(800, 12, 376), (1200, 12, 376), (800, 200, 376), (1200, 200, 376), (800, 388, 376)]),
    ],
)
def test_more_than_four_stacks_stand_in_two_columns(
    arms: int, size: tuple[float, float], places: list[tuple[float, ...]]
) -> None:
    picture = draw_wide(*many_arms(arms))
    assert (picture.width, picture.height) == size
    assert [(box.x, box.y, box.w) for box in picture.boxes if box.kind == "stack"] == places
    hosts = [(box.x, box.y, box.w, box.h) for box in picture.boxes if box.kind == "host-stack"]
    assert hosts == [(266, 54, 236, 58), (266, 126, 236, 58)]
