"""``.ci/run``: what a submission must pass, with a stand-in for ``./netmodes``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# check waits for test, and the other way round: the script ends only if both run at the same time.
NETMODES = """#!/bin/sh
echo "$*" >>log
case "$*" in
    check) echo there >from_check & read -r line <from_test; echo "checked"; exit "$CHECK" ;;
    test) echo there >from_test & read -r line <from_check; echo "1 passed in 1s"; exit "$TEST" ;;
    *) echo "1 passed in 2s"; exit "$AGAIN" ;;
esac
"""


def run_gate(folder: Path, check: int = 0, test: int = 0, again: int = 0) -> tuple[int, list[str], list[str]]:
    """The exit code, the lines that were printed and the commands that ran."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    (folder / "netmodes").write_text(NETMODES)
    (folder / "netmodes").chmod(0o755)
    for name in ("from_check", "from_test"):
        os.mkfifo(folder / name)
    environment = {"PATH": os.defpath, "CHECK": str(check), "TEST": str(test), "AGAIN": str(again)}
    command = [str(folder / ".ci" / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines(), (folder / "log").read_text().splitlines()


def test_checks_and_tests_run_at_the_same_time(tmp_path: Path) -> None:
    code, lines, commands = run_gate(tmp_path)
    assert code == 0
    assert sorted(lines) == ["1 passed in 1s", "checked"]
    assert sorted(commands) == ["check", "test"]


def test_a_failed_check_fails_the_gate_even_if_all_tests_pass(tmp_path: Path) -> None:
    code, lines, commands = run_gate(tmp_path, check=1)
    assert code == 1
    assert lines[-1] == "./netmodes check failed: what it printed is above."
    assert sorted(commands) == ["check", "test"]


@pytest.mark.parametrize("again", [0, 1])
def test_failed_tests_run_once_more_alone_and_their_line_is_the_last(tmp_path: Path, again: int) -> None:
    code, lines, commands = run_gate(tmp_path, test=1, again=again)
    assert code == again
    assert lines[-1] == "1 passed in 2s"
    assert commands[-1] == "test -n0 --last-failed"


def test_a_run_that_could_not_start_is_not_repeated(tmp_path: Path) -> None:
    code, _lines, commands = run_gate(tmp_path, test=4)
    assert code == 4
    assert sorted(commands) == ["check", "test"]
