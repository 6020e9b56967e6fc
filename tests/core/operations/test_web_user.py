"""The user that the web process of root's lab runs as."""

from __future__ import annotations

import pytest

from dashboard.core.operations.web_user import FREE_IDS, WebUser, choose_web_user

ROOT, ALICE, ACCOUNT = WebUser(0, 0), WebUser(1000, 1000), WebUser(990, 980)


@pytest.mark.parametrize(
    ("owner", "account", "taken", "expected"),
    [
        (ALICE, ACCOUNT, set(), ALICE),
        (ROOT, ACCOUNT, set(), ACCOUNT),
        (ROOT, None, {0, 1000}, WebUser(65521, 65521)),
        (ROOT, ROOT, {0}, WebUser(65521, 65521)),
        (WebUser(1000, 0), ACCOUNT, {0, 1000}, ACCOUNT),
        (WebUser(1000, 0), WebUser(990, 0), {0, 990, 1000}, WebUser(65521, 65521)),
        (ROOT, None, {65521, 65522}, WebUser(65523, 65523)),
    ],
)
def test_the_user_is_the_owner_or_the_account_or_an_unused_id(
    owner: WebUser, account: WebUser | None, taken: set[int], expected: WebUser
) -> None:
    assert choose_web_user(owner, account, taken) == expected


def test_without_a_free_id_the_error_explains_what_to_do() -> None:
    with pytest.raises(LookupError, match="create an account named netmodes"):
        choose_web_user(ROOT, None, set(FREE_IDS))
