"""Which process of this machine is the Engine: the owner of the namespace that host mode shares."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

DAEMONS = frozenset({"dockerd", "balenad"})
PROC = Path("/proc")
#: Where a dockerd of the system notes its pid: as the machine's first process sees it (from a container that shares the
#: machine's pids, that is the machine's /run), and as we do.
PID_FILES = (Path("/proc/1/root/run/docker.pid"), Path("/run/docker.pid"))


def _comm(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def _noted() -> int:
    """The pid in the first file that can be read; 0 if none says one."""
    for file in PID_FILES:
        try:
            return int(file.read_text())
        except (OSError, ValueError):
            continue
    return 0


def running_daemon() -> int | None:
    """The machine's dockerd: by its pid file, else the only process of that name."""
    pid = _noted()
    if pid > 0 and _comm(pid) in DAEMONS:
        return pid
    found = [int(one.name) for one in PROC.iterdir() if one.name.isdigit() and _comm(int(one.name)) in DAEMONS]
    return found[0] if len(found) == 1 else None


def find_daemon(endpoint: str, timeout_s: float = 2.0) -> int | None:
    """The pid of the daemon behind a unix socket, with SO_PEERCRED (unix(7)); None if it is not a
    process of this machine. Blocking.

    The credentials are those of the process that called listen(2): with systemd's socket activation
    that is pid 1, and the daemon is looked for by name instead.
    """
    if not endpoint.startswith("unix://"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(endpoint.removeprefix("unix://"))
            packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    pid: int = struct.unpack("3i", packed)[0]
    if pid <= 0:
        return None
    if _comm(pid) in DAEMONS:
        return pid
    return running_daemon() if pid == 1 else None
