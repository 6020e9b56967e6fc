"""Fixtures of the reports' tests."""

from __future__ import annotations

import pytest

from dashboard.store.reports import saved as saved_reports
from tests.support.reports import make_file


@pytest.fixture
def report() -> str:
    """The id of a saved report."""
    return saved_reports.import_file(make_file())
