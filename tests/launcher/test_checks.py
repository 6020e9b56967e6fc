from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import checks
from dashboard.launcher.launch import Launch


def test_files_of_the_data_folder_and_of_git_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.sh", "deep/er/b.sh", "deep/var/c.sh", "var/d.sh", ".git/hooks/e.sh", "a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert checks.files(".", ".sh") == ["./a.sh", "./deep/er/b.sh", "./deep/var/c.sh"]
    assert checks.files("nowhere", ".sh") == []


def test_every_shell_script_of_the_repository_is_checked(
    launch: Callable[..., Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    scripts = checks.tools(launch("check"))["shellcheck"][1:]
    assert {"./netmodes", "./.ci/run", "./tests/bare_root.sh", "./vagrant/provision.sh"} <= set(scripts)
