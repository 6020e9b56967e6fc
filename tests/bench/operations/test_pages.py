"""dashboard.bench.operations.pages: figures and notes from Lighthouse's visits."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations import pages
from dashboard.bench.statistics import Verdict


def visited(name: str, performance: int, size: int, *findings: str) -> pages.Visit:
    return pages.Visit(
        name, {"performance": performance, "accessibility": 100, "best-practices": 100}, 20, size, findings
    )


def test_a_page_is_judged_by_the_median_of_its_visits() -> None:
    visits = (
        visited("home", 90, 90_000),
        visited("participant", 99, 120_001),
        visited("home", 97, 90_000),
        visited("home", 98, 91_000),
    )
    found = {one.name: one for one in pages.figures_of(visits)}
    assert len(found) == 8
    assert found["home: performance"].value == 97
    assert found["home: performance"].verdict is Verdict.KEPT_BARELY
    assert found["home: first load"].value == 90
    assert found["home: first load"].verdict is Verdict.KEPT
    assert found["participant: first load"].verdict is Verdict.BROKEN


def test_notes_contain_each_audit_below_90_once() -> None:
    visits = (
        visited("home", 90, 1, "unused-css 3 KiB"),
        visited("home", 90, 1, "unused-css 3 KiB"),
        visited("participant", 99, 1),
    )
    assert pages.notes_of(visits) == [
        "home: 20 requests; unused-css 3 KiB",
        "participant: 20 requests; no audit below 90",
    ]


def test_a_missing_tool_is_an_error_that_tells_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETMODES_NODE_MODULES", str(tmp_path))
    with pytest.raises(BenchmarkError, match="bench pages installs them"):
        pages.find_tools()
