"""The sign-in link works once, expires, and is neither logged nor stored."""

from __future__ import annotations

import hashlib
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client

from dashboard.models import SignInLink
from dashboard.store.operations.accounts import LINK_LIFETIME_S, make_token, redeem
from tests.web.asgi_client import HOST

CLOCK = "dashboard.store.operations.accounts.shared_clock"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST=HOST, enforce_csrf_checks=True)


def link() -> str:
    return f"/sign-in/?token={make_token()}"


def test_the_link_is_exchanged_for_a_session(browser: Client) -> None:
    answer = browser.get(link())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/").status_code == 200
    assert [user.username for user in get_user_model().objects.all()] == ["owner"]


def test_the_token_is_removed_from_the_url_and_from_referrers(browser: Client) -> None:
    answer = browser.get(link())
    assert "token" not in answer["Location"]
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert browser.get("/sign-in/?token=wrong").headers["Referrer-Policy"] == "no-referrer"


def test_a_link_works_once(browser: Client) -> None:
    address = link()
    assert browser.get(address).status_code == 302
    other = Client(HTTP_HOST=HOST)
    answer = other.get(address)
    assert answer.status_code == 401
    assert "was used or has expired" in answer.content.decode()
    assert "sessionid" not in other.cookies
    assert other.get("/").status_code == 401


def test_a_signed_in_user_with_a_used_link_stays_signed_in(browser: Client) -> None:
    address = link()
    browser.get(address)
    assert browser.get(address).status_code == 302
    assert browser.get("/").status_code == 200


def test_a_link_keeps_the_forms_of_a_signed_in_user_s_open_pages_valid(browser: Client) -> None:
    browser.get(link())
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/").content.decode())
    assert token is not None
    browser.get(link())
    assert browser.post("/sign-out/", {"csrfmiddlewaretoken": token[1]}).status_code == 200


def test_a_link_expires(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    address = link()
    made = SignInLink.objects.get()
    monkeypatch.setattr(CLOCK, lambda: made.created_at + LINK_LIFETIME_S + 1)
    assert browser.get(address).status_code == 401
    assert SignInLink.objects.get().used_at is None
    make_token()
    assert SignInLink.objects.count() == 1


def test_a_clock_that_was_set_back_does_not_make_a_link_work_twice(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = link()
    made = SignInLink.objects.get().created_at
    browser.get(address)
    for moment in (made - 3600, made + 3600):
        monkeypatch.setattr(CLOCK, lambda moment=moment: moment)
        assert Client(HTTP_HOST=HOST).get(address).status_code == 401


@pytest.mark.parametrize("method", ["head", "options", "post", "put"])
def test_only_a_get_request_uses_up_the_link(browser: Client, method: str) -> None:
    address = link()
    answer = getattr(browser, method)(address)
    assert answer.status_code in {401, 403, 405}
    assert SignInLink.objects.get().used_at is None
    assert browser.get(address).status_code == 302


def test_only_the_digest_is_stored() -> None:
    token = make_token()
    row = SignInLink.objects.get()
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in repr([tuple(row) for row in SignInLink.objects.values_list()])
    assert token not in str(row)
    assert len(token) >= 43


@pytest.mark.parametrize("token", ["", "x", "\x00", "x" * 10_000, "%ff%fe", "' OR 1=1 --", "\uff21\uff22"])
def test_a_guessed_token_is_refused(browser: Client, token: str) -> None:
    make_token()
    answer = browser.get("/sign-in/", {"token": token})
    assert answer.status_code == 401
    assert SignInLink.objects.get().used_at is None
    assert Session.objects.count() == 0


def test_the_digest_is_not_a_token(browser: Client) -> None:
    make_token()
    assert not redeem(SignInLink.objects.get().digest)


def test_one_of_many_concurrent_uses_succeeds() -> None:
    token = make_token()

    def follow() -> bool:
        try:
            return redeem(token) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: follow(), range(16))) == 1


def test_the_token_is_not_logged(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    address = link()
    token = parse_qs(urlsplit(address).query)["token"][0]
    with caplog.at_level(logging.DEBUG):
        browser.get(address)
        Client(HTTP_HOST=HOST).get(address)
        browser.head(address)
        browser.post(address)
    assert caplog.records
    assert token not in caplog.text


def test_the_session_gets_a_new_key_and_a_cookie_that_scripts_cannot_read(browser: Client) -> None:
    browser.cookies["sessionid"] = "planted"
    browser.get(link())
    cookie = browser.cookies["sessionid"]
    assert cookie.value != "planted"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["domain"] == ""


def test_signing_out_ends_the_session_and_requires_the_csrf_token(browser: Client) -> None:
    browser.get(link())
    browser.get("/")
    assert browser.post("/sign-out/").status_code == 403
    assert browser.get("/sign-out/").status_code == 405
    token = browser.cookies["csrftoken"].value
    answer = browser.post("/sign-out/", headers={"X-CSRFToken": token})
    assert answer.status_code == 200
    assert "signed out" in answer.content.decode()
    assert Session.objects.count() == 0
    assert browser.get("/").status_code == 401


def test_the_page_without_a_link_says_where_to_find_it(browser: Client) -> None:
    answer = browser.get("/sign-in/")
    assert answer.status_code == 401
    assert "./netmodes link" in answer.content.decode()
    browser.get(link())
    assert browser.get("/sign-in/").status_code == 302
