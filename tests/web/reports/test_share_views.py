"""Links to reports: shown once, opened without a session, revoked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import Annotation, Report, Share
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from tests.support.reports import make_file
from tests.web.reports.pages import HERE, get, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def make_link(owner: Client, report: str, **typed: str) -> str:
    """Creates a link; returns its path."""
    answer = owner.post(f"/reports/{report}/share/", {"days": "7", **typed}, **HERE)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    found = re.search(r"http://127\.0\.0\.1(/r/[\w-]{22}/)<", answer.content.decode())
    assert found is not None
    return found[1]


def test_a_link_is_shown_once_and_opens_without_a_session(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    assert path.split("/")[2] not in get(owner, f"/reports/{report}/share/")
    answer = Client().get(path, **HERE)
    assert answer.status_code == 200
    assert "Host or bridge" in answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'; script-src 'sha256-")
    assert "allow-same-origin" not in policy
    assert "unsafe" not in policy
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex"
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


def test_a_link_begins_with_an_address_that_others_can_open(owner: Client, report: str, settings: object) -> None:
    """Also if the page was opened at an address that only this machine can open."""
    warning = "Only this machine can open this address."
    assert warning not in get(owner, f"/reports/{report}/share/")
    page = owner.post(f"/reports/{report}/share/", {"days": "7"}, **HERE).content.decode()
    assert "<code>http://127.0.0.1/r/" in page
    assert warning in page
    settings.CSRF_TRUSTED_ORIGINS = ["https://class.example.org"]  # type: ignore[attr-defined]
    page = owner.post(f"/reports/{report}/share/", {"days": "7"}, **HERE).content.decode()
    assert "<code>https://class.example.org/r/" in page
    assert warning not in page


def test_an_anonymised_link_shows_no_detail_of_the_preview(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/share/")
    assert all(f"<code>{detail}</code>" in page for detail in ("lab-1", "172.17.0.2"))
    document = Client().get(make_link(owner, report, scrub="on"), **HERE).content.decode()
    complete = Client().get(make_link(owner, report), **HERE).content.decode()
    assert "machine details removed" in document
    for detail in ("lab-1", "Ada", "inst234567", "172.17.0.2", "706cad676bae"):
        assert detail in complete
        assert detail not in document
    assert "Docker Engine 26.1.5" in document


def test_an_anonymised_link_has_no_command_for_the_hash_because_its_content_has_no_json_file(
    owner: Client, report: str
) -> None:
    anonymised = Client().get(make_link(owner, report, scrub="on"), **HERE).content.decode()
    complete = Client().get(make_link(owner, report), **HERE).content.decode()
    assert (anonymised.count("| sha256sum"), complete.count("| sha256sum")) == (0, 1)
    assert "sha256:" in anonymised


def test_only_a_get_counts_as_a_view(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    for method in ("get", "head", "head", "get"):
        assert getattr(Client(), method)(path, **HERE).status_code == 200
    (link,) = report_shares.shares_of(report)
    assert link.views == 2
    assert "2 views" in text_of(get(owner, f"/reports/{report}/share/"))


def test_every_invalid_link_gets_the_same_response(
    owner: Client, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    revoked, expired, deleted = (make_link(owner, report) for _ in range(3))
    shares = list(Share.objects.order_by("pk"))
    answer = owner.post(f"/reports/{report}/shares/{shares[0].pk}/revoke/", **HERE)
    assert answer.status_code == 302
    Share.objects.filter(pk=shares[1].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    paths = [revoked, expired, "/r/" + "A" * 22 + "/", "/r/short/", "/r/" + "%C3%BC" * 22 + "/"]
    answers = [Client().get(path, **HERE) for path in paths]
    saved_reports.delete(report)
    answers.append(Client().get(deleted, **HERE))
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert len({tuple(sorted(one.headers.items())) for one in answers}) == 1
    assert not any(one.cookies for one in answers)
    assert "/r/" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/r/", "/r", "/r/{0}", "/r/{0}/x", "/r/{0}/track/", "/r//", "/R/{0}/", "/reports/{1}/", "/r/{0}/../"]
)
def test_a_token_opens_nothing_but_its_link(owner: Client, report: str, path: str) -> None:
    token = make_link(owner, report).split("/")[2]
    answer = Client().get(path.format(token, report), **HERE)
    assert answer.status_code in {301, 401, 404}
    assert "Host or bridge" not in answer.content.decode()


def test_a_link_permits_nothing_but_reading(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    before = (list(Report.objects.values()), list(Annotation.objects.values()), Share.objects.count())
    parts = ("", "track/", "annotate/", "archive/", "delete/", "undelete/", "share/", "shares/1/revoke/", "export.json")
    own = [f"/reports/{report}/{part}" for part in parts]
    elsewhere = ["/reports/", "/reports/import/", "/", "/experiments/", "/api/reports", f"/api/reports/{report}"]
    for address in (*own, *elsewhere):
        for method in ("get", "post", "put", "patch", "delete", "head", "options"):
            answer = getattr(Client(), method)(address, **HERE)
            assert answer.status_code in {401, 403, 405}, (method, address)
            assert b"Host or bridge" not in answer.content
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(Client(), method)(path, **HERE).status_code == 405
    assert (list(Report.objects.values()), list(Annotation.objects.values()), Share.objects.count()) == before


def test_a_link_needs_a_listed_duration(owner: Client, report: str) -> None:
    for days in ("", "-1", "2", "1e9", "x"):
        answer = owner.post(f"/reports/{report}/share/", {"days": days}, **HERE)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.content.decode()
    assert not Share.objects.exists()


@pytest.mark.parametrize(("days", "ends"), [("7", True), ("0", False)])
def test_a_link_expires_after_the_chosen_duration(owner: Client, report: str, days: str, ends: bool) -> None:
    make_link(owner, report, days=days)
    (link,) = report_shares.shares_of(report)
    assert (link.expires_at is not None) is ends
    if link.expires_at is not None:
        assert timedelta(days=6, hours=23) < link.expires_at - timezone.now() <= timedelta(days=7)


def test_a_link_is_revoked_only_through_its_own_report(owner: Client, report: str) -> None:
    make_link(owner, report)
    other = saved_reports.import_file(make_file())
    (link,) = report_shares.shares_of(report)
    for address in (f"/reports/{other}/shares/{link.id}/revoke/", f"/reports/{report}/shares/9x/revoke/"):
        assert owner.post(address, **HERE).status_code == 404
    assert report_shares.shares_of(report)[0].live
    assert owner.post(f"/reports/{report}/shares/{link.id}/revoke/", **HERE).status_code == 302
    assert "revoked" in text_of(get(owner, f"/reports/{report}/share/"))
