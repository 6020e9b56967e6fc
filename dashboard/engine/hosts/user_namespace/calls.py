"""System calls that the standard library does not have, and a program that loads a seccomp filter.

    python -I -S calls.py FILTER COMMAND…

loads the filter FILTER, in hexadecimal digits (none if it is empty), and executes the command. Imports little, because
it runs before each host and terminal. Sources: mount(2), pivot_root(2), prctl(2), seccomp(2).
"""

import ctypes
import fcntl
import os
import struct
import sys
import warnings  # noqa: F401 - os.execvpe imports it, when the root is another one without this Python

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, REC, PRIVATE = 1 << 12, 1 << 14, 1 << 18
_DETACH = 2
_LOOP_GET_FREE, _LOOP_CONFIGURE, _LOOP_AUTOCLEAR = 0x4C82, 0x4C0A, 4
EBUSY = 16
_PDEATHSIG, _SECCOMP, _FILTER = 1, 22, 2
SIGKILL, SIGPIPE, SIGXFSZ = 9, 13, 25
libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mounts a file system, or changes a mount (mount(2)). ``kind`` is the type of the file system, ``options`` are its
    options. Raises OSError, which names the target."""
    words = (os.fsencode(word) for word in (source, target, kind))
    _check(libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options) or None), target)


def bind_readonly(source: str, target: str) -> None:
    """Mounts a file or folder at a second path, read-only. The other attributes of the mount remain unchanged."""
    mount(source, target, flags=BIND)
    kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)
    mount("none", target, flags=BIND | REMOUNT | RDONLY | kept)


def mount_image(image: str, target: str, kind: str, options: str) -> None:
    """Mounts the file system in the file ``image`` through a loop device, which disappears with the mount. Raises
    OSError if that fails, or if the kernel is older than 5.8 (LOOP_CONFIGURE, loop(4)).

    mount(8) is not used: it first reads the settings of all loop devices of the machine, and so takes longer with each
    host.
    """
    file = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    device = -1
    try:
        while device < 0:
            path = f"/dev/loop{fcntl.ioctl(control, _LOOP_GET_FREE)}"
            device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, _loop_settings(file, image))
            except OSError as error:
                if error.errno != EBUSY:
                    raise
                os.close(device)  # another process was faster
                device = -1
        mount(path, target, kind, options=options)
    finally:
        for descriptor in (file, control, *([device] if device >= 0 else [])):
            os.close(descriptor)


def _loop_settings(file: int, name: str) -> bytes:
    """Returns a ``struct loop_config`` (linux/loop.h) for the open file with the descriptor ``file`` and the path
    ``name``."""
    details = struct.pack(
        "=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, _LOOP_AUTOCLEAR, os.fsencode(name)[:63], b"", b"", 0, 0
    )
    return struct.pack("=2I", file, 0) + details + bytes(64)


def change_root(new: str, old: str) -> None:
    """Makes the folder ``new`` the root of this mount namespace, and removes the previous root. ``old`` is a folder
    below ``new`` where the previous root is mounted meanwhile."""
    os.chdir(new)
    _check(libc.pivot_root(b".", os.fsencode(old)), new)
    os.chdir("/")
    _check(libc.umount2(os.fsencode(f"/{old}"), _DETACH), old)


def set_host_name(name: str) -> None:
    """Sets the host name of this UTS namespace."""
    _check(libc.sethostname(os.fsencode(name), len(os.fsencode(name))), name)


def end_with_parent() -> None:
    """Makes the kernel kill this process when its parent ends. The kernel forgets this if the process changes its user
    later (prctl(2))."""
    _check(libc.prctl(_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl")


def load_filter(program: bytes) -> None:
    """Loads a seccomp filter for this process and all that it starts. ``program`` is the filter in the kernel's format
    (``filter_program``). Needs CAP_SYS_ADMIN."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    argument = Program(len(program) // 8, program)
    _check(libc.prctl(_SECCOMP, _FILTER, ctypes.byref(argument), 0, 0), "the seccomp filter")


def execute(command: list[str]) -> None:
    """Replaces this process with the command. Resets SIGPIPE and SIGXFSZ, because Python ignores them and the command
    would inherit that."""
    for number in (SIGPIPE, SIGXFSZ):
        libc.signal(number, None)
    os.execvp(command[0], command)  # noqa: S606 - the command is not a shell's


if __name__ == "__main__":
    if sys.argv[1]:
        load_filter(bytes.fromhex(sys.argv[1]))
    execute(sys.argv[2:])
