"""Translates the process ids that an engine reports to those of this machine. They differ if the engine runs in a pid
namespace of its own.

Sources: pid_namespaces(7), proc_pid_status(5) (NSpid), NS_GET_PID_FROM_PIDNS (ioctl_nsfs(2), Linux 6.11).
"""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from dashboard.engine.hosts.limits import processes

#: _IOR(0xb7, 0x6, int) of linux/nsfs.h. The argument is a pid in the namespace, the result the pid that the caller
#: sees. NS_GET_PARENT opens the parent namespace (Linux 4.9).
NS_GET_PID_FROM_PIDNS = 0x8004B706
NS_GET_PARENT = 0xB702
PROC = Path("/proc")


def machine_pid(pid: int, daemon: int | None) -> int:
    """Returns the pid on this machine of the process that an engine reports as ``pid``; 0 if that process has ended.

    ``daemon`` is the pid of the engine's daemon. Also returns 0 if ``daemon`` is None or has ended: its pid namespace
    is unknown then, and ``pid`` may be the pid of an unrelated process on this machine. Blocks.
    """
    if pid <= 0 or daemon is None:
        return 0
    try:
        space = os.open(f"/proc/{daemon}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        if os.fstat(space).st_ino == Path("/proc/self/ns/pid").stat().st_ino:
            return pid
        return _translate(pid, space)
    finally:
        os.close(space)


def is_inside_host(pid: int, name: str) -> bool:
    """Returns whether the process belongs to the engine of the private host ``name``, which has a pid namespace of its
    own: it is in the engine's cgroup, and not in the pid namespace of this process. Blocks."""
    try:
        is_outside = (PROC / str(pid) / "ns/pid").stat().st_ino == Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return False
    return not is_outside and pid in processes(name, "engine")


def _translate(pid: int, space: int) -> int:
    try:
        return fcntl.ioctl(space, NS_GET_PID_FROM_PIDNS, pid)
    except OSError as error:
        if error.errno != errno.ENOTTY:
            return 0
    return _search(pid, os.fstat(space).st_ino)


def _search(pid: int, inode: int) -> int:
    """Returns the pid on this machine of a process that has the pid ``pid`` in the pid namespace with this inode; 0 if
    no process has it. The process is in that namespace or in one below it. Needed on kernels before 6.11."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            numbers = _numbers(folder)
            depth = len(numbers) - 1
            for level, number in enumerate(numbers[1:], start=1):
                if number == pid and _is_at(folder, depth - level, inode):
                    return int(folder.name)
    return 0


def _is_at(folder: Path, levels: int, inode: int) -> bool:
    """Returns whether the pid namespace that is ``levels`` levels above a process's own (0: its own) has this inode.
    ``folder`` is the process's folder in /proc."""
    descriptor = os.open(folder / "ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(levels):
            parent = fcntl.ioctl(descriptor, NS_GET_PARENT)
            os.close(descriptor)
            descriptor = parent
        return os.fstat(descriptor).st_ino == inode
    finally:
        os.close(descriptor)


def _numbers(folder: Path) -> list[int]:
    """Returns the pids of a process, one for each of its pid namespaces, from this machine's to the innermost.
    ``folder`` is its folder in /proc."""
    for line in (folder / "status").read_bytes().splitlines():
        if line.startswith(b"NSpid:"):
            return [int(one) for one in line.split()[1:]]
    return []
