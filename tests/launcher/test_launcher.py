from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import time
from typing import Any

import pytest

from dashboard.launcher.commands import ALLOCATOR
from tests.launcher.fake_machine import Machine, engine
from tests.support.polling import until

COMMANDS = [
    "up",
    "join",
    "lab",
    "setup",
    "link",
    "accounts",
    "audit",
    "health",
    "compare",
    "measure",
    "claims",
    "report",
    "doctor",
    "hosts",
    "lan",
    "workshop",
    "reap",
    "prune",
    "backup",
    "restore",
    "bench",
    "test",
    "check",
    "help",
]


@pytest.mark.parametrize("word", [[], ["help"], ["--help"], ["-h"]])
def test_help_names_every_command_and_touches_nothing(machine: Machine, word: list[str]) -> None:
    done = machine.run(*word)
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.findall(r"^  ([a-z]+)  ", done.stdout, re.MULTILINE) == COMMANDS
    assert not machine.data.exists()
    assert machine.asked() == []


@pytest.mark.parametrize("word", ["launch", "claim", "", "manage.py"])
def test_an_unknown_command_is_wrong_usage(machine: Machine, word: str) -> None:
    done = machine.run(word)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"there is no command '{word}'" in done.stderr
    assert not machine.data.exists()


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash"], ["sh"]], ids=" ".join)
def test_every_shell_runs_the_launcher_through_symlinks(machine: Machine, shell: list[str]) -> None:
    path = shutil.which(shell[0])
    if path is None:
        pytest.fail(f"{shell[0]} is not here: ./netmodes test installs it")
    links = machine.folder / "other links"
    links.mkdir()
    (links / "inner").symlink_to("../a check out/netmodes")
    (machine.folder / "netmodes").symlink_to(links / "inner")
    # The bare name has no slash in it, as in `sh netmodes`.
    done = machine.run("doctor", interpreter=[path, *shell[1:]], script="netmodes", cwd=machine.folder, umask=0o077)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor\n"


def test_cdpath_is_ignored(machine: Machine) -> None:
    decoys = machine.folder / "decoys"
    for name in ("a check out", "kept"):
        (decoys / name).mkdir(parents=True)
        (machine.folder / name).mkdir(exist_ok=True)
    done = machine.run("doctor", script="a check out/netmodes", CDPATH=str(decoys), NETMODES_DATA_DIR="kept")
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor\n"
    assert (machine.folder / "kept" / "venv").is_dir()


def test_the_data_folder_is_closed_to_others(machine: Machine) -> None:
    machine.data.mkdir(mode=0o755)
    machine.run("doctor")
    assert stat.S_IMODE(machine.data.stat().st_mode) == 0o700


def test_a_chosen_data_folder_is_made_and_exported(machine: Machine) -> None:
    assert machine.run("doctor", NETMODES_DATA_DIR="kept here/deep").returncode == 0
    kept = machine.folder / "kept here" / "deep"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert machine.commands()[0][1:] == [*f"{kept}".split(" "), ""]
    assert not machine.data.exists()


def test_a_data_folder_that_cannot_be_made_is_reported_in_one_line(machine: Machine) -> None:
    (machine.folder / "file").touch()
    done = machine.run("doctor", NETMODES_DATA_DIR=f"{machine.folder}/file/var")
    assert done.returncode == 1
    assert done.stderr == (
        f"netmodes: cannot create {machine.folder}/file/var: set NETMODES_DATA_DIR to a folder that you can write to\n"
    )


def test_a_folder_with_other_files_keeps_its_mode(machine: Machine) -> None:
    shared = machine.folder / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "somebody's").touch()
    machine.run("doctor", NETMODES_DATA_DIR=str(shared))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_the_command_takes_the_place_of_the_launcher_so_that_ctrl_c_reaches_it(machine: Machine) -> None:
    machine.run("doctor")
    with machine.start("doctor", stderr=machine.folder / "says") as launcher:
        launcher.communicate(timeout=30)
    assert machine.commands()[-1][0] == str(launcher.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_an_installation_ends_it_with_one_sentence(machine: Machine, number: signal.Signals) -> None:
    os.mkfifo(machine.gate)
    messages = machine.folder / "messages"
    with machine.start("doctor", stderr=messages) as launcher, machine.gate.open("w"):  # opens once pip reads
        launcher.send_signal(number)
        assert launcher.wait(20) == 128 + number
    assert messages.read_text().splitlines()[-1] == "Interrupted."
    assert "Traceback" not in messages.read_text()
    machine.gate.unlink()
    assert machine.run("doctor").returncode == 0


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.02, 0.04, 0.08, 0.16])
def test_ctrl_c_in_the_first_moment_prints_no_traceback(machine: Machine, delay_s: float) -> None:
    for program in ("env", "true"):
        (machine.bin / program).symlink_to(shutil.which(program) or program)
    os.mkfifo(machine.gate)
    messages = machine.folder / "messages"
    with machine.start("doctor", stderr=messages) as launcher:
        end = time.monotonic() + delay_s
        until(lambda: time.monotonic() >= end)
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(20) in {130, -signal.SIGINT}
    # A pip that the signal did not reach ends once its gate has been opened for writing.
    gate = os.open(machine.gate, os.O_RDWR | os.O_NONBLOCK)
    machine.gate.unlink()
    os.close(gate)
    until(lambda: not machine.is_used())  # what the signal did not reach would write to the folder while it is removed
    assert messages.read_text().splitlines()[-1:] in ([], ["Interrupted."])
    assert "Traceback" not in messages.read_text()


