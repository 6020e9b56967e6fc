"""Boxes, edges and how they are placed."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.picture import (
    CHAR,
    WIDE_LANE,
    Box,
    Item,
    clip,
    curve,
    height_of,
    left_of,
    place,
    right_of,
)

items = st.lists(
    st.builds(
        Item, st.just("a"), st.just("interface"), st.just("host"), st.lists(st.text(max_size=60), max_size=4).map(tuple)
    ),
    max_size=8,
)


@given(st.text(max_size=300), st.floats(1, 900))
def test_a_text_that_is_too_long_ends_in_an_ellipsis(text: str, width: float) -> None:
    shown = clip(text, width)
    assert len(shown) <= max(4, (width - 24) / CHAR)
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


@given(items, st.floats(0, 500), st.floats(0, 30))
def test_items_stand_under_each_other_with_a_gap(found: list[Item], y: float, gap: float) -> None:
    boxes, low = place(found, 10, y, 200, gap)
    assert len(boxes) == len(found)
    for upper, lower in pairwise(boxes):
        assert lower.y == pytest.approx(upper.y + upper.h + gap)
    assert low == pytest.approx(boxes[-1].y + boxes[-1].h if boxes else y)
    assert all((box.x, box.w, box.h) == (10, 200, height_of(item)) for box, item in zip(boxes, found, strict=True))


def test_a_box_grows_with_its_lines() -> None:
    heights = [height_of(Item("a", "", "", ("line",) * count)) for count in range(4)]
    assert heights == sorted(set(heights))


def test_connections_end_in_the_middle_of_an_edge() -> None:
    box = Box("a", "", "", 10, 20, 100, 50)
    assert left_of(box) == (10, 45)
    assert right_of(box) == (110, 45)


@pytest.mark.parametrize(("start", "end"), [((222, 80), (896, 300)), ((738, 80), (896, 300)), ((900, 80), (896, 300))])
def test_a_connection_begins_and_ends_where_it_should(start: tuple[float, float], end: tuple[float, float]) -> None:
    path = curve(*start, *end)
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    assert tuple(numbers[:2]) == start
    assert tuple(numbers[-2:]) == end


def test_a_connection_leaves_the_machine_straight_before_it_bends() -> None:
    assert f"H{WIDE_LANE - 12:g} C" in curve(222, 80, 896, 300)
    assert "H" not in curve(800, 80, 896, 300)
