"""Roots of Debian releases: made once, and failures that name the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.engine.hosts import debian_root as module
from dashboard.engine.hosts.debian_root import CLIENT, PACKAGES, DebianRootError, debian_root

MAKES_A_ROOT = """\
echo "$@" >> {log}
for word; do folder=$word; done
mkdir -p "$folder/usr/sbin"
"""
FAILS = """\
for word; do folder=$word; done
mkdir -p "$folder/usr"
echo 'E: no mirror answers' >&2
exit 25
"""


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Replaces mmdebstrap by a shell script; returns the file in which it logs its arguments."""

    def install(script: str) -> Path:
        programs, log = tmp_path / "bin", tmp_path / "log"
        programs.mkdir()
        program = programs / "mmdebstrap"
        program.write_text("#!/bin/sh\n" + script.format(log=log))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr("os.geteuid", lambda: 0)
        return log

    return install


def test_a_root_is_made_once_with_the_engine_and_the_tools(mmdebstrap: Callable[[str], Path], tmp_path: Path) -> None:
    log = mmdebstrap(MAKES_A_ROOT)
    said: list[str] = []
    root = debian_root("forky", tmp_path, said.append)
    assert root == tmp_path / "engines" / "forky"
    assert (root / "usr/sbin").is_dir()
    assert len(said) == 1
    assert "Creating a root file system of Debian forky" in said[0]
    assert debian_root("forky", tmp_path, said.append) == root
    (arguments,) = log.read_text().splitlines()
    assert f"--include={','.join((*PACKAGES, CLIENT))} " in arguments
    assert len(said) == 1


def test_the_docker_command_is_a_package_where_the_engine_lacks_it(
    mmdebstrap: Callable[[str], Path], tmp_path: Path
) -> None:
    log = mmdebstrap(MAKES_A_ROOT)
    for suite in ("bookworm", "trixie"):
        debian_root(suite, tmp_path, lambda _text: None)
    bookworm, trixie = log.read_text().splitlines()
    assert "docker-cli" not in bookworm
    assert ",docker-cli " in trixie


def test_a_root_with_other_packages_is_made_again(
    mmdebstrap: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = mmdebstrap(MAKES_A_ROOT)
    (debian_root("trixie", tmp_path, lambda _text: None) / "old").touch()
    monkeypatch.setattr(module, "PACKAGES", ("docker.io",))
    assert not (debian_root("trixie", tmp_path, lambda _text: None) / "old").exists()
    assert len(log.read_text().splitlines()) == 2


def test_a_root_with_more_packages_is_beside_the_plain_one(mmdebstrap: Callable[[str], Path], tmp_path: Path) -> None:
    log = mmdebstrap(MAKES_A_ROOT)
    debian_root("forky", tmp_path, lambda _text: None)
    assert debian_root("forky", tmp_path, lambda _text: None, ("rootlesskit", "uidmap")) == (
        tmp_path / "engines" / "forky-rootlesskit"
    )
    plain, other = log.read_text().splitlines()
    assert "rootlesskit" not in plain
    assert f"--include={','.join((*PACKAGES, CLIENT))},rootlesskit,uidmap " in other


def test_a_failure_names_the_last_message_and_leaves_no_half_of_a_root(
    mmdebstrap: Callable[[str], Path], tmp_path: Path
) -> None:
    mmdebstrap(FAILS)
    with pytest.raises(DebianRootError, match=r"mmdebstrap failed for a root of Debian forky: .*no mirror answers"):
        debian_root("forky", tmp_path, lambda _text: None)
    assert [path.name for path in (tmp_path / "engines").iterdir() if path.is_dir()] == []


def test_without_mmdebstrap_the_error_states_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(DebianRootError, match="apt-get install mmdebstrap"):
        debian_root("forky", tmp_path, lambda _text: None)
