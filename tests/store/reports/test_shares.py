"""dashboard.store.reports.shares: a link opens its document until it ends; the database holds no token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.models import Share
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from dashboard.store.reports.listing import ReportNotFoundError
from tests.support.reports import make_file

pytestmark = pytest.mark.django_db
DOCUMENT = b"<!doctype html>" + b"report " * 1000


@pytest.fixture
def report() -> str:
    return saved_reports.import_file(make_file())


def test_a_token_opens_its_document_and_is_counted(report: str) -> None:
    token = report_shares.create(report, DOCUMENT, expires_at=None, scrubbed=True)
    assert [report_shares.open_share(token) for _ in range(3)] == [DOCUMENT] * 3
    (link,) = report_shares.shares_of(report)
    assert (link.views, link.scrubbed, link.live) == (3, True, True)


def test_a_token_has_128_bits_and_only_its_hash_is_stored(report: str) -> None:
    tokens = {report_shares.create(report, b"x", expires_at=None, scrubbed=False) for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {22}
    kept = repr(list(Share.objects.values()))
    assert not [token for token in tokens if token in kept]


@pytest.mark.parametrize("wrong", ["", "x" * 22, "x" * 10_000, "\0" * 22, "ü" * 22])
def test_an_unknown_token_opens_nothing(report: str, wrong: str) -> None:
    report_shares.create(report, DOCUMENT, expires_at=None, scrubbed=False)
    assert report_shares.open_share(wrong) is None


def test_a_link_ends_by_expiry_by_revocation_and_with_its_report(report: str) -> None:
    now = timezone.now()
    past = report_shares.create(report, DOCUMENT, expires_at=now - timedelta(seconds=1), scrubbed=False)
    ahead = report_shares.create(report, DOCUMENT, expires_at=now + timedelta(hours=1), scrubbed=False)
    assert report_shares.open_share(past) is None
    assert report_shares.open_share(ahead) == DOCUMENT
    saved_reports.delete(report)
    assert report_shares.open_share(ahead) is None
    with pytest.raises(ReportNotFoundError):
        report_shares.create(report, DOCUMENT, expires_at=None, scrubbed=False)
    saved_reports.undelete(report)
    assert report_shares.open_share(ahead) == DOCUMENT
    link = next(one for one in report_shares.shares_of(report) if one.live)
    assert not report_shares.revoke(link.id, "another")
    assert report_shares.revoke(link.id, report)
    assert not report_shares.revoke(link.id)
    assert report_shares.open_share(ahead) is None
    assert bytes(Share.objects.get(pk=link.id).document) == b""


def test_the_links_of_a_report_are_listed_newest_first(report: str) -> None:
    report_shares.create(report, b"1", expires_at=None, scrubbed=False)
    report_shares.create(report, b"2", expires_at=None, scrubbed=True)
    assert [one.scrubbed for one in report_shares.shares_of(report)] == [True, False]
    assert report_shares.shares_of(saved_reports.import_file(make_file())) == ()
