"""Finds and removes everything that belongs to a private host: processes, cgroups, mounts, files.

All functions block. Sources: proc(5), cgroups(7), mount_namespaces(7).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dashboard.engine.hosts import disk, id_ranges
from dashboard.engine.hosts import limits as host_limits
from dashboard.engine.mountinfo import parse_mountinfo

#: In the environment of dockerd, which containerd, every shim and every docker-proxy inherit.
MARKER = "NETMODES_PRIVATE_HOST"
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def start_ticks(pid: int) -> int | None:
    """Returns the start time of a process in clock ticks after boot; None if the process has ended or is a zombie.

    The pid and this time together identify a process (proc(5), field 22 of stat).
    """
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def is_running(pid: int, ticks: int) -> bool:
    """Returns whether the process ``pid`` that started at ``ticks`` (``start_ticks``) still runs."""
    return pid > 0 and start_ticks(pid) == ticks


def reap(pid: int) -> None:
    """Collects the exit status of ``pid`` if it is an ended child of this process. Does not wait."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def reap_ended(pid: int, deadline_s: float = 2.0) -> None:
    """Collects the exit status of ``pid``, a child of this process that has been killed or is about to end. Waits for
    its end, at most ``deadline_s``."""
    end = time.monotonic() + deadline_s
    with suppress(ChildProcessError):
        while pid > 0 and os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < end:
            time.sleep(0.005)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class _MarkedProcesses:
    """Finds the processes of a host by their environment, in which the variable MARKER contains the host's name.
    Concurrent callers share one scan. Otherwise a hundred hosts that stop at once would read every environment a
    hundred times."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = 0.0
        self._found: dict[bytes, list[int]] = {}

    def of(self, name: str) -> list[int]:
        """Returns the pids of the processes of the host ``name``. Never uses a scan that started before the call: newer
        processes may be missing in it."""
        asked = time.monotonic()
        with self._lock:
            if self._began < asked:
                self._began = time.monotonic()
                self._found = self._scan()
            return list(self._found.get(name.encode(), ()))

    @staticmethod
    def _scan() -> dict[bytes, list[int]]:
        mark = f"{MARKER}=".encode()
        found: dict[bytes, list[int]] = {}
        for one in PROC.glob("[0-9]*"):
            for value in _read(one / "environ").split(b"\0"):
                if value.startswith(mark):
                    found.setdefault(value[len(mark) :], []).append(int(one.name))
        return found


_marked = _MarkedProcesses()


def engine_processes(name: str) -> list[int]:
    """Returns the pids of the host's dockerd, containerd, shims and proxies. They are found by the variable MARKER,
    which all of them inherit."""
    return _marked.of(name)


def container_processes(name: str) -> list[int]:
    """Returns the pids of the processes in the host's containers. They are found by their cgroup, because they may lack
    the variable MARKER."""
    return host_limits.processes(name, "containers")


def kill(pids: list[int]) -> None:
    """Sends SIGKILL to each process that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def thaw(name: str) -> None:
    """Thaws the host's cgroups of the controller ``freezer`` (version 1). A process that is frozen there does not end
    of SIGKILL until it is thawed (runc, libcontainer/container_linux.go)."""
    with suppress(OSError):
        for folder in host_limits.folders_upwards(CGROUPS / "freezer" / name):
            with suppress(OSError):
                state = os.open("freezer.state", os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
                with os.fdopen(state, "w") as file:
                    file.write("THAWED")


def kill_everything(name: str, deadline_s: float = 10.0) -> None:
    """Kills all processes of the host. Repeats this until none remains, because a process may fork during a scan.
    Raises OSError if some remain after ``deadline_s``."""
    end = time.monotonic() + deadline_s
    # The search of environments is slow, so it begins only when the cgroups are empty.
    while left := host_limits.processes(name) or engine_processes(name):
        kill(left)
        thaw(name)
        for pid in left:
            reap(pid)
        if time.monotonic() > end:
            raise OSError(f"processes of {name} cannot be killed: {left[:10]}")
        time.sleep(0.01)


def cgroup_folders(name: str) -> list[Path]:
    """Returns the folders of the host's existing cgroups: one in the unified hierarchy, or one in each hierarchy of
    version 1."""
    places = [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]
    return [place for place in places if place.is_dir()]


def remove_cgroups(name: str) -> None:
    """Removes the host's cgroups, the innermost first. A cgroup is busy until the kernel has released its last process:
    raises OSError if one is still busy after five seconds."""
    end = time.monotonic() + 5.0
    while True:
        for top in cgroup_folders(name):
            with suppress(OSError):
                for folder in host_limits.folders_upwards(top):
                    for name_below in host_limits.subfolders(folder):
                        with suppress(OSError):
                            os.rmdir(name_below, dir_fd=folder)
                top.rmdir()
        if not cgroup_folders(name):
            return
        if time.monotonic() > end:
            raise OSError(f"cgroups of {name} remain busy")
        time.sleep(0.01)


def mounts_below(folders: list[Path]) -> list[Path]:
    """Returns the mount points at or below the folders in this mount namespace, deepest first."""
    points = [mount.point for mount in parse_mountinfo((PROC / "self/mountinfo").read_bytes())]
    return sorted((point for point in points if any(map(point.is_relative_to, folders))), reverse=True)


def remove_everything(name: str, folders: list[Path]) -> None:
    """Kills all processes of the host ``name``, then removes its cgroups, the mounts below ``folders``, and the folders
    themselves. Releases the host's range of user and group ids. Another process may do the same at the same time.
    Raises OSError if something remains."""
    kill_everything(name)
    remove_cgroups(name)
    # The host's mounts are in its own namespace and end with it; this is for machines that share mounts.
    for point in mounts_below(folders):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
    for folder in folders:
        if folder.exists():
            disk.wait_until_detached(folder / disk.NAME)
            remove_tree(folder)
        id_ranges.release(folder)


def remove_tree(folder: Path) -> None:
    """Removes a folder with everything in it; no error if it does not exist. Raises OSError.

    With rm(1), because the host's root determines the number of levels. ``shutil.rmtree`` recurses (Python 3.12) or
    opens a file for each level.
    """
    done = subprocess.run(["rm", "-rf", "--", folder], check=False, capture_output=True, text=True, errors="replace")
    if done.returncode and folder.exists():
        raise OSError(f"{folder} cannot be removed: {done.stderr.strip()[:500]}")


def remove_foreign(folder: Path, kept: str) -> None:
    """Removes the files and folders in ``folder`` whose owner is not the machine's root, except the file named
    ``kept``. ``folder`` itself must belong to root. Raises OSError if a file cannot be removed, for example because a
    process adds files meanwhile."""
    with os.scandir(folder) as entries:
        foreign = [entry for entry in entries if entry.name != kept and entry.stat(follow_symlinks=False).st_uid]
    for entry in foreign:
        if not entry.is_dir(follow_symlinks=False):
            Path(entry.path).unlink()
            continue
        remove_tree(Path(entry.path))
