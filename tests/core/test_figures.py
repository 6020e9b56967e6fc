"""Figures in words: the same as in the browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.core.figures import dash_of, fixed, micros, mode_of, moment_of, say_interval, say_rate, signed

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "js/measure_vectors.json").read_text())


def test_figures_are_those_of_the_browser() -> None:
    assert [micros(value) for value, _text in VECTORS["micros"]] == [text for _, text in VECTORS["micros"]]
    assert [signed(value) for value, _text in VECTORS["signed"]] == [text for _, text in VECTORS["signed"]]


def test_a_columns_mode_is_that_of_its_key_unless_it_is_told() -> None:
    assert mode_of("bridge-2") == "bridge"
    assert mode_of("user-bridge") == "user-bridge"
    assert mode_of("web") == "machine"
    assert mode_of("web", {"web": "macvlan"}) == "macvlan"


@pytest.mark.parametrize(("value", "text"), [(870.4e6, "870 MB/s"), (3.214e9, "3.21 GB/s"), (None, "")])
def test_throughput_is_said_in_its_unit(value: float | None, text: str) -> None:
    assert say_rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(2.5, "3"), (-2.5, "-3"), (1e300, "1.00e+300"), (-1e300, "-1.00e+300")])
def test_a_half_goes_up_and_nonsense_is_survived(value: float, text: str) -> None:
    assert fixed(value, 0) == text


def test_an_interval_has_signs() -> None:
    assert say_interval((-1.0, 2.0)) == "[\N{MINUS SIGN}1.0, +2.0]"
    assert say_interval(None) == ""


@pytest.mark.parametrize(("path", "dash"), [("published-proxy-ipv6", "proxy"), ("loopback", ""), ("what is it", "")])
def test_a_way_has_a_dash_of_its_own(path: str, dash: str) -> None:
    assert dash_of(path) == dash


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.5e9, "2017-07-14"), (-1e300, "1970-01-01"), (1e300, "9999-12-31"), (253402300800.0, "9999-12-31")],
)
def test_a_moment_is_one_that_the_calendar_has(seconds: float, text: str) -> None:
    assert f"{moment_of(seconds):%Y-%m-%d}" == text
