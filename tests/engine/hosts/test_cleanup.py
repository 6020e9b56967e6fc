"""Finding and removing what belongs to one private host, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.engine.hosts import cleanup as host_cleanup
from dashboard.engine.hosts import disk, private_host
from dashboard.engine.hosts.cleanup import (
    MARKER,
    engine_processes,
    is_running,
    mounts_below,
    remove_cgroups,
    remove_foreign,
    start_ticks,
)
from dashboard.engine.hosts.limits import processes
from tests.support.polling import DEADLINE_S, until


def sleeper(**environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], env=environment)


def test_a_running_process_is_recognised_by_pid_and_start(tmp_path: Path) -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert is_running(os.getpid(), ticks)
    assert not is_running(os.getpid(), ticks + 1)
    assert not is_running(0, ticks)
    assert start_ticks(2**22 + 1) is None


def test_an_ended_child_that_nobody_collected_does_not_run() -> None:
    child = sleeper()
    ticks = start_ticks(child.pid)
    assert ticks is not None
    child.kill()
    until(lambda: not is_running(child.pid, ticks))
    host_cleanup.reap(child.pid)
    assert not Path(f"/proc/{child.pid}").exists()
    host_cleanup.reap(child.pid)
    child.wait()


def test_only_processes_with_exactly_this_mark_are_the_hosts() -> None:
    ours = sleeper(**{MARKER: "netmodes-abc"})
    others = [sleeper(**{MARKER: "netmodes-abcd"}), sleeper(**{"X" + MARKER: "netmodes-abc"}), sleeper()]
    try:
        until(lambda: engine_processes("netmodes-abc") == [ours.pid])
        host_cleanup.kill_everything("netmodes-abc")
        assert ours.wait(DEADLINE_S) in {-9, 0}, "0: its status has been collected already"
        assert all(one.poll() is None for one in others)
    finally:
        for one in (ours, *others):
            one.kill()
            one.wait()


def test_a_host_is_thawed_while_its_processes_are_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A frozen process does not end of SIGKILL (cgroup v1)."""
    names = ("netmodes-abc", "netmodes-abc/containers", "netmodes-abc/containers/one", "netmodes-abcd")
    states = [tmp_path / "freezer" / name / "freezer.state" for name in names]
    for state in states:
        state.parent.mkdir(parents=True)
        state.write_text("FROZEN")
    (tmp_path / "freezer/netmodes-abc/engine").mkdir()
    monkeypatch.setattr(host_cleanup, "CGROUPS", tmp_path)
    process = sleeper(**{MARKER: "netmodes-abc"})
    try:
        until(lambda: engine_processes("netmodes-abc") == [process.pid])
        host_cleanup.kill_everything("netmodes-abc")
        assert [state.read_text() for state in states] == ["THAWED", "THAWED", "THAWED", "FROZEN"]
    finally:
        process.kill()
        process.wait()


def test_mounts_are_found_below_a_folder_and_not_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    lines = ["/data/a", "/data/a/deep", "/data/ab", r"/data/a/with\040space", "/data/a/für", "/"]
    (tmp_path / "self" / "mountinfo").write_text(
        "".join(f"1 2 3:4 / {one} rw shared:1 - tmpfs none rw\n" for one in lines)
    )
    monkeypatch.setattr(host_cleanup, "PROC", tmp_path)
    found = [str(point) for point in mounts_below([Path("/data/a")])]
    assert found == ["/data/a/with space", "/data/a/für", "/data/a/deep", "/data/a"]


#: 30 folders of this name have a path that is longer than PATH_MAX.
LONG = "x" * 200


def make_deep(top: Path, levels: int, name: str, file: str = "") -> None:
    """Makes folders below each other, each with a file that contains its number if ``file`` names one."""
    folder = os.open(top, os.O_DIRECTORY)
    for number in range(levels):
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = below
        if file:
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=folder), "w") as written:
                written.write(f"{number}\n")
    os.close(folder)


