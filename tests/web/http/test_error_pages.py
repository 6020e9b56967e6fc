"""Responses to unexpected errors."""

from __future__ import annotations

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, InterfaceError, OperationalError

from tests.web.asgi_client import Person, http

pytestmark = pytest.mark.django_db(transaction=True)
FAILURES = [
    (OperationalError("server closed the connection unexpectedly"), 503, "Database unavailable"),
    (InterfaceError("connection already closed"), 503, "Database unavailable"),
    (DatabaseError("database disk image is malformed"), 503, "Database unavailable"),
    (ZeroDivisionError("division by zero"), 500, "Server error"),
]


@pytest.fixture(params=FAILURES, ids=lambda one: type(one[0]).__name__)
def failing(request: pytest.FixtureRequest, me: Person, monkeypatch: pytest.MonkeyPatch) -> tuple[Person, int, str]:
    """A browser with a session that cannot be read."""
    error, status, sentence = request.param

    def load(_store: SessionStore) -> dict[str, object]:
        raise error

    monkeypatch.setattr(SessionStore, "load", load)
    return me, status, sentence


async def test_a_page_shows_the_error_and_what_to_do(
    failing: tuple[Person, int, str], caplog: pytest.LogCaptureFixture
) -> None:
    me, status, sentence = failing
    caplog.clear()
    answer = await http("GET", "/", who=me)
    assert answer.status == status
    assert f'<h1 id="message-title">{sentence}</h1>' in answer.text
    assert "Traceback" not in answer.text
    assert (answer["retry-after"] == "5") == (status == 503)
    assert "content-security-policy" in dict(answer.headers)
    assert any(record.exc_info for record in caplog.records) == (status == 500), "one line without a traceback"


async def test_the_api_answers_in_json(failing: tuple[Person, int, str]) -> None:
    me, status, sentence = failing
    answer = await http("GET", "/api/experiments", who=me)
    assert answer.status == status
    assert answer.json["detail"].startswith(sentence)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OperationalError("database is locked"), "Another process holds the database. Nothing was changed."),
        (OperationalError("database or disk is full"), "Free space on it"),
        (DatabaseError("database disk image is malformed"), "restore a backup"),
    ],
)
async def test_the_reason_and_what_to_do_are_stated(
    me: Person, monkeypatch: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    def load(_store: SessionStore) -> dict[str, object]:
        raise error

    monkeypatch.setattr(SessionStore, "load", load)
    assert advice in (await http("GET", "/", who=me)).text
    assert advice in (await http("GET", "/api/experiments", who=me)).json["detail"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/experiments/nobody/", "No experiment has this id."),
        ("/measurements/nobody/", "No measurement has this id."),
        ("/reports/nobody/", "There is no report with this id."),
        ("/nowhere/", "No page has this address."),
    ],
)
async def test_a_missing_page_names_its_kind_and_leads_to_the_lists(me: Person, path: str, sentence: str) -> None:
    answer = await http("GET", path, who=me)
    assert answer.status == 404
    assert f"<p>{sentence}</p>" in answer.text
    message = answer.text.partition('aria-labelledby="message-title"')[2].partition("</section>")[0]
    for url in ("/", "/measurements/", "/reports/", "/sessions/"):
        assert f'<a href="{url}">' in message
