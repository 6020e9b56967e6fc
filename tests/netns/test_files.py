"""Files as another process sees them."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.netns import files
from dashboard.netns.files import open_inside, read_inside, read_name_files, shows_files, write_inside
from tests.support.polling import until


@pytest.fixture
def jailed(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A process with a folder as its root, in its own mount namespace; and that folder."""
    root = tmp_path / "root"
    for folder in ("bin", "etc", "usr", "lib", "lib64"):
        (root / folder).mkdir(parents=True)
    binds = "; ".join(f"mount --bind /{one} {root}/{one}" for one in ("usr", "lib", "lib64"))
    script = f"{binds}; exec chroot {root} /usr/bin/sleep infinity"
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script])
    until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
    yield process.pid, root
    process.kill()
    process.wait()


def test_a_file_is_read_as_the_process_sees_it(jailed: tuple[int, Path]) -> None:
    pid, root = jailed
    (root / "etc/hosts").write_bytes(b"\xff inside\n")
    assert read_inside(pid, "/etc/hosts") == b"\xff inside\n"
    assert read_inside(os.getpid(), "/etc/hosts") == Path("/etc/hosts").read_bytes()


def test_links_resolve_inside_the_process_s_root(jailed: tuple[int, Path], tmp_path: Path) -> None:
    pid, root = jailed
    secret = tmp_path / "secret"
    secret.write_text("ours")
    (root / "etc/absolute").symlink_to(secret)
    (root / "etc/relative").symlink_to("../../secret")
    (root / "etc/loop").symlink_to("loop")
    (root / "etc/good").symlink_to("/etc/../../etc/target")
    (root / "etc/target").write_text("theirs")
    (root / "etc/proc").symlink_to("/proc/self/root/etc/passwd")
    assert read_inside(pid, "/etc/good") == b"theirs"
    for name in ("absolute", "relative", "loop", "proc"):
        assert read_inside(pid, f"/etc/{name}") is None
    assert read_inside(pid, "../../../../etc/target") == b"theirs"


def test_no_magic_link_is_followed() -> None:
    assert read_inside(os.getpid(), "/proc/self/root/etc/hosts") is None


def test_a_file_is_replaced_where_the_process_sees_it(jailed: tuple[int, Path]) -> None:
    pid, root = jailed
    (root / "etc/real").write_text("before, and longer")
    (root / "etc/hosts").symlink_to("/etc/real")
    inode = (root / "etc/real").stat().st_ino
    assert write_inside(pid, "/etc/hosts", b"after")
    assert (root / "etc/real").read_text() == "after"
    assert (root / "etc/real").stat().st_ino == inode


@pytest.mark.parametrize("path", ["/etc", "/etc/missing", "/etc/null"])
def test_only_existing_regular_files_are_written(jailed: tuple[int, Path], path: str) -> None:
    pid, root = jailed
    (root / "etc/null").symlink_to("/dev/null")
    os.mkfifo(root / "etc/pipe")
    assert not write_inside(pid, path, b"text")
    assert not write_inside(pid, "/etc/pipe", b"text")
    assert not (root / "etc/missing").exists()


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/dev/null", "/dev/zero", "/nowhere", "", "/etc/hosts\0x", "/" + "x" * 5000]
)
def test_only_regular_files_are_read(path: str) -> None:
    assert read_inside(os.getpid(), path) is None


def test_files_that_cannot_be_read_are_named(jailed: tuple[int, Path]) -> None:
    pid, root = jailed
    (root / "etc" / "hosts").write_text("192.0.2.7 web\n")
    assert read_name_files(pid, "", "/etc/hosts") == (None, b"192.0.2.7 web\n", "")
    _, hosts, message = read_name_files(pid, "/none/resolv.conf", "/etc/hosts")
    assert (hosts, message) == (
        b"192.0.2.7 web\n",
        "[Its resolv.conf cannot be read: this command uses the server's.]\n",
    )
    assert "[Its resolv.conf and hosts cannot" in read_name_files(pid, "/none/resolv.conf", "/none/hosts")[2]


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_inside(os.getpid(), str(tmp_path / "pipe")) is None


def test_one_mebibyte_is_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 1024 * 1024)
    assert len(read_inside(os.getpid(), str(path)) or b"") == 1024 * 1024
    path.write_bytes(b"x" * (1024 * 1024 + 1))
    assert read_inside(os.getpid(), str(path)) is None


def test_of_a_longer_file_the_complete_lines_within_the_limit_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"127.0.0.1 localhost\n" + b"x" * 1024 * 1024)
    assert read_inside(os.getpid(), str(path)) is None
    assert read_inside(os.getpid(), str(path), truncate=True) == b"127.0.0.1 localhost"
    path.write_bytes(b"127.0.0.1 localhost")
    assert read_inside(os.getpid(), str(path), truncate=True) == b"127.0.0.1 localhost"


def test_an_ended_process_has_no_files() -> None:
    assert read_inside(2**22 + 5, "/etc/hosts") is None
    assert not shows_files(2**22 + 5)
    assert shows_files(os.getpid())


def test_a_folder_renamed_meanwhile_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        calls = 0

        def syscall(self, *arguments: object) -> int:
            self.calls += 1
            ctypes.set_errno(11)
            return -1

    libc = Libc()
    monkeypatch.setattr(files, "_libc", libc)
    assert open_inside(os.getpid(), "/etc/hosts") is None
    assert libc.calls == 8
