"""A shell on a real private host: its environment, what it cannot see, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.shell import HostShellError, open_shell, open_terminal
from tests.support.polling import until
from tests.support.screens import READY, READY_THEN_SLEEP, Screen
from tests.support.terminal import ignored_signals

pytestmark = pytest.mark.engine
LIMITS = HostLimits(256, 128, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with a secret in it; nothing runs in it at the end."""
    made = tmp_path_factory.mktemp("shells")
    (made / "secret.key").write_text("canary-of-the-data-folder")
    yield made
    asyncio.run(private_host.stop_all(made))


@pytest.fixture(scope="module")
def hosts(folder: Path) -> tuple[PrivateHost, PrivateHost]:
    """Two hosts: one for the shell, and its neighbour."""

    async def both() -> tuple[PrivateHost, PrivateHost]:
        one, two = (private_host.start(folder, limits=LIMITS, group=f"g-{number}") for number in (1, 2))
        return await asyncio.gather(one, two)

    return asyncio.run(both())


@contextmanager
def at(host: PrivateHost, greeting: str = "") -> Iterator[Screen]:
    """Opens a shell on a host, and closes it at the end of the block."""
    screen = Screen(open_shell(host, 100, 30, greeting=greeting))
    try:
        screen.sees(r":~# ")
        yield screen
    finally:
        screen.shell.end()


def shell_processes(host: PrivateHost) -> list[int]:
    return processes(host.name, "containers/shell")


