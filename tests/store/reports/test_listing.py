"""What a list of reports costs: it never reads what is in them. What it finds is in test_reports."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import saved as saved_reports
from tests.reports import make_content, make_file


@pytest.mark.django_db
def test_a_list_reads_no_bodies_and_asks_as_often_for_many_as_for_one() -> None:
    asked = []
    for _ in range(2):
        saved_reports.import_file(make_file(make_content(runs=())))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            report_listing.find("bridge")
        asked.append(len(queries))
        assert not [one["sql"] for one in queries if '"body"' in one["sql"] or '"track"' in one["sql"]]
    assert asked[0] == asked[1]
