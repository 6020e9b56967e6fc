"""The launcher installs packages of the distribution, or prints what to type."""

from __future__ import annotations

import shutil

import pytest

from tests.launcher.fake_machine import Machine, engine


def installs(machine: Machine) -> list[str]:
    return [line for line in machine.asked("apt-get") if " install " in line]


def test_root_without_python_installs_it_and_prints_the_reason(machine: Machine) -> None:
    machine.remove("python3")
    done = machine.run("doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor --json\n"
    assert "Installing python3: " in done.stderr
    assert "Installing python3-venv: " in done.stderr
    (line,) = installs(machine)
    assert line.endswith("--no-install-recommends -y install python3 python3-venv")


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
