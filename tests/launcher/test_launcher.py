from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.launcher.fake_machine import REPOSITORY, Machine, engine
from tests.support.polling import until

COMMANDS = [
    "up",
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


def installs(machine: Machine) -> list[str]:
    return [line for line in machine.asked("apt-get") if " install " in line]


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


def test_the_first_start_installs_the_locked_packages_and_runs_the_command(machine: Machine) -> None:
    done = machine.run("doctor", "--json", "two words")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor --json two words\n"
    venv, pip = machine.asked("python")
    assert venv == f"python -m venv --clear {machine.data}/venv"
    assert "--require-hashes" in pip
    assert "--only-binary :all:" in pip
    assert pip.endswith(f"-r {machine.checkout}/requirements.txt")
    assert machine.asked("apt-get") == []


def test_the_second_start_asks_neither_pip_nor_the_distribution(machine: Machine) -> None:
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
        machine.forget()
        machine.remove("python3")
        done = machine.run("up", "--port", "8001")
    assert done.returncode == 0
    assert done.stdout == f"ran {machine.checkout}/manage.py up --port 8001\n"
    assert done.stderr == ""
    assert machine.asked() == []


def test_a_changed_lock_is_installed_into_the_existing_environment(machine: Machine) -> None:
    machine.run("doctor")
    machine.forget()
    with (machine.checkout / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    assert machine.run("doctor").returncode == 0
    assert [line.split()[2] for line in machine.asked()] == ["pip"]


def test_a_moved_checkout_gets_a_new_environment(machine: Machine) -> None:
    machine.run("doctor")
    machine.forget()
    moved = machine.checkout.rename(machine.folder / "moved")
    assert machine.run("doctor", script=str(moved / "netmodes")).returncode == 0
    assert machine.asked()[0] == f"python -m venv --clear {moved}/var/venv"


def test_an_interrupted_installation_is_repaired_by_the_next_start(machine: Machine) -> None:
    machine.broken.touch()
    done = machine.run("doctor")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "could not be installed" in done.stderr
    machine.broken.unlink()
    machine.forget()
    assert machine.run("doctor").returncode == 0
    assert [line.split()[2] for line in machine.asked()] == ["venv", "pip"]


def test_a_failed_installation_of_the_test_packages_leaves_the_other_commands_usable(machine: Machine) -> None:
    machine.run("doctor")
    machine.broken.touch()
    assert machine.run("check").returncode == 1
    machine.forget()
    assert machine.run("doctor").returncode == 0
    assert machine.asked() == []


def test_two_concurrent_first_starts_install_once(machine: Machine) -> None:
    os.mkfifo(machine.gate)
    second_says = machine.folder / "second"
    with machine.start("doctor", stderr=machine.folder / "first") as first:
        until(lambda: any(" pip install " in line for line in machine.asked()))
        with machine.start("doctor", stderr=second_says) as second:
            try:
                until(lambda: "Waiting for another netmodes" in second_says.read_text())
            finally:
                machine.gate.open("w").close()
                machine.gate.unlink()
            outputs = [launcher.communicate(timeout=30)[0] for launcher in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert outputs == [f"ran {machine.checkout}/manage.py doctor\n"] * 2
    assert len(machine.asked()) == 2, "one venv and one pip"


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


def test_a_data_folder_that_cannot_be_made_is_one_line_of_error(machine: Machine) -> None:
    (machine.folder / "file").touch()
    done = machine.run("doctor", NETMODES_DATA_DIR=f"{machine.folder}/file/var")
    assert done.returncode == 1
    assert done.stderr == (
        f"netmodes: cannot make {machine.folder}/file/var: set NETMODES_DATA_DIR to a folder that you can write to\n"
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
    launcher = machine.start("doctor", stderr=machine.folder / "says")
    launcher.communicate(timeout=30)
    assert machine.commands()[-1][0] == str(launcher.pid)


def test_root_without_python_installs_it_and_prints_the_reason(machine: Machine) -> None:
    machine.remove("python3")
    done = machine.run("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor --json\n"
    assert "Installing python3: " in done.stderr
    assert "Installing python3-venv: " in done.stderr
    (line,) = installs(machine)
    assert line.endswith("--no-install-recommends -y install python3 python3-venv")


def test_an_unsuitable_python_first_on_path_is_skipped(machine: Machine) -> None:
    machine.install("python3.12", machine.python(suitable=False))
    machine.install("python3.14", "#!/bin/sh\necho 'pyenv: python3.14: command not found' >&2; exit 127\n")
    done = machine.run("doctor")
    assert done.returncode == 0
    assert "pyenv" not in done.stderr
    assert machine.asked("apt-get") == []


def test_a_system_with_an_old_python_only_gets_a_hint(machine: Machine) -> None:
    machine.install("python3", machine.python(suitable=False))
    (machine.folder / "python3").write_text(machine.python(suitable=False))
    done = machine.run("doctor")
    assert done.returncode == 1
    assert "Debian 13 and Ubuntu 24.04" in done.stderr


@pytest.mark.parametrize("sudo", [True, False])
def test_an_ordinary_user_gets_the_lines_to_type_and_nothing_is_installed(user_machine: Machine, sudo: bool) -> None:
    user_machine.remove("python3")
    if sudo:
        user_machine.install("sudo")
    done = user_machine.run("doctor", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    install = "apt-get install --no-install-recommends python3 python3-venv"
    assert (f"  sudo {install}\n" if sudo else f"  su -c '{install}'\n") in done.stderr
    assert user_machine.asked() == []


def test_without_apt_the_error_names_the_packages(machine: Machine) -> None:
    machine.remove("python3", "apt-get")
    done = machine.run("doctor")
    assert done.returncode == 1
    assert "python3-venv: " in done.stderr
    assert "package manager" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (["--no-install", "up"], ""),
        (["up", "--no-install"], "0"),
        (["up", "--port", "8001", "--no-install"], ""),
        (["up"], "1"),
    ],
)
def test_no_install_prints_what_to_type_instead_of_installing_an_engine(
    machine: Machine, arguments: list[str], variable: str
) -> None:
    done = machine.run(*arguments, NETMODES_NO_INSTALL=variable)
    assert done.returncode == 1
    assert f"docker.io: no Docker Engine answers at unix://{machine.socket}" in done.stderr
    assert "  apt-get install --no-install-recommends docker.io" in done.stderr
    assert machine.asked("apt-get") == []
    assert machine.commands() == []


def test_all_missing_packages_are_named_at_once(machine: Machine) -> None:
    machine.remove("python3", "netstat")
    done = machine.run("up", "--no-install")
    assert done.returncode == 1
    assert (
        "  apt-get install --no-install-recommends python3 python3-venv net-tools docker.io iptables\n" in done.stderr
    )


@pytest.mark.parametrize("command", ["up", "compare", "doctor"])
def test_the_shell_names_the_same_packages_as_python(machine: Machine, command: str) -> None:
    machine.remove("ip", "netstat", "busybox", "docker", "mkfs.ext4")
    with_python = machine.run("--no-install", command).stderr
    machine.remove("python3")
    shutil.rmtree(machine.data / "venv", ignore_errors=True)
    without = machine.run("--no-install", command).stderr
    python = "python3: Netmodes is written in Python"
    lines = [line for line in without.splitlines() if not line.startswith(("python3", "  apt-get install"))]
    assert python in without
    if command != "doctor":
        assert lines == [line for line in with_python.splitlines() if not line.startswith("  apt-get install")]
        assert " python3 python3-venv iproute2 net-tools busybox-static docker.io iptables e2fsprogs\n" in without
    else:
        assert "apt-get install --no-install-recommends python3 python3-venv\n" in without


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


def test_no_install_is_passed_on_to_the_command_as_a_variable_only(machine: Machine) -> None:
    machine.install("dockerd")
    done = machine.run("--no-install", "up", "--port", "8001")
    assert done.stdout == f"ran {machine.checkout}/manage.py up --port 8001\n"
    assert machine.commands()[0][-1] == "1"


def test_an_engine_that_answers_is_used(machine: Machine) -> None:
    with engine(machine.socket):
        done = machine.run("compare", "host", "bridge")
    assert done.returncode == 0, done.stderr
    assert machine.asked("apt-get") == []


def test_root_without_an_engine_installs_one_and_prints_the_reason(machine: Machine) -> None:
    machine.remove("docker")
    done = machine.run("up")
    assert done.returncode == 0, done.stderr
    assert f"Installing docker.io: no Docker Engine answers at unix://{machine.socket}\n" in done.stderr
    assert [line.split(" install ")[1].split()[0] for line in installs(machine)] == ["docker.io", "docker-cli"]
    assert machine.asked("systemctl") == [], "no systemd runs here: the command starts a private host"


def test_a_dead_socket_is_no_engine(machine: Machine) -> None:
    with engine(machine.socket):
        pass
    assert machine.socket.is_socket()
    assert "Installing docker.io" in machine.run("up").stderr


def test_an_installed_engine_that_does_not_run_is_left_alone(machine: Machine) -> None:
    machine.install("dockerd")
    machine.systemd.mkdir()
    assert machine.run("up").returncode == 0
    assert machine.asked("apt-get") == machine.asked("systemctl") == []


def test_a_new_engine_is_started_where_systemd_runs(machine: Machine) -> None:
    machine.systemd.mkdir()
    assert machine.run("up").returncode == 0
    assert machine.asked("systemctl") == ["systemctl start docker"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "unix:///nowhere.sock"])
def test_an_engine_named_by_docker_host_is_never_replaced(machine: Machine, address: str) -> None:
    done = machine.run("up", DOCKER_HOST=address)
    assert done.returncode == 0
    assert machine.asked("apt-get") == []
    assert (f"no Docker Engine answers at {address}" in done.stderr) == address.startswith("unix")


@pytest.mark.parametrize("command", ["doctor", "link", "reap", "check"])
def test_commands_without_containers_install_no_engine(machine: Machine, command: str) -> None:
    machine.remove("ip", "netstat", "busybox", "docker")
    machine.run(command)
    assert machine.asked("apt-get") == []


def test_missing_tools_are_installed_together(machine: Machine) -> None:
    machine.remove("ss", "netstat", "busybox")
    with engine(machine.socket):
        done = machine.run("up")
    assert done.returncode == 0, done.stderr
    (line,) = installs(machine)
    assert line.endswith("install iproute2 net-tools busybox-static")


def test_the_package_lists_are_read_only_when_they_are_needed(machine: Machine) -> None:
    machine.remove("ss")
    with engine(machine.socket):
        machine.run("up")
        assert not any(line.endswith(" update") for line in machine.asked())
        machine.lists.unlink()
        machine.forget()
        assert machine.run("up").returncode == 0
    assert sum(line.endswith(" update") for line in machine.asked()) == 1


def test_the_output_of_apt_is_shown_only_when_it_failed(machine: Machine) -> None:
    machine.remove("ss")
    with engine(machine.socket):
        assert "noise of apt-get" not in machine.run("up").stderr
        machine.install("apt-get", "#!/bin/sh\necho 'E: No space left on device'; exit 100\n")
        done = machine.run("up")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "E: No space left on device" in done.stderr
    assert "apt-get could not install iproute2" in done.stderr


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


def test_the_npm_packages_are_installed_once_and_run_no_scripts(machine: Machine) -> None:
    machine.run("test")
    stamp = machine.data / "node" / ".stamp"
    assert stamp.exists()
    assert json.loads((machine.data / "node" / "package.json").read_text())["private"]
    before = stamp.stat().st_mtime_ns
    machine.run("test")
    assert stamp.stat().st_mtime_ns == before
    assert [" ci " in f" {line} " and "--ignore-scripts" in line for line in machine.asked("npm")] == [True]


def test_the_browser_libraries_are_served_from_the_checkout_and_fetched_once(machine: Machine) -> None:
    served = machine.checkout / "static/vendor/xterm"
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
        (asked,) = machine.asked("npm")
        assert asked.startswith(f"npm ci {machine.data}/vendor --ignore-scripts ")
        assert asked.endswith(" --omit=dev")
        assert sorted(one.name for one in served.iterdir()) == [
            ".stamp", "LICENSE", "addon-fit.mjs", "xterm.css", "xterm.mjs",
        ]  # fmt: skip
        assert not (machine.data / "vendor").exists()
        with (machine.checkout / "package-lock.json").open("a") as lock:
            lock.write("\n")
        machine.run("up")
        machine.run("up")
    assert len(machine.asked("npm")) == 2, "again only after the lock changed"


def test_a_machine_that_cannot_reach_npm_serves_and_the_next_start_retries(machine: Machine) -> None:
    with engine(machine.socket):
        machine.run("doctor")
        machine.broken.touch()
        done = machine.run("up")
        assert done.returncode == 0
        assert done.stdout == f"ran {machine.checkout}/manage.py up\n"
        assert "training sessions have no terminal" in done.stderr
        machine.broken.unlink()
        done = machine.run("up")
    assert "could not" not in done.stderr
    assert (machine.checkout / "static/vendor/xterm/.stamp").exists()


def test_node_alone_is_installed_beside_the_run_lock(machine: Machine) -> None:
    machine.run("doctor")
    shutil.rmtree(machine.data / "venv/lib")
    machine.forget()
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
    pip = next(line for line in machine.asked("python") if " pip install " in line)
    assert f"--require-hashes --only-binary :all: --retries 1 --timeout 15 --target {machine.data}/vendor/tool" in pip


def test_lighthouse_is_installed_once_and_only_for_its_benchmark(machine: Machine) -> None:
    with engine(machine.socket):
        machine.run("bench", "launch")
        machine.run("bench", "pages", "--help")
        assert machine.asked("npm") == []
        machine.run("bench", "launch", "pages")
        machine.run("bench", "pages")
    (asked,) = machine.asked("npm")
    assert asked.startswith(f"npm ci {machine.data}/lighthouse --ignore-scripts ")
    assert (machine.data / "lighthouse/package.json").read_text() == (
        REPOSITORY / "dashboard/bench/lighthouse/package.json"
    ).read_text()


def test_the_tests_share_their_npm_packages_with_the_pages(machine: Machine) -> None:
    machine.run("test")
    assert [line.split()[2] for line in machine.asked("npm")] == [f"{machine.data}/node".split()[0]]
    assert (machine.checkout / "static/vendor/xterm/xterm.css").exists()


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
