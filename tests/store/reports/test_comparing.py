"""dashboard.store.reports.comparing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.reports.model import canonical, frame
from dashboard.store.reports import comparing as report_comparing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ReportNotFoundError
from tests.reports import make_content, make_run

pytestmark = pytest.mark.django_db


def save(title: str, centers: tuple[float, ...] = (16.0, 18.0, 43.0), changes: int = 4, **more: object) -> str:
    content = make_content(changes, runs=[make_run(centers=centers)], title=title, **more)
    return saved_reports.import_file(frame(canonical(content)))


def test_two_saved_reports_are_compared() -> None:
    content = make_content(2)
    slower = replace(content.environment, kernel="7.0")
    found = report_comparing.compare([save("before"), save("after", (20.0, 24.0, 60.0), environment=slower)])
    assert [one.title for one in found.reports] == ["before", "after"]
    assert len(found.latency) == 3
    assert {one.verdict for row in found.latency for one in row.changes} == {"slower"}
    assert {one.suspects for row in found.latency for one in row.changes} == {("kernel",)}
    assert [row.key for row in found.environment if row.differs] == ["kernel"]
    assert found.changes == ()
    assert found.same_rows > 20


def test_a_missing_report_cannot_be_compared() -> None:
    with pytest.raises(ReportNotFoundError):
        report_comparing.compare([save("one"), "nobody"])


def test_figures_are_read_without_the_journal() -> None:
    figures = report_comparing.load_figures(save("one", changes=6))
    assert figures.title == "one"
    assert len(figures.measurements[0].blocks) == 36
