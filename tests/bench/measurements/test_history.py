"""dashboard.bench.measurements.history, and the queries of its pages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.bench.measurements.history import PATHS, fill, signature_of
from dashboard.models import MeasurementBlock, MeasurementRun
from dashboard.store.measurements import history as measurement_history

pytestmark = pytest.mark.django_db


def queries_of(client: Client, path: str, **asked: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path, asked)
    assert answer.status_code == 200
    return len(captured)


def test_many_runs_cost_no_more_queries_than_few() -> None:
    client = Client()
    client.force_login(get_user_model().objects.create(username="owner"))
    asked = {"signature": signature_of(PATHS[0])}
    counts = []
    for more in (5, 45):
        fill(more, 2)
        counts.append((queries_of(client, "/measurements/history/", **asked), queries_of(client, "/measurements/")))
    assert MeasurementRun.objects.count() == 50
    assert counts[0] == counts[1]


def test_the_generated_history_has_a_run_a_day() -> None:
    fill(3, 2)
    points = measurement_history.history(signature_of(PATHS[0]))
    assert len(points) == 3
    assert MeasurementBlock.objects.count() == 3 * 2 * len(PATHS)
    moments = list(MeasurementRun.objects.order_by("created_at").values_list("created_at", flat=True))
    assert {(later - earlier).days for earlier, later in pairwise(moments)} == {1}
    assert {one["runs"] for one in measurement_history.signatures()} == {3}
