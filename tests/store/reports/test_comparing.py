"""dashboard.store.reports.comparing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.core.reports.model import canonical, experiment_signature, frame
from dashboard.store.reports import comparing as report_comparing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ReportNotFoundError
from tests.support.reports import AT, make_content, make_run

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
    assert found.same_count > 20


def test_a_missing_report_cannot_be_compared() -> None:
    with pytest.raises(ReportNotFoundError):
        report_comparing.compare([save("one"), "nobody"])


def test_figures_are_read_without_the_journal() -> None:
    figures = report_comparing.load_figures(save("one", changes=6))
    assert figures.title == "one"
    assert len(figures.measurements[0].blocks) == 36


CONTENT = make_content(2, runs=[make_run(rounds=8)])
assert CONTENT.experiment is not None
SIGNATURE = experiment_signature(CONTENT.experiment.spec)


def save_day(day: int, port: int = 80) -> str:
    assert CONTENT.experiment is not None
    spec = replace(CONTENT.experiment.spec, port=port, title=f"day {day}")
    content = replace(
        CONTENT, title=f"day {day}", saved_at=AT + 86_400 * day, experiment=replace(CONTENT.experiment, spec=spec)
    )
    return saved_reports.import_file(frame(canonical(content)))


def test_a_trend_has_the_reports_of_one_experiment() -> None:
    later, first = save_day(5), save_day(1)
    save_day(2, port=8080)
    gone = save_day(3)
    saved_reports.delete(gone)
    archived = save_day(4)
    saved_reports.archive(archived)
    with CaptureQueriesContext(connection) as queries:
        trend = report_comparing.load_trend(SIGNATURE)
    assert len(queries) == 1
    assert trend is not None
    assert [one.id for one in trend.entries] == [first, archived, later]
    assert [line.points.count(",") for line in trend.charts[0].drawing.lines] == [3, 3, 3]


@pytest.mark.parametrize("signature", ["", "0" * 16, "'; --"])
def test_a_signature_without_reports_has_no_trend(signature: str) -> None:
    save_day(1)
    assert report_comparing.load_trend(signature) is None
