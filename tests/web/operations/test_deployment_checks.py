"""Django's checks for a deployment and ruff's rules for security (those of bandit) are clean."""

from __future__ import annotations

import tomllib
from pathlib import Path

from django.core.checks import run_checks

ROOT = Path(__file__).resolve().parents[3]
#: Rules of bandit that are not applied: every subprocess is reported, though none runs through a shell.
NOT_APPLIED = {"S603", "S607"}


def test_the_checks_for_a_deployment_are_clean() -> None:
    found = [message for message in run_checks(include_deployment_checks=True) if not message.is_silenced()]
    assert [str(message) for message in found] == []


def test_the_rules_of_bandit_are_applied() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert {rule for rule in lint["ignore"] if rule.startswith("S") and rule[1:].isdigit()} == NOT_APPLIED
