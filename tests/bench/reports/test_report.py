"""dashboard.bench.reports.report and its synthetic report: it can be read, exported and compared."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from dashboard.bench.reports.report import save
from dashboard.bench.reports.synthetic_report import PATHS, make_journal, make_report
from dashboard.core.experiments.journal import replay
from dashboard.core.reports.model import canonical, frame
from dashboard.core.reports.validate import validate_file

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_journal_opens_and_closes_ports() -> None:
    journal = make_journal(50)
    assert [entry.seq for entry in journal] == list(range(1, 51))
    opened, closed = replay(journal[:-1]), replay(journal)
    assert len(opened.states["bridge"].listeners) == len(closed.states["bridge"].listeners) + 1


def test_the_report_can_be_imported() -> None:
    content = make_report(entries=20, rounds=3, requests=50)
    assert validate_file(frame(canonical(content)))[0] == content
    assert len(content.measurements[0].blocks) == 3 * len(PATHS)


def test_the_report_is_read_exported_and_compared_like_any_other() -> None:
    client = Client()
    client.force_login(get_user_model().objects.create(username="owner"))
    one, other = (save(make_report(seed, entries=20, rounds=12, requests=50)) for seed in (1, 2))
    for path in (f"/reports/{one}/", f"/reports/{one}/export.md", f"/reports/compare/?report={one}&report={other}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert b"published port (docker" in answer.content.replace(b"\\", b""), path
