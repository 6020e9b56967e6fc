"""Figures in words: the same as in the browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboard.core.measurements import formatting
from dashboard.core.measurements.formatting import (
    MINUS,
    NOTHING,
    fixed,
    format_difference,
    format_duration,
    format_interval,
    format_lower_bound,
    format_micros,
    format_offset,
    format_rate,
    format_upper_bound,
    micros,
    mode_of,
    moment_of,
    signed,
)

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "js/measure_vectors.json").read_text())


def test_figures_are_those_of_the_browser() -> None:
    assert [micros(value) for value, _text in VECTORS["micros"]] == [text for _, text in VECTORS["micros"]]
    assert [signed(value) for value, _text in VECTORS["signed"]] == [text for _, text in VECTORS["signed"]]


def test_the_mode_of_a_column_follows_from_its_key_unless_it_is_given() -> None:
    assert mode_of("bridge-2") == "bridge"
    assert mode_of("user-bridge") == "user-bridge"
    assert mode_of("web") == "machine"
    assert mode_of("web", {"web": "macvlan"}) == "macvlan"


@pytest.mark.parametrize(
    ("value", "text"), [(870.4e6, "870 MB/s"), (1e9, "1.00 GB/s"), (3.214e9, "3.21 GB/s"), (None, "")]
)
def test_throughput_has_a_unit(value: float | None, text: str) -> None:
    assert format_rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "3"),
        (-2.5, "-3"),
        (1e300, "1.00e+300"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1.00e+15"),
        (-1e300, "-1.00e+300"),
    ],
)
def test_halves_round_up_and_any_value_is_formatted(value: float, text: str) -> None:
    assert fixed(value, 0) == text


def test_an_interval_has_signs() -> None:
    assert format_interval((-1.0, 2.0)) == "[\N{MINUS SIGN}1.00, +2.00]"
    assert format_interval(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.5e9, "2017-07-14"), (-1e300, "1970-01-01"), (1e300, "9999-12-31"), (253402300800.0, "9999-12-31")],
)
def test_a_moment_outside_the_calendar_is_clamped(seconds: float, text: str) -> None:
    assert f"{moment_of(seconds):%Y-%m-%d}" == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (134, "2 min 14 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (11_159, "3 h 5 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (190_799, "2 d 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.000"),
        (0.0814, "0.081"),
        (9.999, "9.999"),
        (10, "10.0"),
        (132.74, "132.7"),
        (599.94, "599.9"),
        (600, "10:00"),
        (1205, "20:05"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (12_005, "3:20:05"),
    ],
)
def test_an_offset_has_fewer_decimals_the_longer_it_is(seconds: float, text: str) -> None:
    assert format_offset(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("not timed", ""),
        (18.4, "18 µs"),
        (999.4, "999 µs"),
        (1000, "1.0 ms"),
        (1949, "1.9 ms"),
        (999_940, "999.9 ms"),
        (1_000_000, "1.00 s"),
        (2_041_000, "2.04 s"),
    ],
)
def test_a_time_is_shown_in_the_largest_unit_that_leaves_a_whole_part(value: float | str | None, text: str) -> None:
    assert format_micros(value) == text


@pytest.mark.parametrize(
    ("value", "text", "with_sign"),
    [
        (0.004, "0.0", "0.00"),
        (0.06, "0.1", "+0.06"),
        (-9.994, f"{MINUS}10.0", f"{MINUS}9.99"),
        (-999.9, f"{MINUS}999.9", f"{MINUS}999.9"),
        (1000.4, "1000", "+1000"),
    ],
)
def test_a_time_has_one_decimal_below_a_thousand_and_a_difference_two_below_ten(
    value: float, text: str, with_sign: str
) -> None:
    assert (micros(value), signed(value)) == (text, with_sign)
    assert format_difference(value) == with_sign.replace("+", "").replace(MINUS, "-")


@pytest.mark.parametrize(
    ("value", "lower", "upper"),
    [
        (0.0, "0.00", "0.00"),
        (0.036, "0.03", "0.04"),
        (0.2, "0.20", "0.20"),
        (1.1, "1.10", "1.10"),
        (-0.041, "-0.05", "-0.04"),
        (29.46, "29.4", "29.5"),
        (1500.4, "1500", "1501"),
        (1e15, "1.00e+15", "1.00e+15"),
    ],
)
def test_a_bound_that_is_rounded_remains_a_bound(value: float, lower: str, upper: str) -> None:
    assert (format_lower_bound(value), format_upper_bound(value)) == (lower, upper)


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(-0.004, 2, "0.00"), (-3.456, 2, f"{MINUS}3.46"), (1500.0, 1, "+1500.0")]
)
def test_a_sign_has_one_form_at_any_precision(value: float, digits: int, text: str) -> None:
    assert signed(value, digits) == text


def test_no_text_of_core_formats_a_sign_in_another_way() -> None:
    core = Path(formatting.__file__).parents[1]
    texts = {path.relative_to(core): path.read_text() for path in core.rglob("*.py")}
    assert [str(path) for path, text in texts.items() if re.search(r":[+][.\d]*[fgd]\}", text)] == []


def test_a_missing_measurement_is_a_dash() -> None:
    assert micros(None) == NOTHING


def test_a_given_mode_that_is_unknown_is_the_machines() -> None:
    assert mode_of("bridge", {"bridge": "vlan"}) == "machine"
    assert mode_of("host", {"bridge": "macvlan"}) == "host"
