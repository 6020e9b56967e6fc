"""The shell of ``hosts enter``: its command, its environment, and what it sees on a real private host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dashboard.engine.hosts.enter import enter_command, enter_environment
from dashboard.engine.hosts.limits import shell_files
from dashboard.engine.hosts.registry import PrivateHost
from tests.support.private_engine import PrivateEngine

HOST = PrivateHost("abc123", 812, 4026532000, "/run/netmodes/abc123/docker.sock", 1.0, Path("/nowhere"), 1, "")


def test_the_command_enters_network_mount_and_uts_namespaces_of_the_engine() -> None:
    command = enter_command(HOST)
    start = command.index("nsenter")
    assert command[start : start + 5] == ["nsenter", "--target=812", "--net", "--mount", "--uts"]
    assert command[0] == "sh"


def test_the_environment_names_the_engine_and_keeps_no_secret() -> None:
    made = enter_environment(HOST, {"NETMODES_SECRET_KEY": "canary", "TERM": "xterm", "DOCKER_HOST": "unix:///other"})
    assert made["DOCKER_HOST"] == "unix:///run/netmodes/abc123/docker.sock"
    assert made["TERM"] == "xterm"
    assert "canary" not in "".join(made.values())


@pytest.mark.engine
def test_a_shell_is_root_on_the_host_and_finds_its_engine(engine_host: PrivateEngine) -> None:
    lines = "id -u\nreadlink /proc/self/ns/net\nhostname\ndocker info --format '{{.ID}}'\n"
    lines += "grep -c 'containers/shell$' /proc/self/cgroup\ngrep Seccomp: /proc/self/status\nexit 7\n"
    done = subprocess.run(
        enter_command(engine_host.host),
        env=enter_environment(engine_host.host, os.environ),
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == [
        "0",
        f"net:[{engine_host.host.netns}]",
        engine_host.host.name,
        engine_host.docker("info", "--format", "{{.ID}}"),
        str(len(shell_files(engine_host.host.name))),
        f"Seccomp:\t{2 if engine_host.host.owner else 0}",
    ]
