"""System calls of the start of a private host, in mount namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.engine.hosts.disk import is_attached, wait_until_detached
from dashboard.engine.hosts.user_namespace import calls

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


def apart(work: Callable[[], str]) -> str:
    """What ``work`` returns in a process with a mount and a UTS namespace of its own."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.unshare(os.CLONE_NEWNS | os.CLONE_NEWUTS)
            calls.mount("none", "/", flags=calls.REC | calls.PRIVATE)
            os.write(writer, work().encode())
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


def test_a_bind_mount_keeps_its_other_attributes(tmp_path: Path) -> None:
    def work() -> str:
        calls.mount("small", str(tmp_path), "tmpfs", calls.NOSUID, "size=64k")
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        calls.bind_readonly(str(tmp_path / "a"), str(tmp_path / "b"))
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        (options,) = (line.split()[5] for line in lines if f" {tmp_path}/b " in line)
        return options

    assert apart(work).split(",")[:2] == ["ro", "nosuid"]


def test_a_refused_mount_names_its_target(tmp_path: Path) -> None:
    def work() -> str:
        calls.mount("none", f"{tmp_path}/missing", "tmpfs")
        return "mounted"

    assert apart(work) == f"[Errno 2] No such file or directory: '{tmp_path}/missing'"


def test_the_loop_device_of_an_image_disappears_with_the_mount(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("xb") as file:
        file.truncate(1 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    (tmp_path / "mounted").mkdir()

    def work() -> str:
        calls.mount_image(str(image), f"{tmp_path}/mounted", "ext4", "noinit_itable")
        return f"{is_attached(image)} {os.listdir(tmp_path / 'mounted')}"  # noqa: PTH208

    assert apart(work) == "True ['lost+found']"
    wait_until_detached(image)
    assert not is_attached(image)


def test_an_image_without_a_file_system_is_refused_and_detached(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    (tmp_path / "mounted").mkdir()

    def work() -> str:
        calls.mount_image(str(image), f"{tmp_path}/mounted", "ext4", "")
        return "mounted"

    assert apart(work) == f"[Errno 22] Invalid argument: '{tmp_path}/mounted'"
    wait_until_detached(image)
    assert not is_attached(image)


def test_the_old_root_disappears(tmp_path: Path) -> None:
    def work() -> str:
        calls.mount("small", str(tmp_path), "tmpfs", 0, "size=64k")
        (tmp_path / "old").mkdir()
        calls.change_root(str(tmp_path), "old")
        return f"{os.listdir('/')} {os.listdir('/old')}"  # noqa: PTH208

    assert apart(work) == "['old'] []"


def test_the_host_name_is_that_of_the_namespace() -> None:
    before = os.uname().nodename

    def work() -> str:
        calls.set_host_name("netmodes-abc")
        return os.uname().nodename

    assert apart(work) == "netmodes-abc"
    assert os.uname().nodename == before


def test_a_command_without_a_filter_is_executed() -> None:
    command = [sys.executable, "-I", "-S", calls.__file__, "", "grep", "Seccomp:", "/proc/self/status"]
    own = Path("/proc/self/status").read_text().partition("Seccomp:")[2].split()[0]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["Seccomp:", own]


def test_a_process_ends_with_its_parent() -> None:
    code = "from dashboard.engine.hosts.user_namespace import calls; calls.end_with_parent(); "
    code += "import os; os.write(1, b'x'); os.read(0, 1)"
    reader, writer = os.pipe()
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    parent = subprocess.Popen([sys.executable, "-c", inner], stdin=subprocess.PIPE, stdout=writer)
    os.close(writer)
    assert parent.stdin is not None
    try:
        assert os.read(reader, 1) == b"x"
        parent.kill()
        parent.wait(10)
        assert os.read(reader, 1) == b"", "the kernel has closed the output of the process"
    finally:
        parent.stdin.close()
        os.close(reader)
