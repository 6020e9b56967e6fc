"""Saved reports beside each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.reports.model import canonical, frame
from dashboard.store.reports import comparing as report_comparing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import NoReportError
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
    assert {one.verdict for row in found.latency for one in row.later} == {"slower"}
    assert {one.suspects for row in found.latency for one in row.later} == {("kernel",)}
    assert [row.key for row in found.environment if row.differs] == ["kernel"]
    assert found.changes == ()
    assert found.same_rows > 20


def test_a_report_that_is_not_there_is_named_as_such() -> None:
    with pytest.raises(NoReportError):
        report_comparing.compare([save("one"), "nobody"])


def test_figures_are_read_without_the_journal() -> None:
    light = report_comparing.light(save("one", changes=6))
    assert light.title == "one"
    assert len(light.measurements[0].blocks) == 36
