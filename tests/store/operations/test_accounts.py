"""Accounts: roles, invitations, the last owner, the end of sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.test import Client

from dashboard.core.operations.roles import OwnedKind, Role
from dashboard.models import Account, SignInLink
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import accounts, audit
from dashboard.store.operations.accounts import AccountError, redeem
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def invite(name: str = "ada", email: str = "", role: Role = Role.INSTRUCTOR) -> User:
    accounts.invite(name, email, role)
    return User.objects.get(username=name)


def test_a_user_without_an_account_only_reads_except_the_first_owner() -> None:
    assert accounts.role_of(User.objects.create(username="stray")) is Role.READER
    assert accounts.role_of(AnonymousUser()) is Role.READER
    assert accounts.role_of(User.objects.create(username="owner")) is Role.OWNER


def test_the_owner_is_created_once_and_cannot_sign_in_with_a_password() -> None:
    owner = accounts.the_owner()
    assert accounts.the_owner() == owner
    assert (owner.username, accounts.role_of(owner), owner.has_usable_password()) == ("owner", Role.OWNER, False)
    assert not accounts.has_passwords()


def test_links_belong_to_another_owner_if_the_first_was_demoted() -> None:
    first, other = accounts.the_owner(), invite("eve", role=Role.OWNER)
    accounts.change_role(first.pk, Role.READER)
    assert accounts.the_owner() == other
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert accounts.the_owner() == first, "without any owner the machine's administrator gets in again"
    assert accounts.role_of(first) is Role.OWNER


def test_the_list_of_accounts_with_their_roles_takes_one_query(django_assert_num_queries: Any) -> None:
    accounts.the_owner()
    for role in Role:
        invite(str(role) + "2", role=role)
    User.objects.create(username="stray")
    with django_assert_num_queries(1):
        listed = accounts.listed()
    assert [row.role for row in listed] == [Role.OWNER, *Role, Role.READER]
    assert all(row.role is accounts.role_of(User.objects.get(pk=row.id)) for row in listed)


def test_an_invitation_is_a_link_for_this_account() -> None:
    token = accounts.invite("ada", "ada@example.org", Role.READER)
    link = redeem(token)
    assert link is not None
    assert link.user == User.objects.get(username="ada", email="ada@example.org")
    assert [row.name for row in accounts.listed()] == ["owner", "ada"]
    assert redeem(token) is None


def test_a_refusal_names_the_field_that_is_too_long() -> None:
    with pytest.raises(AccountError, match=r"^An email address has at most 150 characters\.$"):
        accounts.invite("ada", f"ada@{'.'.join(['example'] * 19)}.org", Role.READER)
    with pytest.raises(AccountError, match=r"^A name has at most 40 characters\.$"):
        accounts.invite("x" * 41, "", Role.READER)


@pytest.mark.parametrize(
    ("name", "email"),
    [("", ""), ("a b", ""), ("<b>", ""), ("x" * 41, ""), ("ADA", ""), ("eve", "nonsense"), ("eve", "ADA@example.org")],
)
def test_an_invalid_or_taken_name_is_refused(name: str, email: str) -> None:
    invite("ada", "ada@example.org")
    with pytest.raises(AccountError):
        accounts.invite(name, email, Role.READER)
    assert User.objects.count() == 2
    assert SignInLink.objects.count() == 1


def test_the_only_owner_stays_an_active_owner() -> None:
    owner = accounts.the_owner()
    changes: tuple[Callable[[], object], ...] = (
        lambda: accounts.change_role(owner.pk, Role.READER),
        lambda: accounts.set_active(owner.pk, active=False),
    )
    for change in changes:
        with pytest.raises(AccountError, match="only owner"):
            change()
    invite("eve", role=Role.OWNER)
    accounts.set_active(owner.pk, active=False)
    assert not User.objects.get(pk=owner.pk).is_active


def test_deactivation_ends_the_sessions_of_this_account_only() -> None:
    ada, eve = invite("ada"), invite("eve")
    for user in (ada, ada, eve):
        Client().force_login(user)
    accounts.new_link(ada.pk)
    assert len(accounts.set_active(ada.pk, active=False)) == 2
    assert [row.get_decoded()["_auth_user_id"] for row in Session.objects.all()] == [str(eve.pk)]
    assert not SignInLink.objects.filter(user=ada).exists()
    with pytest.raises(AccountError, match="deactivated"):
        accounts.new_link(ada.pk)
    accounts.set_active(ada.pk, active=True)
    assert accounts.new_link(ada.pk)


def test_a_new_password_ends_all_sessions_of_this_account_except_one() -> None:
    ada, eve = invite("ada"), invite("eve")
    kept, other, stranger = Client(), Client(), Client()
    for client, user in ((kept, ada), (other, ada), (stranger, eve)):
        client.force_login(user)
    form = SetPasswordForm(ada, dict.fromkeys(("new_password1", "new_password2"), "correct horse 7 battery"))
    assert form.is_valid()
    assert accounts.save_password(form, kept.session.session_key or "") == (other.session.session_key,)
    left = set(Session.objects.values_list("session_key", flat=True))
    assert left == {kept.session.session_key, stranger.session.session_key}
    assert set(SignInLink.objects.values_list("user", flat=True)) == {eve.pk}


def test_missing_objects_belong_to_everyone_and_unowned_ones_to_the_owner() -> None:
    ada = invite("ada")
    own = experiment_store.create_experiment(make_spec("host", "bridge"), ada.pk)
    unowned = experiment_store.create_experiment(make_spec("host", "bridge"))
    assert accounts.belongs_to(OwnedKind.EXPERIMENT, own, ada.pk)
    assert not accounts.belongs_to(OwnedKind.EXPERIMENT, unowned, ada.pk)
    assert accounts.belongs_to(OwnedKind.EXPERIMENT, "nothing", ada.pk)
    assert accounts.creator_names() == {None: "owner", accounts.the_owner().pk: "owner", ada.pk: "ada"}


def test_creators_are_not_named_with_a_single_account() -> None:
    accounts.the_owner()
    assert accounts.creator_names() == {}


def test_the_list_shows_when_an_account_was_active() -> None:
    ada = invite("ada")
    row = accounts.find("ada")
    assert (row.last_active, row.active, row.password) == (0.0, True, False)
    audit.record("stop experiment", "x", audit.DONE, user=ada.pk, account="ada")
    assert accounts.find("ada").last_active > 0
    with pytest.raises(AccountError, match="No account"):
        accounts.find("nobody")


def test_every_user_of_the_list_has_a_row() -> None:
    invite("ada")
    assert Account.objects.count() == User.objects.count() == 2
