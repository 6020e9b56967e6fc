"""The programs of private hosts: the machine's, or those of another root."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import private_host, programs
from dashboard.engine.hosts.private_host import PrivateHostError
from tests.support.private_engine import PrivateEngine

MARK = "netmodes-test-root"


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the settings of a run on another engine."""
    monkeypatch.delenv("NETMODES_ENGINE_ROOT", raising=False)
    monkeypatch.delenv("NETMODES_ENGINE_OPTIONS", raising=False)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the test appear to run as root, on a machine with every tool."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool, path: f"/usr/bin/{tool}")


def test_by_default_private_hosts_run_the_machines_engine() -> None:
    assert programs.engine_root() is None
    assert programs.engine_options() == {}


def test_settings_name_the_root_and_the_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETMODES_ENGINE_ROOT", str(tmp_path))
    monkeypatch.setenv("NETMODES_ENGINE_OPTIONS", '{"icc": false}')
    assert programs.engine_root() == tmp_path
    assert programs.engine_options() == {"icc": False}


@pytest.mark.parametrize("error", [FileNotFoundError(2, "missing"), subprocess.TimeoutExpired("dockerd", 10)])
def test_an_engine_that_does_not_report_its_version_has_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert programs.engine_version(None) == ""


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("text", ["[]", "{", "icc=false"])
def test_options_that_are_no_object_are_refused_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("NETMODES_ENGINE_OPTIONS", text)
    assert "NETMODES_ENGINE_OPTIONS is not a JSON object" in programs.missing_requirement()


@pytest.mark.usefixtures("as_root")
def test_a_root_without_an_engine_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/ip").touch()
    # As alternatives(7) makes it: the link is absolute and leads out of the root.
    (tmp_path / "usr/sbin/iptables").symlink_to("/etc/alternatives/no-such-iptables")
    assert f"{tmp_path} lacks dockerd, containerd: " in programs.missing_requirement(tmp_path)
    for tool in ("dockerd", "containerd"):
        (tmp_path / "usr/sbin" / tool).touch()
    assert programs.missing_requirement(tmp_path) == ""


@pytest.mark.usefixtures("as_root")
def test_a_host_with_firewalld_needs_its_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool, path: None if "bus" in tool else f"/usr/bin/{tool}")
    problem = "This machine lacks dbus-daemon, dbus-send: a private host with firewalld needs it."
    assert programs.missing_requirement(setup="firewalld") == problem
    (tmp_path / "usr/bin").mkdir(parents=True)
    for tool in (*programs.ENGINE_TOOLS, "dbus-daemon", "dbus-send"):
        (tmp_path / "usr/bin" / tool).touch()
    assert f"{tmp_path} lacks firewalld, firewall-cmd: " in programs.missing_requirement(tmp_path, "firewalld")


def test_a_machine_without_an_engine_of_its_own_can_run_the_one_of_a_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        shutil, "which", lambda tool, path: None if tool in {"dockerd", "containerd"} else f"/usr/bin/{tool}"
    )
    assert programs.missing_requirement().startswith("A private host needs dockerd, containerd: ")
    assert programs.missing_requirement(tmp_path).startswith(f"{tmp_path} lacks ")


@pytest.fixture
def other_root(tmp_path: Path) -> Iterator[Path]:
    """A root with the machine's programs and one file more."""
    root, more = tmp_path / "root", tmp_path / "more"
    (root / "usr").mkdir(parents=True)
    (more / "share").mkdir(parents=True)
    (more / "share" / MARK).write_text("another root")
    options = f"lowerdir={more}:/usr"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "netmodes-test", root / "usr"], check=True)
    yield root
    subprocess.run(["umount", root / "usr"], check=True)


@pytest.mark.engine
def test_a_host_runs_the_programs_of_its_root_after_a_restart_too(other_root: Path, tmp_path: Path) -> None:
    host = asyncio.run(private_host.start(tmp_path, root=other_root))
    try:
        assert PrivateEngine(host, tmp_path).on_machine("cat", f"/usr/share/{MARK}") == "another root"
        asyncio.run(private_host.end_engine(host))
        host = asyncio.run(private_host.start_again(host))
        assert PrivateEngine(host, tmp_path).on_machine("cat", f"/usr/share/{MARK}") == "another root"
        assert not Path(f"/usr/share/{MARK}").exists()
    finally:
        asyncio.run(private_host.stop(host))


@pytest.mark.engine
def test_a_root_that_is_no_root_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PrivateHostError, match="lacks dockerd, containerd, ip, iptables: NETMODES_ENGINE_ROOT must"):
        asyncio.run(private_host.start(tmp_path, root=tmp_path / "missing"))
    assert not (tmp_path / "hosts").exists()


@pytest.mark.engine
def test_options_of_the_setting_reach_the_engine_and_those_of_the_caller_prevail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETMODES_ENGINE_OPTIONS", json.dumps({"icc": False, "userland-proxy": False}))
    host = asyncio.run(private_host.start(tmp_path, daemon={"userland-proxy": True}))
    try:
        options = json.loads((host.folder / "daemon.json").read_text())
        machine = PrivateEngine(host, tmp_path)
        bridge = machine.docker("network", "inspect", "bridge", "--format", "{{json .Options}}")
    finally:
        asyncio.run(private_host.stop(host))
    assert (options["icc"], options["userland-proxy"]) == (False, True)
    assert json.loads(bridge)["com.docker.network.bridge.enable_icc"] == "false"


@pytest.mark.usefixtures("as_root")
def test_a_wrong_size_of_the_disks_is_refused_before_anything_is_created(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETMODES_HOST_DISK_MB", "4G")
    monkeypatch.setattr(programs, "user_namespace_refusal", lambda: "")
    problem = "NETMODES_HOST_DISK_MB is 4G: use a number of MB, at least 256, or 0 for no limit."
    assert programs.missing_requirement(runtime="user-namespace") == problem
    assert programs.missing_requirement(runtime="privileged") == "", "its disk has no limit"
    with pytest.raises(PrivateHostError, match="NETMODES_HOST_DISK_MB is 4G"):
        asyncio.run(private_host.start(tmp_path, "abc", runtime="user-namespace"))
    assert not (tmp_path / "hosts").exists()
