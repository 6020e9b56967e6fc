"""Axes: the same as in the browser, and every value has its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.core.axes import choose_ticks, lay_out_axis, log_ticks

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "js/measure_vectors.json").read_text())


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
def test_what_nobody_measured_stands_at_the_end_of_the_axis(values: tuple[float, ...]) -> None:
    at, zero, ticks = lay_out_axis(values)
    assert all(0 <= float(at(value).removesuffix("%")) <= 100 for value in values)
    assert zero in {tick.at for tick in ticks}
