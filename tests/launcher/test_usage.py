from __future__ import annotations

from dashboard.launcher import usage
from dashboard.launcher.commands import ROOT_REASONS
from tests.launcher.fake_machine import REPOSITORY


def test_every_command_has_a_description_of_one_line() -> None:
    described = usage.descriptions()
    assert described["link"] == "print a one-time sign-in link for the running server"
    assert all(described.values())
    assert "team" not in described, "a line that continues a description is no command"


def test_the_commands_of_django_are_described() -> None:
    commands = {path.stem for path in (REPOSITORY / "dashboard/management/commands").glob("[a-z]*.py")}
    assert commands == set(usage.descriptions()) - {"setup", "test", "check", "help"}
    assert set(usage.descriptions()) >= usage.CHECKOUT_ONLY
    assert set(ROOT_REASONS) <= set(usage.descriptions())
