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


@pytest.mark.django_db
def test_deleted_reports_are_listed_the_last_deleted_first() -> None:
    first, second, kept = (saved_reports.import_file(make_file(make_content(runs=()))) for _ in range(3))
    for report in (second, first):
        saved_reports.delete(report)
    page = report_listing.find_deleted()
    assert [row.id for row in page.reports] == [first, second]
    assert all(row.deleted and row.deleted_at is not None for row in page.reports)
    assert report_listing.count_deleted() == page.total == 2
    assert report_listing.get_report(kept).deleted_at is None
