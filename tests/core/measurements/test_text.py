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
from dashboard.core.measurements.text import bar, describe_comparison, measurement_text, micros


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


def test_a_missing_time_is_a_dash() -> None:
    assert micros(None) == "-"
    assert micros(1.26) == "1.3"


def test_each_series_has_a_line_and_a_missing_one_its_reason() -> None:
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
    assert "unavailable: the Engine discarded -p" in lines["host/published-dnat"]
    assert "nothing measured: refused" in lines["bridge/bridge-address"]
    assert "+30.00 µs, 95 % interval [+29.50, +30.40]: slower; docker-proxy copies each byte." in text
    assert text.endswith(
        "\n\nConditions: quiet (real-time priority, cores kept awake).\nThe time of 3 s is up. Seed 7, 3.0 s."
    )


def test_a_verdict_without_an_interval_has_only_its_reason() -> None:
    text = describe_comparison(verdict(delta_us=None, ci95_us=None, verdict="inconclusive", reason="too few blocks"))
    assert text == "bridge/published-proxy against host/loopback: inconclusive, too few blocks."


def test_text_from_a_container_does_not_control_the_terminal() -> None:
    assert "\x1b" not in describe_comparison(verdict(cause="", reason="\x1b[2J"))


def test_the_table_is_as_wide_as_its_longest_name() -> None:
    found = Measurement(
        Environment(), (series("a", "b", 10.0), series("bridge", "published-dnat", 20.0, key="")), (), seed=1
    )
    head, first, second, *_ = measurement_text(found).splitlines()
    width = len("bridge/published-dnat") + 1
    assert head.index("p50") == width + 4
    assert first.index("10.0") == second.index("20.0") == width + 6
    assert (first.count("█"), second.count("█")) == (12, 24)
    assert first.split()[:6] == ["a/b", "10.0", "10.0", "10.0", "10.0", "100"]


def test_a_run_that_is_not_over_is_described_as_such() -> None:
    last = measurement_text(Measurement(Environment(), (), (), seed=3, elapsed_s=1.26)).splitlines()[-1]
    assert last.endswith("Seed 3, 1.3 s.")
    assert last != "Seed 3, 1.3 s."
    over = measurement_text(Measurement(Environment(), (), (), seed=3, elapsed_s=1.26, stop_reason="Over."))
    assert over.endswith("Over. Seed 3, 1.3 s.")


def test_a_comparison_has_its_cause_or_its_reason_or_neither() -> None:
    assert describe_comparison(verdict(cause="because")).endswith("slower; because.")
    assert describe_comparison(verdict()).endswith("slower; it is.")
    assert describe_comparison(verdict(reason="")).endswith("slower.")
    assert describe_comparison(verdict(delta_us=1.0, ci95_us=None)).endswith("slower, it is.")
    assert describe_comparison(verdict(delta_us=None)).endswith("slower, it is.")


def test_a_bar_never_leaves_its_cells() -> None:
    assert bar(-1.0, 10, 4) == ""
    assert bar(1.0, -1.0, 4) == ""
    assert bar(10.0, 10.0) == "█" * 24
