"""A measurement on a terminal."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.measurement import (
    ComparisonResult,
    Environment,
    Measurement,
    Probe,
    SeriesResult,
    Stop,
)
from dashboard.core.measurements.text import bar, measurement_text, micros, say_comparison


def series(column: str, path: str, p50: float | None, **more: object) -> SeriesResult:
    n = 100 if p50 is not None else 0
    fields: dict[str, object] = {"key": f"{column}/{path}", **more}
    return SeriesResult(column, path, Probe.TCP_RR, n, p50, p50, p50, p50, p50, p50, **fields)  # type: ignore[arg-type]


def verdict(**more: object) -> ComparisonResult:
    fields: dict[str, object] = {
        "delta_us": 30.0,
        "ci95_us": (29.5, 30.4),
        "verdict": "slower",
        "reason": "it is",
        **more,
    }
    return ComparisonResult("host/loopback", "bridge/published-proxy", Probe.TCP_RR, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "largest", "expected"),
    [(0, 10, ""), (10, 10, "████"), (5, 10, "██"), (20, 10, "████"), (1, 0, ""), (1.25, 10, "▌")],
)
def test_a_bar_is_as_long_as_its_share_to_an_eighth_of_a_cell(value: float, largest: float, expected: str) -> None:
    assert bar(value, largest, 4) == expected


def test_nothing_is_a_dash() -> None:
    assert micros(None) == "-"
    assert micros(1.26) == "1.3"


def test_each_series_has_a_line_and_what_is_missing_its_reason() -> None:
    found = Measurement(
        Environment(),
        (
            series("host", "loopback", 10.0),
            series("bridge", "published-proxy", 40.0),
            series("host", "published-dnat", None, unavailable="the Engine discarded -p"),
            series("bridge", "bridge-address", None, errors=("refused",)),
        ),
        (verdict(cause="docker-proxy copies each byte"),),
        seed=7,
        elapsed_s=3.0,
        stopped=Stop.TIME,
        stop_reason="The time of 3 s is up.",
    )
    text = measurement_text(found)
    lines = {line.split("  ")[0]: line for line in text.splitlines() if line}
    assert "10.0" in lines["host/loopback"]
    assert lines["bridge/published-proxy"].count("█") == 24
    assert "not here: the Engine discarded -p" in lines["host/published-dnat"]
    assert "nothing measured: refused" in lines["bridge/bridge-address"]
    assert "+30.00 µs, 95 % interval [+29.50, +30.40]: slower; docker-proxy copies each byte." in text
    assert text.endswith("The time of 3 s is up. Seed 7, 3.0 s.")


def test_a_verdict_without_an_interval_says_only_its_reason() -> None:
    text = say_comparison(verdict(delta_us=None, ci95_us=None, verdict="inconclusive", reason="too few blocks"))
    assert text == "bridge/published-proxy against host/loopback: inconclusive, too few blocks."


def test_what_a_container_says_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in say_comparison(verdict(cause="", reason="\x1b[2J"))
