"""Boxes, edges and their layout."""

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
    Picture,
    around,
    choose_larger,
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
def test_items_are_stacked_with_a_gap(found: list[Item], y: float, gap: float) -> None:
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


def test_a_connection_has_its_bends_half_way_and_at_least_24_units_out() -> None:
    assert curve(800, 80, 900, 300) == "M800 80 C850 80 850 300 900 300"
    assert curve(800, 80, 820, 300) == "M800 80 C824 80 796 300 820 300"
    assert curve(222, 80, 896, 300) == "M222 80 H734 C815 80 815 300 896 300"
    assert curve(WIDE_LANE, 80, 900, 300) == "M746 80 C823 80 823 300 900 300"
    assert curve(100, 80, WIDE_LANE, 300) == "M100 80 C423 80 423 300 746 300"


def test_a_connection_around_boxes_goes_left_to_the_aisle_and_along_it() -> None:
    assert around(200, 80, 400, 896, 300) == "M200 80 H190 V400 H734 C815 400 815 300 896 300"
    assert around(200, 80, 400, 760, 300) == "M200 80 H190 V400 H734 C758 400 736 300 760 300"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abcd", 10, "abcd"),
        ("abcde", 10, "abc…"),
        ("abcdef", 24 + 6 * CHAR + 0.01, "abcdef"),
        ("abcdefg", 24 + 6 * CHAR + 0.01, "abcde…"),
    ],
)
def test_a_text_is_clipped_to_the_letters_that_fit_but_not_below_four(text: str, width: float, shown: str) -> None:
    assert clip(text, width) == shown


def test_a_small_box_has_a_margin_and_17_units_for_each_line() -> None:
    assert [height_of(Item("a", "", "", ("line",) * count)) for count in (0, 1, 3)] == [16, 33, 67]
    boxes, low = place([Item("a", "interface", "host", ("a long line of text",), "title")], 10, 20, 60)
    assert boxes == [Box("a", "interface", "host", 10, 20, 60, 33, ("a l…",), "title")]
    assert low == 53
    assert place([], 10, 20, 60) == ([], 20)


@pytest.mark.parametrize(("height", "chosen"), [(500.0, "narrow"), (1800.0, "wide")])
def test_the_layout_is_chosen_that_is_drawn_larger(height: float, chosen: str) -> None:
    pictures = {"wide": Picture(1000.0, 500.0), "narrow": Picture(400.0, height)}
    assert choose_larger(pictures.values(), 6.0, 5.0) is pictures[chosen]
