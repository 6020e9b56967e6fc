"""dashboard.store.reports.listing: the cost of a list. tests/store/reports/test_saved.py covers the search."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import saved as saved_reports
from tests.support.reports import make_content, make_file


@pytest.mark.django_db
def test_a_list_reads_no_contents_and_needs_the_same_queries_for_one_report_and_many() -> None:
    counts = []
    for _ in range(2):
        saved_reports.import_file(make_file(make_content(runs=())))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            report_listing.find_reports("bridge")
        counts.append(len(queries))
        assert not [one["sql"] for one in queries if '"body"' in one["sql"] or '"track"' in one["sql"]]
    assert counts[0] == counts[1]
