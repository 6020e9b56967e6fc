"""dashboard.bench.operations.pages: what becomes of Lighthouse's answers. The visits themselves are the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.bench.operations import pages
from dashboard.bench.statistics import Verdict


def seen(name: str, performance: int, size: int, *findings: str) -> pages.Seen:
    return pages.Seen(
        name, {"performance": performance, "accessibility": 100, "best-practices": 100}, 20, size, findings
    )


def test_a_page_is_judged_by_the_middle_of_its_visits() -> None:
    visits = (seen("home", 90, 90_000), seen("seat", 99, 150_001), seen("home", 97, 90_000), seen("home", 98, 91_000))
    found = {one.name: one for one in pages._figures(visits)}
    assert len(found) == 8
    assert found["home: performance"].value == 97
    assert found["home: performance"].verdict is Verdict.KEPT_BARELY
    assert found["home: first load"].value == 90
    assert found["home: first load"].verdict is Verdict.KEPT
    assert found["seat: first load"].verdict is Verdict.BROKEN


def test_notes_name_what_is_not_good_once() -> None:
    visits = (seen("home", 90, 1, "unused-css 3 KiB"), seen("home", 90, 1, "unused-css 3 KiB"), seen("seat", 99, 1))
    assert pages._notes(visits) == ["home: 20 requests; unused-css 3 KiB", "seat: 20 requests; no audit below 90"]


def test_what_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETMODES_NODE_MODULES", str(tmp_path))
    with pytest.raises(pages.NoToolError, match="bench pages brings them"):
        pages.find_tools()
