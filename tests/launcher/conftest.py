from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import REPEATED, SECRETS
from tests.launcher.fake_machine import REPOSITORY, Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A Debian machine used as root, with everything that the commands need except an engine."""
    with tempfile.TemporaryDirectory(prefix="nm") as folder:
        yield Machine(Path(folder))


@pytest.fixture
def user_machine() -> Iterator[Machine]:
    """The same machine, used by an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="nm") as folder:
        yield Machine(Path(folder), uid=1000)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets PATH to a folder of programs: each gets a shell script, by default one that succeeds."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(*names: str, script: str = "") -> None:
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    return install


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the user id that the launcher sees."""
    return lambda uid: monkeypatch.setattr(os, "geteuid", lambda: uid)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Launch]:
    """Creates a launch from a checkout with the repository's lock files. Its data folder does not exist yet."""
    root = tmp_path / "a check out"
    for name in (
        "requirements.txt",
        "requirements-dev.txt",
        "package.json",
        "package-lock.json",
        "vagrant/netmodes.service",
    ):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(REPOSITORY / name, root / name)
    # What is set here is restored after the test, whatever the launcher exports.
    exported = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "NETMODES_NODE_MODULES")
    for name in (*exported, *REPEATED, *SECRETS):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path / "data"))
    return lambda *words: Launch(str(root), "./netmodes", "/usr/bin/python3", list(words) or ["doctor"])