@pytest.mark.parametrize("ignored", [True, False])
def test_ctrl_c_reaches_the_command_even_if_the_launcher_was_started_with_it_ignored(
    machine: Machine, ignored: bool
) -> None:
    """A shell ignores SIGINT and SIGQUIT in background jobs."""
    (machine.checkout / "manage.py").touch()
    machine.run("doctor")
    python = machine.data / "venv/bin/python"
    python.write_text(
        python.read_text().replace('*manage.py*) echo "ran $*";', "*manage.py*) grep SigIgn /proc/$$/status;")
    )
    trap = "trap '' INT QUIT; " if ignored else ""
    done = machine.run(
        "-c", f'{trap}exec "$0" doctor', str(machine.checkout / "netmodes"), interpreter=["/bin/sh"], script="-e"
    )
    (mask,) = re.findall(r"^SigIgn:\s+([0-9a-f]+)$", done.stdout, re.MULTILINE)
    assert int(mask, 16) & 0b110 == 0, "SIGINT is bit 1, SIGQUIT is bit 2"


@pytest.mark.parametrize(
    ("command", "own", "passed"),
    [("up", {}, ALLOCATOR), ("up", {"GLIBC_TUNABLES": "own"}, "own"), ("lab", {}, ALLOCATOR), ("doctor", {}, "")],
)
def test_a_lab_is_started_with_the_setting_of_the_allocator(
    machine: Machine, command: str, own: dict[str, Any], passed: str
) -> None:
    machine.run("doctor")
    python = machine.data / "venv/bin/python"
    python.write_text(
        python.read_text().replace('*manage.py*) echo "ran $*";', '*manage.py*) echo "[$GLIBC_TUNABLES]";')
    )
    assert machine.run(command, **own).stdout == f"[{passed}]\n"


@pytest.mark.parametrize("command", ["up", "compare", "hosts", "lan", "bench"])
def test_entering_namespaces_needs_root_and_the_docker_group_is_not_enough(user_machine: Machine, command: str) -> None:
    user_machine.install("sudo")
    with engine(user_machine.socket):
        done = user_machine.run(
            command, "host", "it's", NETMODES_DATA_DIR=str(user_machine.folder / "d"), DOCKER_HOST="unix:///e.sock"
        )
    assert done.returncode == 1
    assert "docker group" in done.stderr
    typed = next(line for line in done.stderr.splitlines() if line.startswith("  sudo"))
    assert typed == (
        f"  sudo NETMODES_DATA_DIR={user_machine.folder}/d DOCKER_HOST=unix:///e.sock"
        f" '{user_machine.checkout}/netmodes' {command} host 'it'\\''s'"
    )
    assert user_machine.asked() == []
    assert not user_machine.data.exists()


def test_the_line_for_root_keeps_the_choice_to_install_nothing(user_machine: Machine) -> None:
    user_machine.install("sudo")
    done = user_machine.run("--no-install", "up", "--port", "8001")
    assert f"  sudo NETMODES_NO_INSTALL=1 '{user_machine.checkout}/netmodes' up --port 8001\n" in done.stderr


def test_the_help_of_a_command_needs_no_root(user_machine: Machine) -> None:
    assert user_machine.run("up", "--help").stdout == f"ran {user_machine.checkout}/manage.py up --help\n"


def test_the_check_runs_every_tool_even_if_the_first_fails(machine: Machine) -> None:
    machine.install("python3", machine.python(failing="format"))
    done = machine.run("check")
    assert done.returncode == 1
    verdicts = re.findall(r"^(ok|failed) +(.+)$", done.stdout, re.MULTILINE)
    assert verdicts == [
        ("failed", "ruff format"),
        ("ok", "ruff check"),
        ("ok", "mypy"),
        ("ok", "import contracts"),
        ("ok", "shellcheck"),
        ("ok", "djade"),
    ]
    assert f"-r {machine.checkout}/requirements-dev.txt" in machine.asked("python")[1]


def test_the_check_succeeds_when_every_tool_does(machine: Machine) -> None:
    assert machine.run("check").returncode == 0


@pytest.fixture
def with_modules(machine: Machine) -> Machine:
    """The machine with a browser module and its test."""
    for path in ("static/dashboard/js/core/a.js", "tests/js/a.test.mjs"):
        (machine.checkout / path).parent.mkdir(parents=True)
        (machine.checkout / path).touch()
    return machine


def test_pytest_runs_last_and_gets_the_arguments(with_modules: Machine) -> None:
    done = with_modules.run("test", "-k", "two words")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "node --experimental-vm-modules --no-warnings tests/js/parse.mjs static/dashboard/js/core/a.js",
        "node --test tests/js/**/*.test.mjs",
        f"python -m pytest -o cache_dir={with_modules.data}/cache/pytest -n auto -m not slow -k two words",
    ]
    assert "Installing docker.io: the tests start their own Docker Engine" in done.stderr


@pytest.mark.parametrize(
    ("words", "given"), [(["-n0"], "-n auto -m not slow -n0"), (["-p", "no:xdist", "-x"], "-m not slow -p no:xdist -x")]
)
def test_the_user_can_choose_the_number_of_workers(machine: Machine, words: list[str], given: str) -> None:
    done = machine.run("test", *words)
    assert done.stdout == f"python -m pytest -o cache_dir={machine.data}/cache/pytest {given}\n"


def test_a_failing_browser_module_fails_the_tests_and_pytest_still_runs_last(with_modules: Machine) -> None:
    with_modules.install("python3", with_modules.python(failing="--test"))
    done = with_modules.run("test")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("python -m pytest ")


def test_the_engine_tests_need_root_and_the_others_do_not(user_machine: Machine) -> None:
    refused = user_machine.run("test")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "-m 'not engine and not browser'" in refused.stderr
    allowed = user_machine.run("test", "-m", "not engine and not browser")
    assert "python -m pytest " in allowed.stdout
    assert user_machine.asked("apt-get") == []
