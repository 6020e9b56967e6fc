"""``./netmodes setup``: the same preparation as for ``up``, and a systemd service."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.fake_machine import Machine, engine

#: Keeps its state in two files, enabled and active.
SYSTEMCTL = """#!/bin/sh
case "$*" in
    '-q is-enabled '*) [ -e '{folder}/enabled' ]; exit ;;
    '-q is-active '*) [ -e '{folder}/active' ]; exit ;;
esac
echo "systemctl $*" >>'{folder}/log'
case "$*" in
    '-q enable '*) : >'{folder}/enabled' ;;
    *start*) : >'{folder}/active' ;;
esac
"""


@pytest.fixture
def booted(machine: Machine) -> Machine:
    """The machine with a running systemd."""
    machine.systemd.mkdir()
    machine.install("systemctl", SYSTEMCTL.format(folder=machine.folder))
    return machine


def setup(machine: Machine, *arguments: str, **environment: Any) -> subprocess.CompletedProcess[str]:
    machine.socket.unlink(missing_ok=True)
    with engine(machine.socket):
        return machine.run("setup", *arguments, **environment)


def settings(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if line.startswith(("ExecStart=", "Environment="))]


def test_setup_prepares_what_up_needs_and_starts_the_service(booted: Machine) -> None:
    done = setup(booted, "--host", "0.0.0.0", "--port", "8001", NETMODES_DATA_DIR=f"{booted.folder}/kept here")
    assert done.returncode == 0, done.stderr
    assert settings(booted.unit) == [
        f'ExecStart="{booted.checkout}/netmodes" up "--host" "0.0.0.0" "--port" "8001"',
        f'Environment="NETMODES_DATA_DIR={booted.folder}/kept here"',
        "Environment=NETMODES_NO_INSTALL=1",
    ]
    assert booted.asked("systemctl") == [
        "systemctl -q enable netmodes",
        "systemctl daemon-reload",
        "systemctl restart netmodes",
    ]
    assert any(" pip install " in line for line in booted.asked("python"))
    assert booted.asked("npm")
    assert booted.commands() == [], "the service runs it, not the launcher"


def test_a_second_setup_changes_nothing(booted: Machine) -> None:
    setup(booted)
    booted.forget()
    before = booted.unit.stat().st_mtime_ns
    done = setup(booted)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "netmodes.service is running. If the code has changed, restart it: systemctl restart netmodes\n"
    )
    assert booted.asked() == []
    assert booted.unit.stat().st_mtime_ns == before


def test_other_options_write_a_new_unit_and_restart_the_service(booted: Machine) -> None:
    setup(booted)
    booted.forget()
    assert setup(booted, "--port", "8001").returncode == 0
    assert booted.asked() == ["systemctl daemon-reload", "systemctl restart netmodes"]


def test_a_stopped_service_is_started_again(booted: Machine) -> None:
    setup(booted)
    (booted.folder / "active").unlink()
    booted.forget()
    assert "Starting" in setup(booted).stderr
    assert booted.asked() == ["systemctl start netmodes"]


def test_without_a_running_systemd_the_next_boot_starts_the_service(machine: Machine) -> None:
    machine.install("systemctl", SYSTEMCTL.format(folder=machine.folder))
    done = setup(machine)
    assert done.returncode == 0, done.stderr
    assert "starts when this machine boots" in done.stderr
    assert machine.asked("systemctl") == ["systemctl -q enable netmodes"]
    machine.remove("systemctl")
    machine.unit.unlink()
    assert "no service was installed" in setup(machine).stderr
    assert not machine.unit.exists()


@pytest.mark.parametrize("word", ["8001%n", "a\nExecStartPre=/bin/x", '"', "$HOME", "a|b", "a\\b"])
def test_a_character_with_a_meaning_in_units_is_refused(booted: Machine, word: str) -> None:
    done = setup(booted, "--host", word)
    assert done.returncode == 1
    assert "each argument may contain only letters" in done.stderr
    assert booted.asked() == []
    assert not booted.unit.exists()


def test_a_service_that_only_serves_pages_gets_no_engine(booted: Machine) -> None:
    done = booted.run("setup", "--role", "web")
    assert done.returncode == 0, done.stderr
    assert booted.asked("apt-get") == []
    assert settings(booted.unit)[0] == f'ExecStart="{booted.checkout}/netmodes" up "--role" "web"'


@pytest.mark.parametrize("arguments", ["--port 8001", "--role web"])
def test_setup_needs_root_and_prints_what_to_type(user_machine: Machine, arguments: str) -> None:
    user_machine.install("sudo")
    done = user_machine.run("setup", *arguments.split())
    assert done.returncode == 1
    assert f"  sudo '{user_machine.checkout}/netmodes' setup {arguments}\n" in done.stderr
    assert not user_machine.data.exists()


def test_the_service_gets_docker_host(booted: Machine) -> None:
    assert setup(booted, DOCKER_HOST=f"unix://{booted.socket}").returncode == 0
    assert settings(booted.unit)[-1] == f'Environment="DOCKER_HOST=unix://{booted.socket}"'


def test_systemd_verifies_the_unit(booted: Machine) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here: tests/vagrant_root.sh verifies the unit with Debian's")
    setup(booted, "--port", "8001")
    done = subprocess.run([analyze, "verify", booted.unit], capture_output=True, text=True, check=False, timeout=60)
    # Warnings about other units of the machine do not count.
    assert [line for line in done.stderr.splitlines() if "netmodes" in line] == []
