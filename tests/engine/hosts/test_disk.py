"""Disks of private hosts, on real loop devices."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import disk, private_host
from dashboard.engine.hosts.private_host import RUN, PrivateHost
from dashboard.engine.hosts.registry import left_running
from tests.engine.hosts.test_private_host import remains
from tests.support.polling import until

pytestmark = pytest.mark.engine  # needs root
MB = 1 << 20
#: Writes until a file has $2 MB, in a folder that $1 names.
FILL = 'dd if=/dev/zero of="$1/fill" bs=1M count="$2"; df -k --output=size "$1" | tail -n 1'


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """A host with a disk of 300 MB."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(disk.VARIABLE, "300")
        yield asyncio.run(private_host.start(folder))
        asyncio.run(private_host.stop_all(folder))


def inside(host: PrivateHost, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as root of the host, with its files."""
    enter = ["nsenter", "--target", str(host.pid), "--user", "--mount", "--pid", "--setuid", "0", "--setgid", "0", "--"]
    command = [*enter, "/bin/sh", "-c", script, "sh", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_content_of_a_folder_moves_to_a_disk_that_nothing_else_sees(tmp_path: Path) -> None:
    data, image = tmp_path / "data", tmp_path / "disk"
    (data / "deep").mkdir(parents=True)
    (data / "deep" / "file").write_text("x")
    os.chown(data / "deep" / "file", 600_000, 600_001)
    disk.make(data, image, 300)
    assert list(data.iterdir()) == []
    assert image.stat().st_mode & 0o777 == 0o600
    assert image.stat().st_size == 300 * MB
    assert image.stat().st_blocks * 512 < 4 * MB, "it is sparse"

    def look() -> tuple[str, int, int]:
        found = (data / "deep" / "file").stat()
        (data / "new").write_text("y")
        return (data / "deep" / "file").read_text(), found.st_uid, found.st_gid

    assert disk.on_disk(image, data, look) == ("x", 600_000, 600_001)
    assert disk.on_disk(image, data, (data / "new").read_text) == "y"
    assert list(data.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert not disk.is_attached(image)


def test_a_copy_of_a_disk_has_its_content_and_its_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "disk", tmp_path / "copy"
    with source.open("wb") as file:
        file.write(b"start")
        file.seek(20 * MB)
        file.write(b"middle" * 10_000)
        file.truncate(300 * MB)
    disk.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < MB
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        disk.copy(source, target)


def test_a_copy_of_an_empty_disk_has_its_size(tmp_path: Path) -> None:
    source, target = tmp_path / "disk", tmp_path / "copy"
    with source.open("wb") as file:
        file.truncate(8 * MB)
    disk.copy(source, target)
    assert target.stat().st_size == 8 * MB
    assert target.stat().st_blocks == 0


def test_a_full_disk_and_an_error_leave_nothing_mounted(tmp_path: Path) -> None:
    data, image = tmp_path / "data", tmp_path / "disk"
    data.mkdir()
    disk.make(data, image, 8)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        disk.on_disk(image, data, lambda: (data / "fill").write_bytes(bytes(16 * MB)))
    assert not disk.is_attached(image)


def crashed(folder: Path) -> tuple[Path, Path]:
    """A disk and its folder after a crash of the machine: a copy of its file while it was mounted and in use."""
    data, image, copy = folder / "data", folder / "disk", folder / "copy"
    data.mkdir()
    (data / "kept").write_text("x" * 10_000)
    disk.make(data, image, 64)

    def work() -> None:
        for number in range(200):
            (data / f"file{number}").write_text("y" * 5_000)
        with (data / "deleted").open("w") as deleted:  # an inode without a name
            deleted.write("z" * 100_000)
            (data / "deleted").unlink()
            subprocess.run(["sync", "-f", str(data)], check=True)
            shutil.copyfile(image, copy)

    disk.on_disk(image, data, work)
    copy.replace(image)
    return image, data


def problems(image: Path) -> int:
    """The exit status of e2fsck(8) that looks at everything and changes nothing."""
    return subprocess.run(["e2fsck", "-fn", str(image)], capture_output=True, check=False).returncode


def test_a_disk_is_repaired_after_a_crash_of_the_machine(tmp_path: Path) -> None:
    image, data = crashed(tmp_path)
    assert problems(image), "the copy is not consistent"
    assert disk.on_disk(image, data, lambda: len((data / "kept").read_text())) == 10_000
    assert problems(image) == 0


@pytest.mark.parametrize(
    ("first_kb", "message", "is_damage"),
    [
        (8, r"its disk is damaged and cannot be repaired\. Create a new host instead\.", True),
        # e2fsck cannot read the super-block; its status is the same as for a check without memory.
        (0, "super-block", False),
    ],
    ids=["inodes", "superblock"],
)
def test_a_disk_that_cannot_be_repaired_is_not_mounted(
    tmp_path: Path, first_kb: int, message: str, is_damage: bool
) -> None:
    image, data = crashed(tmp_path)
    with image.open("r+b") as file:
        file.seek(first_kb << 10)
        file.write(os.urandom(4 * MB))
    with pytest.raises(disk.DiskError, match=message) as caught:
        disk.on_disk(image, data, lambda: pytest.fail("it is mounted"))
    assert isinstance(caught.value, disk.DamagedDiskError) is is_damage
    assert not disk.is_attached(image)


@pytest.mark.parametrize(
    ("command", "limit_s", "message"),
    [
        (("no-such-fsck",), 20, "no-such-fsck is not installed"),
        (("sh", "-c", "echo Cannot allocate memory; exit 8"), 20, "Cannot allocate memory"),
        (("sh", "-c", "kill -9 $$"), 20, "sh ended with -9"),
        (("sh", "-c", "read line < /dev/zero"), 0.2, "did not end within"),
    ],
)
def test_a_check_that_fails_is_no_damage(
    command: tuple[str, ...], limit_s: float, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").touch()
    monkeypatch.setattr(disk, "CHECK", command)
    monkeypatch.setattr(disk, "CHECK_S", limit_s)
    with pytest.raises(OSError, match=message) as caught:
        disk.check(tmp_path / "disk")
    assert not isinstance(caught.value, disk.DamagedDiskError)


def test_a_host_with_a_damaged_disk_does_not_start_again_and_can_be_removed(tmp_path: Path) -> None:
    host = asyncio.run(private_host.start(tmp_path))
    os.kill(host.pid, 9)
    until(lambda: not host.is_running())
    disk.wait_until_detached(host.disk)
    with host.disk.open("r+b") as file:
        file.seek(8 << 10)
        file.write(os.urandom(4 * MB))
    message = f"The private host {host.id} cannot be started again: its disk is damaged and cannot be repaired"
    with pytest.raises(private_host.PrivateHostError, match=message):
        asyncio.run(private_host.start_again(host))
    assert left_running(host) == ()
    asyncio.run(private_host.stop(host))
    assert remains(host) == []


def test_without_a_disk_the_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert disk.on_disk(tmp_path / "disk", tmp_path, lambda: [one.name for one in tmp_path.iterdir()]) == ["file"]


def test_a_machine_without_loop_devices_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk.refusal(tmp_path) == ""
    disk._probe.cache_clear()
    monkeypatch.setattr(disk, "MOUNT", ("mount", "-t", "ext4", "-o", "loop=/dev/no-such-loop"))
    assert "failed to setup loop device" in disk.refusal(tmp_path)
    disk._probe.cache_clear()
    monkeypatch.setattr(disk, "MAKE", ("no-such-mkfs",))
    assert "no-such-mkfs" in disk.refusal(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_does_not_end_is_no_refusal_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk._probe.cache_clear()
    monkeypatch.setattr(disk, "TIMEOUT_S", 0.01)
    monkeypatch.setattr(disk, "MAKE", ("sh", "-c", "read line < /dev/zero"))
    with pytest.raises(TimeoutError, match=r"sh did not end within 0\.01 s"):
        disk.probe(tmp_path)
    assert "did not end" in disk.refusal(tmp_path)


@pytest.mark.parametrize("value", ["many", "-1", "12", "4G", "²"])
def test_an_invalid_size_is_reported(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk.VARIABLE, value)
    assert "use a number of MB, at least 256, or 0 for no limit" in disk.refusal(tmp_path)


def test_a_disk_size_of_zero_means_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk.VARIABLE, "0")
    assert disk.refusal(tmp_path) == "NETMODES_HOST_DISK_MB is 0"


@pytest.mark.parametrize(
    ("place", "limit_mb", "wanted_mb"), [("data", 300, 400), ("exec", 32, 64), ("/", 8, 64), ("/tmp", 64, 100)]
)
def test_root_of_a_host_fills_only_what_it_has(small: PrivateHost, place: str, limit_mb: int, wanted_mb: int) -> None:
    folder = {"data": str(small.data), "exec": str(RUN / small.id / "exec")}.get(place, place)
    free = os.statvfs(small.folder).f_bavail * os.statvfs(small.folder).f_frsize
    done = inside(small, FILL, folder, str(wanted_mb))
    assert "No space left on device" in done.stderr, done.stderr
    assert int(done.stdout) <= limit_mb * 1024
    lost = free - os.statvfs(small.folder).f_bavail * os.statvfs(small.folder).f_frsize
    assert lost < (limit_mb + 400) * MB, "others use this disk, too"
    assert small.disk.stat().st_blocks * 512 <= 301 * MB
    assert inside(small, 'rm "$1/fill"', folder).returncode == 0


def test_the_log_of_the_engine_is_on_the_disk(small: PrivateHost) -> None:
    links = inside(small, "readlink /proc/1/fd/1 /proc/1/fd/2").stdout.split()
    assert links == [str(small.data / "dockerd.log")] * 2


def test_nothing_remains_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(disk.VARIABLE, "256")
    host = asyncio.run(private_host.start(tmp_path))
    try:
        assert inside(host, FILL, str(host.data), "300").returncode == 0
    finally:
        asyncio.run(private_host.stop(host))
    until(lambda: remains(host) == [])


def test_a_host_keeps_its_files_when_its_engine_starts_again(tmp_path: Path) -> None:
    host = asyncio.run(private_host.start(tmp_path))
    try:
        script = 'echo x > "$1/kept" && mkdir "$1/lost+found" && echo y > "$1/lost+found/file"'
        assert inside(host, script, str(host.data)).returncode == 0
        os.kill(host.pid, 9)
        until(lambda: not host.is_running())
        again = asyncio.run(private_host.start_again(host))
        assert inside(again, 'cat "$1/kept"', str(host.data)).stdout == "x\n"
    finally:
        asyncio.run(private_host.stop_all(tmp_path))
