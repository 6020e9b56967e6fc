"""``.ci/run``: what a submission must pass, with a stand-in for ``./netmodes``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: The commit of the checkout, whose first seven digits are the seed, and what git prints outside of a repository.
COMMIT, SEED, NO_COMMIT = "0000010f" + "e" * 32, 0x10, ""

# check waits for test, and the other way round: the script ends only if both run at the same time.
NETMODES = """#!/bin/sh
echo "$*" >>log
case "$*" in
    check) echo there >from_check & read -r line <from_test; echo "checked"; exit "$CHECK" ;;
    "test $SEEDS") echo there >from_test & read -r line <from_check; echo "1 passed in 1s"; exit "$TEST" ;;
    *) echo "1 passed in 2s"; exit "$AGAIN" ;;
esac
"""


def seeds(seed: int = SEED) -> str:
    """The options that choose the order of tests and the generated examples."""
    return f"--randomly-seed={seed} --hypothesis-seed={seed}"


def run_gate(
    folder: Path, check: int = 0, test: int = 0, again: int = 0, commit: str = COMMIT
) -> tuple[int, list[str], list[str]]:
    """The exit code, the lines that were printed and the commands that ran."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    (folder / "netmodes").write_text(NETMODES)
    (folder / "git").write_text(f'#!/bin/sh\n[ "{commit}" ] && echo {commit}\n')
    for program in ("netmodes", "git"):
        (folder / program).chmod(0o755)
    for name in ("from_check", "from_test"):
        os.mkfifo(folder / name)
    environment = {"CHECK": str(check), "TEST": str(test), "AGAIN": str(again)}
    environment |= {"PATH": f"{folder}:{os.defpath}", "SEEDS": seeds(SEED if commit else 0)}
    command = [str(folder / ".ci" / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines(), (folder / "log").read_text().splitlines()


def test_checks_and_tests_run_at_the_same_time(tmp_path: Path) -> None:
    code, lines, commands = run_gate(tmp_path)
    assert code == 0
    assert sorted(lines) == ["1 passed in 1s", "checked"]
    assert sorted(commands) == ["check", f"test {seeds()}"]


def test_a_failed_check_fails_the_gate_even_if_all_tests_pass(tmp_path: Path) -> None:
    code, lines, commands = run_gate(tmp_path, check=1)
    assert code == 1
    assert lines[-1] == "./netmodes check failed: what it printed is above."
    assert sorted(commands) == ["check", f"test {seeds()}"]


@pytest.mark.parametrize("again", [0, 1])
def test_failed_tests_run_once_more_alone_and_their_line_is_the_last(tmp_path: Path, again: int) -> None:
    code, lines, commands = run_gate(tmp_path, test=1, again=again)
    assert code == again
    assert lines[-1] == "1 passed in 2s"
    # Without the second option, pytest would run the whole suite if only tests of the browser's modules had failed.
    assert commands[-1] == f"test {seeds()} -n1 --last-failed --last-failed-no-failures none"


def test_a_run_that_could_not_start_is_not_repeated(tmp_path: Path) -> None:
    code, _lines, commands = run_gate(tmp_path, test=4)
    assert code == 4
    assert sorted(commands) == ["check", f"test {seeds()}"]


def test_without_a_repository_the_seed_is_zero(tmp_path: Path) -> None:
    code, _lines, commands = run_gate(tmp_path, commit=NO_COMMIT)
    assert code == 0
    assert sorted(commands) == ["check", f"test {seeds(0)}"]
