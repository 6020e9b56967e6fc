"""The lock files of the Python packages."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.launcher.fake_machine import REPOSITORY


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z][\w.-]*)==([^ ]+)", lock.read_text(), re.MULTILINE))


def test_the_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (REPOSITORY / name).read_text()
        assert "://" not in text
        entries = re.split(r"\n(?=[a-z])", text.strip())
        assert all("--hash=sha256:" in entry for entry in entries)
    for folder in (REPOSITORY, REPOSITORY / "dashboard/bench/lighthouse"):
        text = (folder / "package-lock.json").read_text()
        assert "://" not in text
        packages = [package for name, package in json.loads(text)["packages"].items() if name]
        assert packages
        assert all("integrity" in package and "resolved" not in package for package in packages)


def test_the_dev_lock_contains_the_run_lock_in_the_same_versions() -> None:
    run, dev = pins(REPOSITORY / "requirements.txt"), pins(REPOSITORY / "requirements-dev.txt")
    assert run.items() <= dev.items()
    assert "django" in run
    assert "pytest" not in run


def test_the_locks_were_remade_after_the_last_change_of_the_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    for lock, wanted in (
        ("requirements.txt", project["project"]["dependencies"]),
        ("requirements-dev.txt", project["dependency-groups"]["dev"]),
    ):
        pinned = pins(REPOSITORY / lock)
        for requirement in map(Requirement, wanted):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version, f"{requirement.name} is not in {lock}"
            assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}"
