"""Translates the process ids that an engine reports to those of this machine: an engine in a pid namespace of its own
reports those of that namespace.

Sources: pid_namespaces(7), proc_pid_status(5) (NSpid), NS_GET_PID_FROM_PIDNS (ioctl_nsfs(2), Linux 6.11)."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

#: _IOR(0xb7, 0x6, int) of linux/nsfs.h. The argument is a pid in the namespace, the result the pid that the caller
#: sees. NS_GET_PARENT opens the parent namespace (Linux 4.9).
NS_GET_PID_FROM_PIDNS = 0x8004B706
NS_GET_PARENT = 0xB702
PROC = Path("/proc")


def machine_pid(pid: int, daemon: int | None) -> int:
    """The pid on this machine of the process that the engine with the process ``daemon`` calls ``pid``; 0 if it has
    ended. Blocks."""
    if pid <= 0 or daemon is None:
        return pid
    try:
        space = os.open(f"/proc/{daemon}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return pid
    try:
        if os.fstat(space).st_ino == Path("/proc/self/ns/pid").stat().st_ino:
            return pid
        return _translate(pid, space)
    finally:
        os.close(space)


def _translate(pid: int, space: int) -> int:
    try:
        return fcntl.ioctl(space, NS_GET_PID_FROM_PIDNS, pid)
    except OSError as error:
        if error.errno != errno.ENOTTY:
            return 0
    return _search(pid, os.fstat(space).st_ino)


def _search(pid: int, space: int) -> int:
    """``_translate`` on a kernel before 6.11: searches for the process with the number ``pid`` in the namespace
    ``space``. The process is in that namespace or in one below it."""
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            numbers = _numbers(folder)
            depth = len(numbers) - 1
            for level, number in enumerate(numbers[1:], start=1):
                if number == pid and _is_at(folder, depth - level, space):
                    return int(folder.name)
    return 0


def _is_at(folder: Path, above: int, space: int) -> bool:
    """Whether the namespace that is ``above`` levels above that of the process is ``space``."""
    descriptor = os.open(folder / "ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(above):
            parent = fcntl.ioctl(descriptor, NS_GET_PARENT)
            os.close(descriptor)
            descriptor = parent
        return os.fstat(descriptor).st_ino == space
    finally:
        os.close(descriptor)


def _numbers(folder: Path) -> list[int]:
    """The pids of a process, one for each namespace, from this machine's to the innermost."""
    for line in (folder / "status").read_bytes().splitlines():
        if line.startswith(b"NSpid:"):
            return [int(one) for one in line.split()[1:]]
    return []