def test_processes_in_cgroups_with_a_path_longer_than_the_kernel_permits_are_found(tmp_path: Path) -> None:
    top = tmp_path / "pids/host/containers"
    top.mkdir(parents=True)
    (top / "beside").mkdir()
    make_deep(top, 30, LONG, "cgroup.procs")
    try:
        assert sorted(processes("host", root=tmp_path)) == list(range(30))
        assert sorted(processes("host", "containers", tmp_path)) == list(range(30))
        assert processes("host", "engine", tmp_path) == []
    finally:
        host_cleanup.remove_tree(tmp_path / "pids")


def test_cgroups_with_a_path_longer_than_the_kernel_permits_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_cleanup, "CGROUPS", tmp_path)
    for part in ("pids/host/containers/shell", "pids/host/engine", "pids/other", "host"):
        (tmp_path / part).mkdir(parents=True)
    make_deep(tmp_path / "pids/host/containers", 30, LONG)
    remove_cgroups("host")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["pids", "pids/other"]


def test_files_below_more_levels_of_folders_than_python_can_recurse_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    folder.mkdir()
    make_deep(folder, 1200, "x")
    host_cleanup.remove_everything("netmodes-never", [folder])
    assert not folder.exists()


def test_a_folder_that_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess[str]([], 1, "", "rm: Device or resource busy\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(OSError, match=f"{tmp_path} cannot be removed: rm: Device or resource busy"):
        host_cleanup.remove_tree(tmp_path)
    host_cleanup.remove_tree(tmp_path / "gone")


def test_files_of_a_host_that_never_ran_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    (folder / "deep").mkdir(parents=True)
    host_cleanup.remove_everything("netmodes-never", [folder, tmp_path / "none"])
    assert not folder.exists()


def test_a_host_that_another_process_removes_at_the_same_time_is_removed_without_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "left"
    (folder / "deep").mkdir(parents=True)
    monkeypatch.setattr(disk, "wait_until_detached", lambda _image: shutil.rmtree(folder))
    host_cleanup.remove_everything("netmodes-never", [folder])
    assert not folder.exists()


async def test_leftovers_that_cannot_be_removed_delay_no_other_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    remove = host_cleanup.remove_everything

    def remove_or_fail(name: str, folders: list[Path]) -> None:
        if name == "netmodes-busy":
            raise OSError("cgroups of netmodes-busy remain busy")
        remove(name, folders)

    monkeypatch.setattr(private_host, "remove_everything", remove_or_fail)
    for identity in ("aaa", "busy", "zzz"):
        (tmp_path / "hosts" / identity).mkdir(parents=True)
    assert await private_host.adopt(tmp_path) == ()
    assert [folder.name for folder in (tmp_path / "hosts").iterdir()] == ["busy"]
    assert "cannot be removed: cgroups of netmodes-busy remain busy" in caplog.text
    (tmp_path / "hosts" / "aaa").mkdir()
    with pytest.raises(OSError, match="cgroups of netmodes-busy remain busy"):
        await private_host.stop_all(tmp_path)
    assert [folder.name for folder in (tmp_path / "hosts").iterdir()] == ["busy"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_other_users_are_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    for place in (folder / "own", folder / "theirs" / "deep", outside):
        place.mkdir(parents=True)
    for file in (folder / "file", folder / "docker.sock", folder / "theirs/deep/file", outside / "file"):
        file.touch()
    (folder / "link").symlink_to(outside)
    (folder / "theirs/link").symlink_to(outside)
    for path in ("theirs", "theirs/deep", "theirs/deep/file", "theirs/link", "file", "link", "docker.sock"):
        os.chown(folder / path, 524288, 524288, follow_symlinks=False)
    remove_foreign(folder, kept="docker.sock")
    assert sorted(path.name for path in folder.iterdir()) == ["docker.sock", "own"]
    assert (outside / "file").exists()
