"""The shell of ``hosts enter``: its command, its environment, and what it sees on a real private host."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.engine.hosts.enter import enter_command, enter_environment
from dashboard.engine.hosts.limits import shell_files
from dashboard.engine.hosts.registry import PrivateHost
from tests.support.private_engine import PrivateEngine
from tests.support.screens import READY, READY_THEN_SLEEP, Screen, local_shell

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


#: Runs the shell of the host in the folder that is given, or a local one instead; prints its exit status.
RUN_SHELL = """
import os, pty, sys
from pathlib import Path
from dashboard import interrupts
from dashboard.engine.hosts import enter, registry
interrupts.end_at_once(); interrupts.raise_interrupts()
host = registry.read_host(Path(sys.argv[1])) if sys.argv[1:] else None
if host is None:
    enter.open_terminal = lambda _host: (*pty.openpty(), "")
    enter.enter_command = lambda _host: ["sh"]
    enter.enter_environment = lambda _host, environment: dict(environment) | {"PS1": "inside# "}
sys.exit(enter.run_shell(host, os.environ))
"""


@contextmanager
def entered(prompt: str, *arguments: str) -> Iterator[Screen]:
    """A terminal of this machine in which a user has entered a host."""
    screen = Screen(local_shell(90, 20))
    try:
        screen.sees(r"\$ ")
        command = shlex.join([sys.executable, "-c", RUN_SHELL, *arguments])
        screen.type(f"cd {shlex.quote(str(Path.cwd()))}; {command}\r")
        screen.sees(prompt, 20)
        yield screen
    finally:
        screen.shell.end()


def test_a_shell_gets_another_terminal_that_behaves_like_the_users() -> None:
    with entered("inside# ") as screen:
        outside = os.ttyname(os.open(f"/proc/{screen.shell.pid}/fd/0", os.O_RDWR | os.O_NOCTTY))
        device, code = screen.run("tty")
        assert code == 0, "it is the controlling terminal, too"
        assert device.strip() not in {"", outside}
        assert screen.run("tty < /dev/tty; stty size")[0].splitlines() == ["/dev/tty", "20 90"]
        screen.shell.resize(70, 15)
        screen.run("until [ \"$(stty size)\" = '15 70' ]; do :; done")
        for program, output in ((READY_THEN_SLEEP, READY), ("yes", "y\r\ny")):
            screen.type(f"{program}\r")
            screen.sees(output)
            screen.type("\x03")
            screen.sees("inside# ")
        screen.type("exit 7\r")
        screen.sees(r"\$ ")
        screen.type("echo code-$?\r")
        screen.sees("code-7\r\n")
        assert screen.run("stty -a | grep -wo icanon") == ("icanon\n", 0)


def test_a_shell_without_a_terminal_reads_commands_and_has_no_controlling_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_SHELL],
        input="echo out\n(: < /dev/tty) || echo none >&2\nexit 7\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.endswith("none\n")


@pytest.mark.engine
def test_no_descriptor_of_a_shell_on_a_host_is_a_terminal_of_the_machine(engine_host: PrivateEngine) -> None:
    host = engine_host.host
    if not host.owner:
        pytest.skip("root of this host is root of the machine")
    with entered(f"root@{host.name}:.*# ", str(host.folder)) as screen:
        devices, code = screen.run("stat -L -c %d /proc/$$/fd/*; tty")
        *numbers, path = devices.split()
        assert (code, path.startswith("/dev/pts/")) == (0, True)
        assert len(numbers) >= 3
        assert str(Path("/dev/pts").stat().st_dev) not in numbers
        screen.type("exit 7\r")
        screen.sees(r"\$ ")
        screen.type("echo code-$?\r")
        screen.sees("code-7\r\n")