def test_a_shell_is_on_its_own_host_and_sees_nothing_of_the_machine(
    hosts: tuple[PrivateHost, PrivateHost], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, neighbour = hosts
    monkeypatch.setenv("NETMODES_SECRET_KEY", "canary-of-the-environment")
    with at(host, "Welcome to the test.") as screen:
        # The shell has the tools for which it was made.
        assert screen.run("docker info --format '{{.Name}}'") == (f"{host.name}\n", 0)
        assert screen.run("docker ps --format x") == ("", 0)
        for line, words in (
            ("hostname", host.name),
            ("ip -br addr show docker0", "172.17.0.1/16"),
            ("cat /etc/hosts", host.name),
            ("netstat -rn", "docker0"),
            ("ss -Hltn | wc -l", "0"),
            ("iptables -t nat -S DOCKER", "-N DOCKER"),
            ("cat /etc/greeting", "Welcome to the test."),
            ("curl -s --unix-socket /run/docker.sock http://docker/_ping", "OK"),
            ("tty", "/dev/console"),
            ("grep ' /dev/pts ' /proc/self/mounts", "max=64"),
            ("stty size", "30 100"),
            ("sudo id -u", "0"),
            ("touch /tmp/x /root/y && echo made", "made"),
            ("cat /proc/sys/net/ipv4/ip_forward", "1"),
        ):
            text, status = screen.run(line)
            assert (words in text, status) == (True, 0), (line, text)
        # It sees neither files nor processes nor sockets of the machine and of others.
        for path in (
            str(folder),
            neighbour.socket,
            "/run/netmodes",
            "/etc/shadow",
            "/home",
            "/boot",
            "/sys/fs/cgroup/cpu",
            "/sys/kernel/security",
            "/dev/sda",
            "/dev/kmsg",
            "/var/lib/docker",
            str(Path(__file__).parent),
        ):
            assert screen.run(f"ls {path}")[1] != 0, path
        text, _ = screen.run("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
        assert "canary" not in text
        assert str(folder) not in text
        assert "python" not in text
        assert int(screen.run("ls -d /proc/[0-9]* | wc -l")[0]) < 12
        assert "canary" not in screen.run("env; mount; cat /proc/self/mountinfo")[0]
        # It cannot change the machine, and has no privilege with which it could.
        for line in (
            "touch /usr/x",
            "touch /etc/x",
            "touch /x",
            "sh -c 'echo x > /proc/sys/kernel/core_pattern'",
            "mount -t tmpfs none /tmp",
            "umount /run/docker.sock",
            "mknod /tmp/disk b 8 0",
            "unshare --mount true",
            "nsenter --target 1 --mount true",
            "hostname other",
            f"kill -0 {os.getpid()}",
            "mount -o remount,rw /",
            "chroot / true",
            "date -s 2000-01-01",
        ):
            assert screen.run(line)[1] != 0, line
        caps = int(screen.run("grep CapEff /proc/self/status")[0].split()[1], 16)
        assert caps == sum(1 << number for number in (0, 3, 5, 6, 7, 10, 12, 13))
        assert screen.run("grep NoNewPrivs /proc/self/status")[0].split()[1] == "1"
    until(lambda: not shell_processes(host))


def test_a_shell_takes_keys_and_sizes_and_reports_its_end(hosts: tuple[PrivateHost, PrivateHost]) -> None:
    host, _ = hosts
    with at(host) as screen:
        assert shell_processes(host), "it counts within the host's limits"
        screen.type(f"{READY_THEN_SLEEP}; echo over\r")
        screen.sees(READY)
        screen.type("\x03")
        screen.sees(r"\^C")
        assert screen.run("echo grün 漢字") == ("grün 漢字\n", 0)
        # The trap ends the sleep itself, because it may run before ``wait`` begins.
        screen.type("trap 'kill %1; echo resized' WINCH; sleep 1007 & echo _$((40+4))_; wait; trap - WINCH\r")
        screen.sees("_44_")
        screen.shell.resize(120, 40)
        screen.sees("resized")
        assert screen.run("stty size")[0].startswith("40 120\n")
        # Programs in the background end with the shell.
        assert screen.run("nohup sleep 1001 >/dev/null 2>&1 & true")[1] == 0
        screen.type("exit 3\r")
        until(lambda: screen.shell.read(65536) == b"")
        assert screen.shell.end() == 3
        assert screen.shell.end() is None, "harmless when repeated"
    until(lambda: not shell_processes(host))


def test_ctrl_c_works_on_a_server_that_was_started_in_the_background_of_a_script(
    hosts: tuple[PrivateHost, PrivateHost], interrupts_ignored: None
) -> None:
    with at(hosts[0]) as screen:
        status, _ = screen.run("sh -c 'cat /proc/self/status'")
        assert ignored_signals(status).isdisjoint({signal.SIGINT, signal.SIGQUIT})
        screen.type(f"{READY_THEN_SLEEP}\r")
        screen.sees(READY)
        screen.type("\x03")
        screen.sees(r"\^C(?s:.*):~# ")


def test_a_program_that_reads_nothing_is_interrupted_all_the_same(hosts: tuple[PrivateHost, PrivateHost]) -> None:
    with at(hosts[0]) as screen:
        screen.type(f"{READY_THEN_SLEEP}\r")
        screen.sees(READY)
        flood = b"x\r" * 2000
        while taken := screen.shell.write(flood):
            flood = flood[taken:] or b"x\r" * 2000
        screen.shell.interrupt()
        screen.sees(r"\^C")
        assert screen.run("echo here") == ("here\n", 0), "what was typed before is gone"


def test_limits_hold_and_a_fork_bomb_harms_only_the_shell(hosts: tuple[PrivateHost, PrivateHost]) -> None:
    host, _ = hosts
    bomb = "i=0; while [ $i -lt 300 ]; do sleep 1002 & i=$((i+1)); done"
    with at(host) as screen:
        text, status = screen.run(f"sh -c '{bomb}'")
        assert ("ork" in text, status != 0) == (True, True), text
        assert len(shell_processes(host)) <= LIMITS.pids
        command = ["docker", "-H", host.endpoint, "ps"]
        done = subprocess.run(command, capture_output=True, timeout=20, check=False, env={"PATH": os.defpath})
        assert done.returncode == 0, "its engine has room of its own"
    until(lambda: not shell_processes(host))


def test_a_lack_of_pseudo_terminals_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pty, "openpty", refuse)
    with pytest.raises(OSError, match=r"no free pseudo-terminal \(kernel\.pty\.max\)"):
        open_terminal(PrivateHost("abc", 1, 1, "", 1.0, tmp_path, 1))


def test_a_shell_ends_with_its_host_and_cannot_start_without_it(folder: Path) -> None:
    host = asyncio.run(private_host.start(folder, limits=LIMITS, group="g-3"))
    with at(host) as screen:
        asyncio.run(private_host.stop(host))
        until(lambda: screen.shell.read(65536) == b"")
        assert screen.shell.end() is None
    with pytest.raises(HostShellError, match="is not running"):
        open_shell(host, 80, 24)


def test_a_shell_ends_when_the_servers_end_of_its_terminal_is_closed(hosts: tuple[PrivateHost, PrivateHost]) -> None:
    """As after kill -9 of the server."""
    host, _ = hosts
    with at(host) as screen:
        screen.type("sleep 1003\r")
        screen.sees("sleep 1003\r\n")
        os.close(screen.shell.fd)
        screen.shell.fd = os.open("/dev/null", os.O_RDWR)
        until(lambda: not shell_processes(host))
