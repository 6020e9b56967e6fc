"""Axes: the same as in the browser, and they contain every value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.core.measurements.axes import (
    LEAST,
    MOST,
    choose_ticks,
    lay_out_axis,
    lay_out_differences,
    log_ticks,
    place,
)

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "js/measure_vectors.json").read_text())


def test_axes_are_those_of_the_browser() -> None:
    for one in VECTORS["ticks"]:
        ticks = choose_ticks(one["low"], one["high"])
        assert [float(f"{value:.9g}") for value in ticks] == one["expected"]
    for one in VECTORS["axes"]:
        _at, zero, drawn = lay_out_axis(one["values"])
        assert zero == one["zero"]
        assert [[tick.at, tick.text] for tick in drawn] == one["ticks"]


@pytest.mark.parametrize(("low", "high"), [(34.0, 8123.0), (20.0, 20.0), (0.3, 4.0), (1.0, 1e7), (999.0, 1001.0)])
def test_a_logarithmic_axis_holds_its_values(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 12


@pytest.mark.parametrize("values", [(-1e308, 1e308), (1e308,), (-1e308, 1.0), (5e-324,)])
def test_a_value_beyond_the_axis_is_drawn_at_its_end(values: tuple[float, ...]) -> None:
    at, zero, ticks = lay_out_axis(values)
    assert all(0 <= float(at(value).removesuffix("%")) <= 100 for value in values)
    assert zero in {tick.at for tick in ticks}


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 10, (1, 2, 5, 10)),
        (20, 20, (20, 50)),
        (21, 49, (20, 50)),
        (3, 4, (2, 5)),
        (1, 100, (1, 2, 5, 10, 20, 50, 100)),
        (1, 1000, (1, 3, 10, 30, 100, 300, 1000)),
        (1, 10_000, (1, 10, 100, 1000, 10_000)),
        (0.5, 0.9, (0.5, 1)),
        (1.5e308, 1.5e308, (1e12, 2e12)),
        (5e-324, 5e-324, (1e-12, 2e-12)),
    ],
)
def test_a_logarithmic_axis_begins_and_ends_at_the_ticks_beside_its_values(
    low: float, high: float, ticks: tuple[float, ...]
) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "wanted", "ticks"),
    [
        (0, 4, 4, (0, 1, 2, 3, 4)),
        (0, 4.5, 4, (0, 2, 4, 6)),
        (-3, 7, 4, (-5, 0, 5, 10)),
        (5, 5, 4, (5, 5.5)),
        (2, 2.9, 3, (2, 2.5, 3)),
        (0, 12, 6, (0, 2, 4, 6, 8, 10, 12)),
        (0, 36, 4, (0, 10, 20, 30, 40)),
    ],
)
def test_ticks_are_1_2_or_5_times_a_power_of_ten_apart(
    low: float, high: float, wanted: int, ticks: tuple[float, ...]
) -> None:
    assert choose_ticks(low, high, wanted) == pytest.approx(ticks)


def test_a_share_of_the_axis_is_a_percentage() -> None:
    assert place(0.12345) == "12.35%"


def test_ticks_of_differences_have_signs_and_as_many_decimals_as_their_step() -> None:
    at, zero, ticks = lay_out_axis((-0.3, 0.1))
    assert [tick.text for tick in ticks] == [
        "\N{MINUS SIGN}0.3",
        "\N{MINUS SIGN}0.2",
        "\N{MINUS SIGN}0.1",
        "0.0",
        "+0.1",
    ]
    assert (zero, at(0.1), at(-0.3)) == ("75.00%", "100.00%", "0.00%")
    assert [tick.text for tick in lay_out_axis((100.0,))[2]] == ["0", "+50", "+100"]


def test_values_beyond_the_longest_axis_are_drawn_at_its_end() -> None:
    at, _zero, ticks = lay_out_axis((MOST * 10, -MOST * 10))
    assert (at(MOST * 10), at(MOST), at(-MOST * 10)) == ("100.00%", "100.00%", "0.00%")
    assert ticks[-1].text == "+1000000000000"


def test_values_too_small_for_an_axis_are_drawn_at_zero() -> None:
    at, zero, ticks = lay_out_axis((LEAST,))
    assert (at(LEAST), [tick.text for tick in ticks]) == (zero, ["0.0", "+0.5"])
    assert lay_out_axis((LEAST * 2,))[0](LEAST * 2) == "100.00%"


def test_one_disturbed_path_leaves_room_for_the_others() -> None:
    values, intervals = (3.0, 90.0, 103.0), ((1.0, 5.0), (80.0, 95.0), (80.0, 8510.0))
    axis = lay_out_differences(values, intervals)
    assert [tick.text for tick in axis.ticks] == ["0", "+100", "+200", "+300", "+400"]
    assert [axis.cut(interval) for interval in intervals] == ["", "", "high"]
    assert axis.at(8510.0) == "100.00%"


@pytest.mark.parametrize(
    ("value", "interval"), [(0.0, (-0.5, 0.6)), (0.0, (0.0, 0.0)), (5.0, (-90.0, 100.0)), (1e13, (-1e13, 1e14))]
)
def test_a_single_interval_is_drawn_as_far_as_its_ends_agree(value: float, interval: tuple[float, float]) -> None:
    axis = lay_out_differences((value,), (interval,))
    assert axis.cut(interval) in {"", "high"}
    assert all(0 <= float(axis.at(end).removesuffix("%")) <= 100 for end in (value, *interval))


def test_an_interval_may_continue_on_both_sides() -> None:
    intervals = ((-1.0, 1.0), (-2.0, 2.0), (-500.0, 500.0))
    assert lay_out_differences((0.0, 0.0, 0.1), intervals).cut(intervals[2]) == "low high"
