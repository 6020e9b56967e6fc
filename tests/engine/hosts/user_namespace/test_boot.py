"""The start of a private host in a user namespace: starts that fail or are unusual."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.template import HostTemplate
from dashboard.engine.hosts.user_namespace.boot import write_limits
from tests.support.private_engine import PrivateEngine

PACKAGE = str(Path(dashboard.__file__).parent.parent)


@pytest.mark.engine
def test_a_folder_with_a_space_holds_a_host_with_layers(tmp_path: Path, session_template: HostTemplate) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    host = asyncio.run(private_host.start(folder, template=session_template))
    try:
        machine = PrivateEngine(host, folder)
        assert machine.docker("run", "--rm", "nginx", "echo", "started") == "started"
        assert machine.on_machine("mountpoint", "-q", "/sys/fs/cgroup") == ""
    finally:
        asyncio.run(private_host.stop_all(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root creates them without a mapping")
def test_refused_namespaces_are_reported_in_one_sentence(tmp_path: Path) -> None:
    """As in a container that permits no user namespace."""
    code = (
        f"import sys; sys.path.insert(0, {PACKAGE!r}); from dashboard.engine.hosts.user_namespace import boot; "
        "boot.create_namespaces('netmodes-abc', 524288)"
    )
    script = f'echo 0 > /proc/sys/user/max_user_namespaces; exec {sys.executable} -I -S -c "{code}"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The host's namespaces cannot be created: [Errno 28] No space left on device"]


def test_a_limit_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    """A cgroup without controllers that it could delegate has no files for the limits of its children."""
    (tmp_path / "pids.max").touch()
    there, missing = f"{tmp_path}/pids.max 100", f"{tmp_path}/containers"
    write_limits([f"{missing}/cgroup.subtree_control +memory", f"{missing}/memory.swap.max 0", there])
    assert (tmp_path / "pids.max").read_text() == "100"
    with pytest.raises(FileNotFoundError):
        write_limits([f"{missing}/memory.max 1", there])


@pytest.mark.engine
def test_the_host_name_and_the_network_of_the_machine_stay(tmp_path: Path) -> None:
    def machine() -> tuple[str, set[str]]:
        return Path("/proc/sys/kernel/hostname").read_text(), {path.name for path in Path("/sys/class/net").iterdir()}

    before = machine()
    host = asyncio.run(private_host.start(tmp_path))
    try:
        assert machine() == before
    finally:
        asyncio.run(private_host.stop(host))


def writable_files(pid: int) -> set[str]:
    """The regular files, folders and block devices that a process has open for writing, with their file systems. It may
    end meanwhile; the kernel then refuses to read its links."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            info, file = fd.stat(), fd.readlink()
            flags = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().partition("flags:")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if int(flags, 8) & os.O_ACCMODE and (stat.S_ISREG(info.st_mode) or stat.S_ISBLK(info.st_mode)):
            found.add(f"{file} on {os.major(info.st_dev)}:{os.minor(info.st_dev)}")
    return found


@pytest.mark.engine
def test_no_process_of_a_host_has_a_file_of_the_machine_open_for_writing(engine_host: PrivateEngine) -> None:
    if not engine_host.host.owner:
        pytest.skip("root of this host is root of the machine")
    name = engine_host.docker("run", "-d", "nginx", "sleep", "1000")
    try:
        folder = engine_host.host.folder.stat().st_dev
        machine = f" on {os.major(folder)}:{os.minor(folder)}"
        # The first process stays outside: it only waits for the others.
        pids = set(processes(engine_host.host.name)) - {engine_host.host.launcher}
        files = {file for pid in pids for file in writable_files(pid)}
        assert any(file.startswith(str(engine_host.host.data)) for file in files), "dockerd has files on its disk"
        assert [file for file in files if file.endswith(machine)] == []
        assert writable_files(engine_host.host.launcher), "the message of a failed start"
    finally:
        engine_host.docker("rm", "-f", name)
