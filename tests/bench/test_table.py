"""dashboard.bench.table."""

from __future__ import annotations

import pytest

from dashboard.bench.statistics import (
    Figure,
    Report,
    Result,
    Verdict,
    at_most,
    between,
    compared,
    figure,
    ratio_at_most,
    within_factor,
)
from dashboard.bench.table import describe_promise, figure_lines, format_amount, format_interval, report_text


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.2834, "", "0.283"),
        (5.0, "ms", "5.00 ms"),
        (56.449, "KB", "56.4 KB"),
        (99.94, "ms", "99.9 ms"),
        (99.96, "ms", "100 ms"),
        (438.49, "ms", "438 ms"),
        (12345.6, "", "12,346"),
        (0.0, "", "0.00"),
        (float("inf"), "", "inf"),
    ],
)
def test_amounts_have_three_significant_digits(value: float, unit: str, expected: str) -> None:
    assert format_amount(value, unit) == expected


def test_an_interval_has_both_ends() -> None:
    assert format_interval((1.0, 23.456)) == "[1.00 … 23.5]"


def test_a_long_reference_is_separated_from_its_value() -> None:
    name = "docker network create, then four docker run -d at once"
    assert f"    {name}  2.00 ms" in list(figure_lines(compared("a", "ms", [(1.0, 2.0), (1.0, 2.0)], name)))


def test_a_promise_is_shown_with_its_verdict() -> None:
    pairs = [(1.0, 1.0), (1.0, 1.0)]
    assert describe_promise(compared("a", "ms", pairs, "b", promise=ratio_at_most(1.1))) == "ratio ≤ 1.1: kept"
    assert describe_promise(figure("a", "ms", [7.0], percent=99, promise=at_most(5))) == "p99 ≤ 5 ms: not kept"
    assert describe_promise(figure("a", "ms", [7.0])) == ""
    assert describe_promise(figure("a", "%", [94.0], promise=between(93, 97))) == "93 ≤ median ≤ 97 %: kept"
    assert (
        describe_promise(compared("a", "ms", pairs, "b", promise=within_factor(1.05))) == "0.952 ≤ ratio ≤ 1.05: kept"
    )


def test_a_figure_shows_its_reference_and_the_interval_of_the_ratio() -> None:
    text = "\n".join(figure_lines(compared("launch", "ms", [(438.0, 416.0), (420.0, 400.0)], "docker run")))
    assert "median of 2" in text
    assert "429 ms  [420 … 438]" in text
    assert "docker run" in text
    assert "408 ms" in text
    assert "1.05" in text


def test_one_measurement_has_no_interval() -> None:
    text = "\n".join(figure_lines(figure("size", "KB", [55.0])))
    assert "[" not in text


def report(*results: Result, **options: object) -> Report:
    kept = all(one.kept for one in results) and not options.get("failed")
    return Report("2026-01-02 03:04 UTC", {"kernel": "Linux 6"}, results, kept=kept, **options)  # type: ignore[arg-type]


def test_the_last_line_of_a_report_tells_whether_every_promise_is_kept() -> None:
    kept = Result("page", "Page", "at most 1", (figure("a", "ms", [1.0], promise=at_most(1.0)),))
    broken = Result("page", "Page", "at most 1", (figure("a", "ms", [2.0], promise=at_most(1.0)),))
    assert report_text(report(kept)).splitlines()[-1] == "Every promise is kept."
    assert report_text(report(kept, broken)).splitlines()[-1] == "NOT every promise is kept."
    assert "Promise: at most 1. NOT KEPT." in report_text(report(broken))
    assert "Promise: at most 1. Kept." in report_text(report(kept))


def test_a_promise_without_a_verdict_is_not_reported_as_kept() -> None:
    one = Result("page", "Page", "at most 1", (figure("a", "ms", [2.0]),))
    assert "Promise: at most 1. Not judged." in report_text(report(one))


def test_a_benchmark_that_could_not_be_measured_is_named() -> None:
    text = report_text(report(failed={"launch": "it took longer than 240 s"}))
    assert "launch could not be measured: it took longer than 240 s" in text
    assert "NOT every promise is kept." in text


def test_every_note_and_every_fact_of_the_machine_is_shown() -> None:
    text = report_text(report(Result("idle", "Idle", "little", (), ("20 columns", "2 rounds")), quick=True))
    assert "· 20 columns\n  · 2 rounds" in text
    assert "kernel       Linux 6" in text
    assert "2026-01-02 03:04 UTC, quick" in text


def test_lines_fit_a_terminal() -> None:
    one = Figure("x", "median", "ms", 3, 1.0, (1.0, 1.0), "y", 1.0, 1.0, (1.0, 1.0), at_most(1), Verdict.KEPT)
    assert max(map(len, figure_lines(one))) <= 100
