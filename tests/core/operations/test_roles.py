"""What each role may do, as the table of docs/operating.md shows it."""

from __future__ import annotations

import re

import pytest

from dashboard.core.operations.roles import RULES, Access, AccountStatus, Action, Role, change_problem, may, table
from tests.docs.documents import ROOT

OWNER, INSTRUCTOR, READER = Role


@pytest.mark.parametrize("action", Action)
def test_an_owner_may_do_everything(action: Action) -> None:
    assert may(OWNER, action, owned=False) is None


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_may_do_what_the_table_of_rules_says(role: Role, action: Action) -> None:
    access = RULES[action].access(role)
    assert (may(role, action, owned=True) is None) == (access is not Access.NO)
    assert (may(role, action, owned=False) is None) == (access is Access.YES)


def test_an_instructor_changes_only_own_things_and_manages_nothing() -> None:
    for action in (Action.CHANGE, Action.CHANGE_REPORT, Action.LEAD):
        refusal = may(INSTRUCTOR, action, owned=False)
        assert refusal is not None
        assert "another account" in refusal.sentence
        assert may(INSTRUCTOR, action, owned=True) is None
    assert may(INSTRUCTOR, Action.MANAGE, owned=True) is not None


def test_a_reader_reads_and_does_nothing_else() -> None:
    allowed = {action for action in Action if may(READER, action, owned=True) is None}
    assert allowed == {Action.READ, Action.OWN_ACCOUNT}
    refusal = may(READER, Action.LAUNCH, owned=True)
    assert refusal is not None
    assert "role reader" in refusal.sentence
    assert "Ask an owner" in refusal.sentence


def test_the_document_shows_the_same_table() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    section = text.split("## Accounts")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (yes|own|no) \| (yes|own|no) \| (yes|own|no) \|$", section, re.MULTILINE)
    assert rows == [tuple(map(str, row)) for row in table()]


@pytest.mark.parametrize(
    ("changed", "others", "refused"),
    [
        (AccountStatus(INSTRUCTOR, active=True), 0, True),
        (AccountStatus(OWNER, active=False), 0, True),
        (AccountStatus(INSTRUCTOR, active=True), 1, False),
        (AccountStatus(OWNER, active=True), 0, False),
    ],
)
def test_the_only_owner_stays(changed: AccountStatus, others: int, refused: bool) -> None:
    assert (change_problem(AccountStatus(OWNER, active=True), changed, others) is not None) == refused


def test_accounts_other_than_the_only_owner_can_be_changed() -> None:
    reader = AccountStatus(READER, active=True)
    assert change_problem(reader, AccountStatus(READER, active=False), 0) is None
    assert change_problem(AccountStatus(OWNER, active=False), AccountStatus(READER, active=False), 0) is None
