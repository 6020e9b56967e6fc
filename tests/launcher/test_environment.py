from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import environment
from dashboard.launcher.console import LauncherError
from dashboard.launcher.environment import Environment
from dashboard.launcher.launch import Launch

MakeLaunch = Callable[..., Launch]
#: Makes an environment when it is asked to, and records every call.
INTERPRETER = """#!/bin/sh
echo "$*" >>'{log}'
case "$*" in
    '-m venv '*) mkdir -p "$4/bin"; cp '{python}' "$4/bin/python" ;;
    '-m pip install '*) [ ! -e '{broken}' ] ;;
esac
"""


class Bench:
    """A launch with an interpreter that only records its calls."""

    def __init__(self, launch: Launch, folder: Path) -> None:
        self.launch = launch
        self.broken = folder / "broken"
        self.log = folder / "log"
        python = folder / "python3.13"
        python.write_text(INTERPRETER.format(log=self.log, python=python, broken=self.broken))
        python.chmod(0o755)
        launch.interpreter = str(python)
        launch.open_data_folder()
        self.environment = Environment(launch)

    def calls(self) -> list[str]:
        """The module and verb of each call since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [" ".join(line.split()[1:3]) for line in lines]


@pytest.fixture
def bench(launch: MakeLaunch, tmp_path: Path) -> Bench:
    return Bench(launch(), tmp_path)


def test_a_lock_is_known_by_its_sha256(launch: MakeLaunch) -> None:
    root = launch().root
    for name, path in {"run": "requirements.txt", "node": "package-lock.json"}.items():
        assert environment.digest(root, name) == hashlib.sha256((Path(root) / path).read_bytes()).hexdigest()


def test_only_the_first_line_of_a_file_counts_and_no_file_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "stamp"
    assert not environment.holds(str(path), "")
    path.write_text("one\ntwo\n")
    assert environment.holds(str(path), "one")
    assert not environment.holds(str(path), "two")
    environment.write(str(path), "three")
    assert path.read_text() == "three\n"
    environment.write(str(path))
    assert path.read_text() == ""
    environment.remove(str(path), str(path))
    assert not path.exists()


def test_a_path_that_is_not_utf8_is_stamped_too(tmp_path: Path) -> None:
    path = str(tmp_path / "stamp")
    environment.write(path, "/\udcff/venv")
    assert environment.holds(path, "/\udcff/venv")


def test_an_environment_is_ready_once_its_lock_is_installed(bench: Bench) -> None:
    assert not bench.environment.is_ready("run")
    bench.environment.require("run")
    assert bench.calls() == ["venv --clear", "pip install"]
    assert bench.environment.is_ready("run")
    assert not bench.environment.is_ready("dev")
    bench.environment.require("run")
    assert bench.calls() == []


def test_the_dev_lock_is_added_to_the_run_lock_and_contains_it(bench: Bench) -> None:
    bench.environment.require("run")
    bench.calls()
    bench.environment.require("dev")
    assert bench.calls() == ["pip --version", "pip install"]
    assert bench.environment.is_ready("run")
    assert bench.environment.is_ready("dev")


def test_a_failed_addition_leaves_what_was_installed_usable(bench: Bench) -> None:
    bench.environment.require("run")
    bench.broken.touch()
    with pytest.raises(LauncherError, match="could not be installed; run the same command again"):
        bench.environment.require("dev")
    assert bench.environment.is_ready("run")
    assert not bench.environment.is_ready("dev")


def test_an_environment_whose_interpreter_is_another_one_now_is_made_anew(bench: Bench, tmp_path: Path) -> None:
    bench.environment.require("run")
    python = Path(bench.launch.python)
    upgraded = tmp_path / "python3.14"
    upgraded.write_bytes(python.read_bytes())
    upgraded.chmod(0o755)
    python.unlink()
    python.symlink_to(upgraded)
    bench.calls()
    assert not bench.environment.is_ready("run")
    bench.environment.require("run")
    assert bench.calls() == ["venv --clear", "pip install"]


def test_an_environment_cannot_replace_itself_and_starts_the_shell_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.environment.require("run")
    (Path(bench.launch.data) / ".venv-unfinished").touch()
    (Path(bench.launch.venv) / ".place").unlink()
    bench.launch.interpreter = bench.launch.python
    bench.calls()
    started: list[tuple[str, list[str]]] = []

    class ReplacedError(Exception):
        pass

    def execv(path: str, arguments: list[str]) -> None:
        started.append((path, arguments))
        raise ReplacedError

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(ReplacedError):
        bench.environment.require("run")
    assert started == [("/bin/sh", ["sh", f"{bench.launch.root}/netmodes", "doctor"])]
    assert not Path(bench.launch.python).exists(), "the shell must look for another interpreter"
    assert bench.calls() == []


def test_an_environment_that_is_a_link_is_replaced_and_not_what_it_leads_to(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    venv = Path(bench.launch.venv)
    venv.parent.mkdir(parents=True, exist_ok=True)
    venv.symlink_to(other)
    bench.environment.require("run")
    assert not venv.is_symlink()
    assert [path.name for path in other.iterdir()] == ["kept"]


def test_an_interpreter_that_makes_no_environment_is_named(bench: Bench) -> None:
    bench.launch.interpreter = "/bin/false"
    with pytest.raises(LauncherError, match=f"^/bin/false could not create {bench.launch.venv}$"):
        bench.environment.require("run")
