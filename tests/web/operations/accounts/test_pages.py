"""The pages of accounts and of the audit trail; sign-in with links of accounts and with passwords."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from dashboard.core.operations.roles import Role
from dashboard.core.training.rate_limit import PASSWORDS
from dashboard.models import Account, AuditEntry
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import accounts, audit
from dashboard.store.operations.accounts import make_token
from tests.support.specs import make_spec
from tests.web.accounts import account
from tests.web.asgi_client import HOST

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse 7 battery"


def browser() -> Client:
    return Client(HTTP_HOST=HOST)


@pytest.fixture
def boss() -> Client:
    """The owner, signed in with a link as after ``./netmodes up``."""
    client = browser()
    assert client.get(f"/sign-in/?token={make_token()}").status_code == 302
    return client


def link_in(page: str) -> str:
    found = re.search(r"/sign-in/\?token=[\w-]+", page)
    assert found is not None
    return found[0]


def invite(boss: Client, name: str, role: str, email: str = "") -> Client:
    """The browser of an invited person who has followed the link."""
    answer = boss.post("/accounts/", {"name": name, "role": role, "email": email})
    assert answer.status_code == 201, answer.content
    client = browser()
    assert client.get(link_in(answer.content.decode())).status_code == 302
    return client


def test_with_one_account_nothing_but_the_link_to_accounts_is_new(boss: Client) -> None:
    experiment_store.create_experiment(make_spec("host", "bridge"), User.objects.get().pk)
    page = boss.get("/").content.decode()
    assert 'href="/accounts/"' in page
    assert "by owner" not in page
    assert "owner-filter" not in page
    assert 'name="password"' not in browser().get("/sign-in/").content.decode()


def test_an_invited_account_signs_in_once_with_its_link(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    page = ada.get("/").content.decode()
    assert 'href="/accounts/"' not in page
    assert 'href="/account/"' in page
    assert ada.get("/accounts/").status_code == 403
    assert ada.get("/audit/").status_code == 403
    listed = boss.get("/accounts/").content.decode()
    assert "ada" in listed
    assert link_in(boss.post("/accounts/", {"name": "eve", "role": "reader"}).content.decode())
    assert "/sign-in/?token=" not in boss.get("/accounts/").content.decode(), "shown once"


def test_a_sign_in_link_begins_with_an_address_that_others_can_open(boss: Client, settings: object) -> None:
    local = boss.post("/accounts/", {"name": "ada", "role": "reader"}).content.decode()
    assert "Only this machine can open this address." in local
    settings.CSRF_TRUSTED_ORIGINS = ["https://class.example.org"]  # type: ignore[attr-defined]
    key = User.objects.get(username="ada").pk
    for path, form in (("/accounts/", {"name": "eve", "role": "reader"}), (f"/accounts/{key}/link/", {})):
        page = boss.post(path, form).content.decode()
        assert "<code>https://class.example.org/sign-in/?token=" in page
        assert "Only this machine can open this address." not in page


@pytest.mark.parametrize(
    "form", [{"name": "", "role": "reader"}, {"name": "a b", "role": "reader"}, {"name": "ada", "role": "king"}, {}]
)
def test_an_invalid_invitation_is_refused_with_what_was_typed(boss: Client, form: dict[str, str]) -> None:
    answer = boss.post("/accounts/", form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert User.objects.count() == 1


def test_a_role_changes_with_the_next_request(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    assert ada.get("/sessions/new/").status_code == 200
    key = User.objects.get(username="ada").pk
    assert boss.post(f"/accounts/{key}/role/", {"role": "reader"}).status_code == 302
    assert ada.get("/sessions/new/").status_code == 403
    assert 'data-role="reader"' in ada.get("/").content.decode()


def test_deactivation_and_sign_out_end_the_sessions(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    key = User.objects.get(username="ada").pk
    boss.post(f"/accounts/{key}/sign-out/")
    assert ada.get("/").status_code == 401
    answer = boss.post(f"/accounts/{key}/link/")
    assert answer.status_code == 201
    assert ada.get(link_in(answer.content.decode())).status_code == 302
    boss.post(f"/accounts/{key}/deactivate/")
    assert ada.get("/").status_code == 401
    assert boss.post(f"/accounts/{key}/link/").status_code == 409
    boss.post(f"/accounts/{key}/activate/")
    assert boss.post(f"/accounts/{key}/link/").status_code == 201
    assert boss.post(f"/accounts/{key}/explode/").status_code == 404
    assert boss.post("/accounts/9999/link/").status_code == 404


def test_the_only_owner_cannot_be_demoted(boss: Client) -> None:
    key = User.objects.get().pk
    answer = boss.post(f"/accounts/{key}/role/", {"role": "reader"})
    assert answer.status_code == 409
    assert "only owner" in answer.content.decode()
    assert Account.objects.get().role == Role.OWNER


def test_a_password_is_set_checked_and_signs_in(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    elsewhere = browser()
    elsewhere.force_login(User.objects.get(username="ada"))
    for weak in ("short", "1234567890123", "password123"):
        assert ada.post("/account/", {"new_password1": weak, "new_password2": weak}).status_code == 400
    answer = ada.post("/account/", {"new_password1": PASSWORD, "new_password2": f"{PASSWORD}x"})
    assert answer.status_code == 400
    assert ada.post("/account/", {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 200
    assert ada.get("/").status_code == 200, "this browser stays signed in"
    assert elsewhere.get("/").status_code == 401
    fresh = browser()
    assert 'name="password"' in fresh.get("/").content.decode(), "every page that requires a sign-in has the form"
    assert 'name="password"' in fresh.get("/sign-in/").content.decode()
    answer = fresh.post("/sign-in/", {"name": "ada", "password": "wrong"})
    assert (answer.status_code, "wrong" in answer.content.decode()) == (401, True)
    assert fresh.post("/sign-in/", {"name": "ada", "password": PASSWORD}).status_code == 302
    assert fresh.get("/").status_code == 200
    answer = ada.post("/account/", {"old_password": "no", "new_password1": "x" * 20, "new_password2": "x" * 20})
    assert answer.status_code == 400, "a change needs the old password"
    assert PASSWORD not in json.dumps(list(AuditEntry.objects.values_list("action", "object")))


def test_only_without_passwords_does_the_page_name_the_link_that_netmodes_printed(boss: Client) -> None:
    printed, owners = "the sign-in link that it printed", "ask an owner for a sign-in link"
    page = browser().get("/sign-in/").content.decode()
    assert (printed in page, owners in page) == (True, False)
    ada = invite(boss, "ada", "instructor")
    ada.post("/account/", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    page = browser().get("/sign-in/").content.decode()
    assert (printed in page, owners in page) == (False, True)


def test_wrong_passwords_are_limited_and_recorded(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    ada.post("/account/", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    stranger = browser()
    statuses = [
        stranger.post("/sign-in/", {"name": "ada", "password": "wrong"}).status_code
        for _ in range(int(PASSWORDS.burst) + 1)
    ]
    assert statuses == [401] * int(PASSWORDS.burst) + [429]
    answer = stranger.post("/sign-in/", {"name": "ada", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Try again in" in answer.content.decode()
    refused = AuditEntry.objects.filter(action="sign in", outcome="refused", account="ada")
    assert refused.count() == int(PASSWORDS.burst)
    assert not AuditEntry.objects.filter(account="nobody").exists()


def test_a_deactivated_account_cannot_sign_in(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    ada.post("/account/", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    key = User.objects.get(username="ada").pk
    token = accounts.new_link(key)
    boss.post(f"/accounts/{key}/deactivate/")
    assert browser().post("/sign-in/", {"name": "ada", "password": PASSWORD}).status_code == 401
    assert browser().get(f"/sign-in/?token={token}").status_code == 401


def test_creators_and_the_filter_appear_with_a_second_account(boss: Client) -> None:
    ada = invite(boss, "ada", "instructor")
    experiment_store.create_experiment(make_spec("host", "bridge"), User.objects.get(username="ada").pk)
    old = experiment_store.create_experiment(make_spec("host", "bridge"))
    page = boss.get("/").content.decode()
    assert "by ada" in page
    assert "by owner" in page, "what has no creator belongs to the owner"
    assert "by owner" in boss.get("/?owner=me").content.decode()
    assert "by ada" not in boss.get("/?owner=me").content.decode()
    assert "by owner" not in ada.get("/?owner=me").content.decode()
    assert "data-foreign" in ada.get(f"/experiments/{old}/").content.decode()
    assert "data-foreign" not in boss.get(f"/experiments/{old}/").content.decode()


def test_the_trail_is_shown_filtered_and_exported(boss: Client) -> None:
    ada = invite(boss, "ada", "reader")
    ada.post("/claims/run/")
    page = boss.get("/audit/").content.decode()
    for text in ("invite account", "sign in", "run claims", "refused", "127.0.0.1"):
        assert text in page, text
    assert "run claims" not in re.sub(r"<option.*?</option>", "", boss.get("/audit/?account=owner").content.decode())
    found = json.loads(boss.get("/audit/export.json?account=ada&outcome=refused").content)
    assert found["schema"] == "audit/1"
    assert [(one["account"], one["action"]) for one in found["entries"]] == [("ada", "run claims")]
    text = boss.get("/audit/export.csv?account=ada").content.decode()
    assert text.startswith("at,account,action,object,outcome,address")
    assert boss.get("/audit/export.exe").status_code == 404
    assert boss.get("/audit/?page=x&text=%00").status_code == 200


def test_the_trail_has_pages(boss: Client) -> None:
    for number in range(120):
        audit.record("stop experiment", f"n{number}", audit.DONE)
    assert "n119" in boss.get("/audit/").content.decode()
    assert "n119" not in boss.get("/audit/?page=2").content.decode()
    assert "n5" in boss.get("/audit/?page=2").content.decode()


def test_signing_in_and_out_is_recorded(boss: Client) -> None:
    boss.post("/sign-out/")
    found = list(AuditEntry.objects.order_by("at").values_list("account", "action", "object", "outcome"))
    assert found == [("owner", "sign in", "link", "done"), ("owner", "sign out", "", "done")]
    assert Session.objects.count() == 0


def test_no_page_shows_the_accounts_to_an_instructor() -> None:
    account("zelda", Role.READER)
    client = browser()
    client.force_login(account("ada", Role.INSTRUCTOR))
    assert "zelda" not in client.get("/accounts/").content.decode()
