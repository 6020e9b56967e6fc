"""What belongs to one private host on this machine: processes, cgroups, mounts, files; and removing it all.

Blocking. Sources: proc(5), cgroups(7), mount_namespaces(7).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dashboard.engine.hosts import limits as host_limits

#: In the environment of dockerd, and so of containerd, of every shim and of every docker-proxy.
MARKER = "NETMODES_PRIVATE_HOST"
PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None if it is gone or a zombie.

    A pid together with this names one process for ever (proc(5), field 22 of stat).
    """
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def is_running(pid: int, ticks: int) -> bool:
    """Whether this very process still runs."""
    return pid > 0 and start_ticks(pid) == ticks


def reap(pid: int) -> None:
    """Collects the exit of a child of ours, if it is one and has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class _Marked:
    """All processes with the marker, by host. Who asks while others look shares the next look: a hundred hosts that
    are stopped at once would read every environment a hundred times."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began = 0.0
        self._found: dict[bytes, list[int]] = {}

    def of(self, name: str) -> list[int]:
        """Those of one host, by a look that began after the call."""
        asked = time.monotonic()
        with self._lock:
            if self._began < asked:
                self._began = time.monotonic()
                self._found = self._look()
            return list(self._found.get(name.encode(), ()))

    @staticmethod
    def _look() -> dict[bytes, list[int]]:
        mark = f"{MARKER}=".encode()
        found: dict[bytes, list[int]] = {}
        for one in PROC.glob("[0-9]*"):
            for value in _read(one / "environ").split(b"\0"):
                if value.startswith(mark):
                    found.setdefault(value[len(mark) :], []).append(int(one.name))
        return found


_marked = _Marked()


def engine_processes(name: str) -> list[int]:
    """dockerd, containerd, shims and proxies of the host, by the marker that they inherited."""
    return _marked.of(name)


def container_processes(name: str) -> list[int]:
    """What runs in the host's containers, whatever environment its image gave it."""
    return host_limits.processes(name, "containers")


def kill(pids: list[int]) -> None:
    """SIGKILL to each that still is there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_everything(name: str, deadline_s: float = 10.0) -> None:
    """Kills until nothing of the host runs: a process may fork while we look. Reading every environment is slow
    where there are many processes: it is done only when the cgroups are empty."""
    end = time.monotonic() + deadline_s
    while left := host_limits.processes(name) or engine_processes(name):
        kill(left)
        for pid in left:
            reap(pid)
        if time.monotonic() > end:
            raise OSError(f"processes of {name} do not die: {left[:10]}")
        time.sleep(0.01)


def cgroup_folders(name: str) -> list[Path]:
    """The host's cgroup in the unified hierarchy, or in every hierarchy of version 1."""
    places = [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]
    return [one for one in places if one.is_dir()]


def remove_cgroups(name: str, deadline_s: float = 5.0) -> None:
    """Removes them from the leaves up; a cgroup is busy until the kernel has let go of its last process."""
    end = time.monotonic() + deadline_s
    while True:
        for top in cgroup_folders(name):
            for folder in sorted((one for one in top.rglob("*") if one.is_dir()), reverse=True):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                top.rmdir()
        if not cgroup_folders(name):
            return
        if time.monotonic() > end:
            raise OSError(f"cgroups of {name} stay busy")
        time.sleep(0.01)


def mounts_below(folders: list[Path]) -> list[str]:
    """Mount points of this namespace that lie in the folders, deepest first."""
    tops = [f"{one}/" for one in folders]
    found = []
    for line in (PROC / "self/mountinfo").read_text(errors="replace").splitlines():
        point = line.split(" ")[4].encode().decode("unicode_escape")
        if any(f"{point}/".startswith(top) for top in tops):
            found.append(point)
    return sorted(found, reverse=True)


def remove_everything(name: str, folders: list[Path]) -> None:
    """Kills what runs, then removes cgroups, mounts and files. OSError if something stays."""
    kill_everything(name)
    remove_cgroups(name)
    # The host's mounts live in its own namespace and went with it: this is for one whose machine shares mounts.
    for point in mounts_below(folders):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
