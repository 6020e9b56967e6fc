"""``./netmodes hosts``: private Docker hosts."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import start_ticks
from dashboard.engine.hosts.private_host import PrivateHost, PrivateHostError
from dashboard.management.commands import hosts
from tests.support.private_engine import share_lab_image
from tests.support.terminal import ROOT, Terminal, run_here

FIELDS = {"id", "pid", "netns", "socket", "started", "neighbour"}


def test_a_host_is_created_listed_used_and_removed(nowhere: Terminal) -> None:
    share_lab_image(nowhere.folder)
    made = nowhere.run("hosts", "create", "--json")
    assert made.code == 0, made.err
    assert made.json["schema"] == "hosts/1"
    (host,) = made.json["hosts"]
    assert set(host) == FIELDS
    assert Path(f"/proc/{host['pid']}/ns/net").stat().st_ino == host["netns"]
    neighbour = Path(f"/proc/{host['pid']}/root/run/netmodes/{host['id']}/neighbour")
    assert host["neighbour"] == {
        "netns": neighbour.stat().st_ino,
        "addresses": ["192.0.2.10", "2001:db8::10"],
    }
    listed = nowhere.run("hosts", "list", "--json")
    assert listed.json["hosts"] == [host]
    images = subprocess.check_output(["docker", "-H", f"unix://{host['socket']}", "images", "-q", "nginx"], text=True)
    assert images.strip()
    assert nowhere.run("hosts", "enter", host["id"]).code == 0, "the shell ends at the end of its input"
    nowhere.environment["DOCKER_HOST"] = f"unix://{host['socket']}"
    doctor = nowhere.run("doctor", "--json")
    assert doctor.json["engine"]["private"] is True
    kept = nowhere.run("compare", "bridge", "none", "--keep", "--json")
    assert kept.code == 0, kept.err
    running = subprocess.check_output(["docker", "-H", f"unix://{host['socket']}", "ps", "-q"], text=True)
    assert len(running.split()) == 2, "--keep leaves them on a private host that outlives the command"
    removed = nowhere.run("hosts", "remove", host["id"], "--json")
    assert (removed.code, removed.json["hosts"]) == (0, [host])
    assert nowhere.run("hosts", "list", "--json").json["hosts"] == []
    assert start_ticks(host["pid"]) is None, "it is still running"
    assert not Path(host["socket"]).exists()
    assert nowhere.run("hosts", "list").out.strip() == "No private host is running."


def test_if_one_host_cannot_be_created_none_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second host fails while the third one is being started."""
    running: set[str] = set()
    cancelled = asyncio.Event()
    numbers = itertools.count(1)

    async def start(_folder: Path) -> SimpleNamespace:
        number = next(numbers)
        if number == 3:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        running.add(f"host{number}")
        return SimpleNamespace(id=f"host{number}")

    async def stop(host: SimpleNamespace) -> None:
        assert cancelled.is_set(), "a host that is still being started would be left"
        running.discard(host.id)

    async def add_image(host: SimpleNamespace, _folder: Path, _say: Callable[[str], None]) -> None:
        if host.id == "host2":
            raise PrivateHostError("The lab image cannot be loaded.")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(private_host, "start", start)
    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(hosts, "add_image", add_image)
    done = run_here(capsys, "hosts", "create", "3", "--json")
    assert (done.code, done.out) == (1, "")
    assert "The lab image cannot be loaded." in done.err
    assert running == set()
    assert cancelled.is_set()


@pytest.mark.parametrize("arguments", [("a", "b"), ("--all",)], ids=" ".join)
def test_a_host_that_cannot_be_removed_is_reported_and_the_others_are_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    stopped: list[str] = []

    async def stop(host: PrivateHost) -> None:
        if host.id == "a":
            raise OSError("cgroups of netmodes-a remain busy")
        stopped.append(host.id)

    running = tuple(PrivateHost(name, 1, 1, "", 1.0, Path("/nowhere"), 1) for name in "ab")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(private_host, "list_hosts", lambda _folder: running)
    monkeypatch.setattr(private_host, "stop", stop)
    done = run_here(capsys, "hosts", "remove", *arguments, "--json")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Private hosts cannot be removed: cgroups of netmodes-a remain busy. Try again.\n"
    assert stopped == ["b"]


def test_remains_of_an_ended_host_that_cannot_be_removed_are_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def remove(folder: Path) -> None:
        raise OSError(f"cgroups of netmodes-{folder.name} remain busy")

    (tmp_path / "hosts" / "a").mkdir(parents=True)
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(private_host, "remove", remove)
    done = run_here(capsys, "hosts", "remove", "--all")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Private hosts cannot be removed: cgroups of netmodes-a remain busy. Try again.\n"


@pytest.mark.parametrize("count", ["0", "-1", "101", "two", "1.5", "9" * 30])
def test_an_invalid_number_is_exit_2(capsys: pytest.CaptureFixture[str], count: str) -> None:
    done = run_here(capsys, "hosts", "create", count, "--json")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [(), ("explode",), ("remove",), ("remove", "--all", "abc"), ("list", "abc"), ("enter",)]
)
def test_wrong_usage_is_exit_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    done = run_here(capsys, "hosts", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


@pytest.mark.parametrize("arguments", [("remove", "nobody", "--json"), ("enter", "nobody")])
def test_an_unknown_host_is_exit_1(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    done = run_here(capsys, "hosts", *arguments)
    assert (done.code, done.out) == (1, "")
    assert "Unknown private host nobody" in done.err
    assert "hosts list" in done.err


def test_removing_all_without_hosts_is_no_error(nowhere: Terminal) -> None:
    done = nowhere.run("hosts", "remove", "--all", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"schema": "hosts/1", "hosts": []}


def test_privileged_hosts_are_an_explicit_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", "user-namespace")
    assert run_here(capsys, "claims", "--list").code == 0
    assert os.environ["NETMODES_HOST_RUNTIME"] == "user-namespace"
    assert run_here(capsys, "claims", "--list", "--privileged-hosts").code == 0
    assert os.environ["NETMODES_HOST_RUNTIME"] == "privileged"


@pytest.mark.parametrize(
    "command", [("up",), ("hosts", "create"), ("compare",), ("measure",), ("claims",), ("bench",)], ids=" ".join
)
def test_the_commands_that_start_hosts_have_the_option(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    done = run_here(capsys, *command, "--help")
    assert "--privileged-hosts" in done.out


def test_where_the_kernel_refuses_user_namespaces_create_reports_it(nowhere: Terminal) -> None:
    """The command runs in a user namespace in which no other may be created."""
    share_lab_image(nowhere.folder)
    nowhere.environment["NETMODES_HOST_RUNTIME"] = "user-namespace"
    closed = "echo 0 > /proc/sys/user/max_user_namespaces"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f'{closed}; exec "$@"', "sh"]
    done = subprocess.run(
        [*command, sys.executable, str(ROOT / "manage.py"), "hosts", "create"],
        env=nowhere.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "This machine does not permit user namespaces" in done.stderr
    assert "NETMODES_HOST_RUNTIME=privileged" in done.stderr
    assert "Traceback" not in done.stderr
