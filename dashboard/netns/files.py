"""Reads and writes small files as another process sees them. Symbolic links are followed only within that process's
root, never into the file system of this process."""

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path

_SYS_OPENAT2 = 437  # the same number on every architecture that Docker runs on
_OPEN_HOW = struct.Struct("=QQQ")  # flags, mode, resolve
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
_LIMIT_BYTES = 1024 * 1024
_ATTEMPTS = 8

_libc = ctypes.CDLL(None, use_errno=True)


def open_inside(pid: int, path: str, flags: int = os.O_RDONLY) -> int | None:
    """Opens ``path`` as process ``pid`` sees it, and returns the descriptor; None if it cannot be opened.

    Uses openat2(2) with RESOLVE_IN_ROOT on ``/proc/PID/root``: absolute links and ``..`` stay inside the process's root
    and mounts. Needs Linux 5.6.
    """
    if "\0" in path:
        return None
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    flags |= os.O_CLOEXEC if flags & os.O_PATH else os.O_CLOEXEC | os.O_NOCTTY  # O_PATH accepts few other flags
    how = _OPEN_HOW.pack(flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    try:
        for _ in range(_ATTEMPTS):
            opened: int = _libc.syscall(
                ctypes.c_long(_SYS_OPENAT2),
                ctypes.c_int(root),
                ctypes.c_char_p(os.fsencode(path)),
                ctypes.c_char_p(how),
                ctypes.c_size_t(len(how)),
            )
            if opened >= 0:
                return opened
            # EAGAIN: something was renamed while ".." was being walked
            if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
                break
    finally:
        os.close(root)
    return None


def shows_files(pid: int) -> bool:
    """Returns whether the files that process ``pid`` sees can be read. This is false once the process has ended."""
    try:
        Path(f"/proc/{pid}/root").stat()
    except OSError:
        return False
    return True


def read_inside(pid: int, path: str, *, truncate: bool = False) -> bytes | None:
    """Returns the contents of a regular file as process ``pid`` sees it. None if the file is not a regular file or
    cannot be read. If the file has more than 1 MiB, returns None or, with ``truncate``, the complete lines in its first
    MiB."""
    # The type is checked before the file is opened for reading, so that no device or pipe is opened.
    found = open_inside(pid, path, os.O_PATH)
    if found is None:
        return None
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return None
        opened = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    finally:
        os.close(found)
    try:
        content = _read_bounded(opened)
    except OSError:
        return None
    finally:
        os.close(opened)
    if len(content) <= _LIMIT_BYTES:
        return content
    return content[:_LIMIT_BYTES].rpartition(b"\n")[0] if truncate else None


def write_inside(pid: int, path: str, content: bytes) -> bool:
    """Replaces the contents of an existing regular file as process ``pid`` sees it. Returns whether that succeeded."""
    found = open_inside(pid, path, os.O_PATH)
    if found is None:
        return False
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            return False
        with Path(f"/proc/self/fd/{found}").open("r+b", buffering=0) as file:
            file.truncate()
            return file.write(content) == len(content)
    except OSError:
        return False
    finally:
        os.close(found)


def _read_bounded(opened: int) -> bytes:
    """Reads at most one byte more than the limit."""
    parts: list[bytes] = []
    left = _LIMIT_BYTES + 1
    while left > 0 and (part := os.read(opened, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_name_files(pid: int, resolv_conf: str, hosts: str) -> tuple[bytes | None, bytes | None, str]:
    """Reads the files with which a command resolves names, as process ``pid`` sees them. Returns the contents of both
    files, and a line for the command's output that names the files that cannot be read.

    The contents are None if the file cannot be read or its path is empty. The command then uses the file of the machine
    on which Netmodes runs. The line is empty if there is nothing to report.
    """
    found = [read_inside(pid, path) if path else None for path in (resolv_conf, hosts)]
    unread = [path for path, content in zip((resolv_conf, hosts), found, strict=True) if path and content is None]
    names = " and ".join(Path(path).name for path in unread)
    message = f"[Its {names} cannot be read: this command uses the server's.]\n" if unread else ""
    return found[0], found[1], message
