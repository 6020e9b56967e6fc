"""What is prepared for a private host before its engine starts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import disk, id_ranges, preparation
from dashboard.engine.hosts.limits import DelegatedCgroups
from dashboard.engine.hosts.registry import PrivateHost, is_starting, read


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrivateHost:
    monkeypatch.setattr(preparation, "RUN", tmp_path / "run")
    return PrivateHost("abc", 0, 0, str(tmp_path / "run/abc/docker.sock"), 0.0, tmp_path / "hosts/abc", 0)


def test_the_folder_has_what_the_script_reads(host: PrivateHost, tmp_path: Path) -> None:
    preparation.prepare(host, Path("/other"), {"ipv6": True}, None)
    assert json.loads((host.folder / "daemon.json").read_text()) == {"log-level": "warn", "ipv6": True}
    assert (host.folder / "root").read_text() == "/other"
    assert (host.folder / "etc" / "resolv.conf").read_text() == Path("/etc/resolv.conf").read_text()
    assert host.name in (host.folder / "etc" / "hosts").read_text()
    assert host.folder.stat().st_mode & 0o077 == 0
    assert (tmp_path / "run/abc").is_dir()


def test_other_processes_keep_the_folder_of_a_host_that_has_just_claimed_its_ids(
    host: PrivateHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    claim = id_ranges.claim
    monkeypatch.setattr(id_ranges, "claim", lambda folder: claim(folder, claims=tmp_path / "claims"))
    claimed = preparation.claim_ids(host)
    assert claimed.owner
    assert read(host.folder)["owner"] == claimed.owner
    assert is_starting(host.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_data_and_sockets_belong_to_the_root_of_a_host_in_a_user_namespace(host: PrivateHost, tmp_path: Path) -> None:
    preparation.prepare(replace(host, owner=524288), None, {}, None, is_limited=False)
    assert host.data.stat().st_uid == 524288
    assert not host.disk.exists()
    assert (tmp_path / "run/abc").stat().st_uid == 524288
    for file in (host.folder / "etc" / "resolv.conf", host.folder / "etc" / "hosts", host.folder):
        assert file.stat().st_uid == 0, "files of the machine's disk cannot grow from inside"
    assert read(host.folder)["owner"] == 524288


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_the_data_of_a_host_in_a_user_namespace_are_on_a_disk_of_limited_size(
    host: PrivateHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(disk.VARIABLE, "300")
    preparation.prepare(replace(host, owner=524288), None, {}, None)
    assert host.disk.stat().st_size == 300 << 20
    assert list(host.data.iterdir()) == []
    preparation.prepare(replace(host, folder=host.folder.with_name("def"), id="def"), None, {}, None)
    assert not host.folder.with_name("def").joinpath(disk.NAME).exists(), "root of a privileged host could mount others"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_disk_has_no_limit_only_if_the_machine_refuses_disks(
    host: PrivateHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host = replace(host, owner=524288)
    monkeypatch.setattr(disk, "probe", lambda _folder: "no loop devices")
    preparation.prepare(host, None, {}, None)
    assert not host.disk.exists()
    assert caplog.messages == ["the disk of the private host abc has no limit: no loop devices"]

    def fail(_folder: Path) -> str:
        raise TimeoutError("mount did not end within 60 s")

    monkeypatch.setattr(disk, "probe", fail)
    with pytest.raises(TimeoutError):
        preparation.prepare(replace(host, folder=host.folder.with_name("def"), id="def"), None, {}, None)
    monkeypatch.setenv(disk.VARIABLE, "4G")
    with pytest.raises(ValueError, match="use a number of MB"):
        preparation.prepare(replace(host, folder=host.folder.with_name("ghi"), id="ghi"), None, {}, None)


def test_a_host_without_limits_has_a_warning(
    host: PrivateHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host.folder.mkdir(parents=True)
    monkeypatch.setattr(preparation, "missing_controllers", lambda: ("memory", "pids"))
    monkeypatch.setattr(preparation, "make_cgroups", lambda *_: ())
    monkeypatch.setattr(preparation, "make_delegated_cgroups", lambda *_: DelegatedCgroups((), ()))
    preparation.create_cgroups(host)
    assert caplog.messages == []
    preparation.create_cgroups(replace(host, limits=HostLimits(512, 512, 1.0)))
    assert caplog.messages == [
        f"the private host {host.id} has no limits of memory, pids: cgroup controllers are missing"
    ]


@pytest.mark.parametrize("die_with_parent", [True, False])
def test_scripts_of_setups_know_the_signal_that_ends_the_host_with_its_parent(
    host: PrivateHost, monkeypatch: pytest.MonkeyPatch, die_with_parent: bool
) -> None:
    """A change of the user clears the signal, and programs that the script starts do not inherit it."""
    started: list[dict[str, str]] = []

    def posix_spawn(_program: str, _command: list[str], environment: dict[str, str], **_options: object) -> int:
        started.append(environment)
        return 1

    monkeypatch.setattr(os, "posix_spawn", posix_spawn)
    preparation.spawn(host, die_with_parent=die_with_parent)
    assert started[0]["TIE"] == ("--pdeathsig TERM" if die_with_parent else "")
