"""``./netmodes accounts``."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User

from dashboard.models import AuditEntry
from dashboard.store.operations.accounts import redeem
from tests.support.terminal import run_here

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_invited_account_has_a_role_and_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    done = run_here(capsys, "accounts", "invite", "ada", "--role", "reader", "--email", "ada@example.org")
    assert done.code == 0
    link = redeem(done.out.split("token=")[1].strip())
    assert link is not None
    assert link.user == User.objects.get(username="ada")
    listed = json.loads(run_here(capsys, "accounts", "list", "--json").out)
    assert listed["schema"] == "accounts/1"
    assert [(one["name"], one["role"], one["active"]) for one in listed["accounts"]] == [
        ("owner", "owner", True),
        ("ada", "reader", True),
    ]
    assert "ada  reader  ada@example.org  never signed in" in run_here(capsys, "accounts", "list").out


def test_role_and_state_are_changed_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    run_here(capsys, "accounts", "invite", "ada")
    assert run_here(capsys, "accounts", "role", "ada", "owner").out == "ada has the role owner.\n"
    assert run_here(capsys, "accounts", "deactivate", "ada").out == "ada is deactivated and signed out.\n"
    assert run_here(capsys, "accounts", "link", "ada").code == 1
    assert run_here(capsys, "accounts", "activate", "ada").out == "ada is active.\n"
    assert "token=" in run_here(capsys, "accounts", "link", "ada").out
    found = list(AuditEntry.objects.order_by("at").values_list("account", "action", "object", "outcome"))
    actions = ["invite", "role", "deactivate", "activate", "link"]
    assert found == [("command line", f"{action} account", "ada", "done") for action in actions]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("role", "eve", "reader"), "No account is named “eve”.\n"),
        (("invite", "a b"), "Enter a valid username"),
        (("deactivate", "owner"), "This is the only owner."),
    ],
)
def test_impossible_changes_of_accounts_are_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    run_here(capsys, "accounts", "invite", "ada")
    done = run_here(capsys, "accounts", *words)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(reason)
