"""dashboard.store.reports.trends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.core.reports.model import canonical, experiment_signature, frame
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.trends import load_trend
from tests.reports import AT, make_content, make_run

pytestmark = pytest.mark.django_db
CONTENT = make_content(2, runs=[make_run(rounds=8)])
assert CONTENT.experiment is not None
SIGNATURE = experiment_signature(CONTENT.experiment.spec)


def save(day: int, port: int = 80) -> str:
    assert CONTENT.experiment is not None
    spec = replace(CONTENT.experiment.spec, port=port, title=f"day {day}")
    content = replace(
        CONTENT, title=f"day {day}", saved_at=AT + 86_400 * day, experiment=replace(CONTENT.experiment, spec=spec)
    )
    return saved_reports.import_file(frame(canonical(content)))


def test_a_trend_has_the_reports_of_one_experiment() -> None:
    later, first = save(5), save(1)
    save(2, port=8080)
    gone = save(3)
    saved_reports.delete(gone)
    archived = save(4)
    saved_reports.archive(archived)
    with CaptureQueriesContext(connection) as queries:
        trend = load_trend(SIGNATURE)
    assert len(queries) == 1
    assert trend is not None
    assert [one.id for one in trend.entries] == [first, archived, later]
    assert [line.points.count(",") for line in trend.charts[0].drawing.lines] == [3, 3, 3]


@pytest.mark.parametrize("signature", ["", "0" * 16, "'; --"])
def test_a_signature_without_reports_has_no_trend(signature: str) -> None:
    save(1)
    assert load_trend(signature) is None
