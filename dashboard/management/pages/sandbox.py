"""Confines this process: it continues as an ordinary user that sees few files.

``confine`` creates a mount namespace whose root contains only the paths of a ``Sandbox`` and system folders, drops all
capabilities and loads a seccomp filter.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.core.operations.web_user import WebUser
from dashboard.engine.hosts import syscall_filter
from dashboard.engine.hosts.user_namespace.calls import load_filter
from dashboard.engine.mountinfo import Mount, parse_mountinfo

#: The folder that the new root covers, in this process's mount namespace only: it contains no path of a ``Sandbox``.
MOUNT_POINT = Path("/sys")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc")
DEVICES = ("null", "zero", "full", "random", "urandom")
SMALL, TEMPORARY = "size=1m,mode=755", "size=256m,mode=1777"

# Constants of mount(2) and prctl(2).
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 1 << 12, 1 << 14, 1 << 18
_MNT_DETACH = 2
_ATTRIBUTES = {"ro": _RDONLY, "nosuid": _NOSUID, "nodev": _NODEV, "noexec": _NOEXEC}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_CAP_AMBIENT, _AMBIENT_CLEAR = 47, 4
_libc = ctypes.CDLL(None, use_errno=True)


class RefusedError(Exception):
    """The process cannot run in the sandbox. ``str()`` is a message for the user."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The user as which a confined process continues, and the files that it may read and write."""

    user: WebUser
    #: Files and folders that the process may read.
    read: frozenset[Path]
    #: Files that it may write.
    write: tuple[Path, ...]
    #: A folder in which it sees only the paths named here.
    cover: Path
    #: Its current folder.
    folder: Path
    #: Files that it must be able to read, and the command that makes them readable.
    check: tuple[Path, ...]
    hint: str


def _call(step: str, function: Callable[..., int], *arguments: Any) -> None:
    if function(*arguments) < 0:
        raise RefusedError(f"{step}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    words = (os.fsencode(word) for word in (source, target, kind))
    _call(f"mount {target}", _libc.mount, *words, ctypes.c_ulong(flags), os.fsencode(data) or None)


def flags_at_and_below(path: Path, mounts: Iterable[Mount]) -> dict[Path, int]:
    """Returns the mount points at ``path`` and below it, outer ones first, with the flags of ``_ATTRIBUTES`` that each
    mount has. Only the last of several mounts at one point is visible."""
    options = {mount.point: mount.options for mount in mounts if mount.point.is_relative_to(path)}
    return {point: sum(_ATTRIBUTES.get(option, 0) for option in options[point]) for point in sorted(options)}


def _set_attributes(path: Path, attributes: int) -> None:
    """Adds mount flags to the mount at ``path`` and to those below it. This is done one by one, because
    mount_setattr(2) is missing before Linux 5.12."""
    mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())
    for point, present in flags_at_and_below(path, mounts).items():
        _mount("none", point, "", _BIND | _REMOUNT | present | attributes)


def _show(path: Path, attributes: int) -> None:
    """Makes a file or folder of the machine visible at the same path of the new root, with these mount flags. A
    symbolic link is copied."""
    target = _inside(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        if not target.is_symlink():
            target.symlink_to(path.readlink())
        return
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(str(path), target, "", _BIND | _REC)
    _set_attributes(target, attributes)


def _inside(path: Path) -> Path:
    return MOUNT_POINT / path.relative_to("/")


def _make_folder(path: Path, kind: str, flags: int, options: str) -> None:
    """Creates a folder in the new root and mounts a new file system of the type ``kind`` there."""
    target = _inside(path)
    target.mkdir(parents=True, exist_ok=True)
    _mount("none", target, kind, flags, options)


def _outermost(paths: set[Path]) -> list[Path]:
    """The paths without those that are below another one: a folder is made visible with everything below it."""
    return sorted(path for path in paths if paths.isdisjoint(path.parents))


def make_root(sandbox: Sandbox) -> None:
    """Creates the new root with everything that the sandbox makes visible, and makes it the root of this process."""
    os.unshare(os.CLONE_NEWNS | os.CLONE_NEWIPC)
    _mount("none", Path("/"), "", _REC | _PRIVATE)
    for path, kind, flags, options in (
        (Path("/"), "tmpfs", 0, SMALL),
        (Path("/tmp"), "tmpfs", _NOEXEC, TEMPORARY),  # noqa: S108 - a new one
        (Path("/proc"), "proc", _NOEXEC, "hidepid=2"),
    ):
        _make_folder(path, kind, flags | _NOSUID | _NODEV, options)
    shown = {path for path in (*map(Path, SYSTEM), *sandbox.read) if path.exists()}
    inside = {path for path in shown if path.is_relative_to(sandbox.cover)}
    for path in _outermost(shown - inside):
        _show(path, _RDONLY | _NOSUID | _NODEV)
    _make_folder(sandbox.cover, "tmpfs", _NOSUID | _NODEV, SMALL)
    for path in _outermost(inside):
        _show(path, _RDONLY | _NOSUID | _NODEV)
    for path in sandbox.write:
        _show(path, _NOSUID | _NODEV | _NOEXEC)
    for name in DEVICES:
        _show(Path("/dev", name), _NOSUID | _NOEXEC)
    for path in (Path("/"), sandbox.cover):
        _mount("none", _inside(path), "", _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)
    os.chdir(MOUNT_POINT)
    _call("pivot_root", _libc.pivot_root, b".", b".")
    _call("umount", _libc.umount2, b".", _MNT_DETACH)
    os.chdir(sandbox.folder)


def drop_privileges(user: WebUser) -> None:
    """Makes this process continue as ``user``, gives up all capabilities permanently, and loads the seccomp filter.
    From then on, this process ends when its parent ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _call("no_new_privs", _libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("ambient capabilities", _libc.prctl, _PR_CAP_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    # A change of the user resets both. Without this call root would own the process's files in /proc.
    _call("dumpable", _libc.prctl, _PR_SET_DUMPABLE, 1, 0, 0, 0)
    _call("pdeathsig", _libc.prctl, _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if not syscall_filter.filter_refusal():
        # In a new user namespace it would have capabilities again, which expose more of the kernel to attacks.
        load_filter(bytes.fromhex(syscall_filter.digits(syscall_filter.Scope.WEB)))


def require_readable(paths: Iterable[Path], hint: str) -> None:
    """Raises RefusedError if this process cannot read one of these files. The message contains ``hint``, the command
    that makes them readable."""
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise RefusedError(f"user id {os.getuid()} cannot read {path} ({error.strerror}). Type: {hint}") from None


def replace_environment(variables: Mapping[str, str]) -> None:
    """Replaces the environment variables of this process. Also overwrites the old values in memory, because a forked
    process still contains the values of its parent."""
    strings = ctypes.POINTER(ctypes.c_void_p).in_dll(_libc, "environ")
    number = 0
    while strings and (address := strings[number]) is not None:
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
        number += 1
    kept = {os.fsencode(value) for value in variables.values()}
    header = bytes.__basicsize__ - 1
    for value in os.environ._data.values():  # type: ignore[attr-defined]
        if len(value) > 1 and value not in kept:  # single bytes are shared objects of Python
            ctypes.memset(id(value) + header, 0, len(value))
    _libc.clearenv()
    os.environ.clear()
    os.environ.update(variables)


def confine(sandbox: Sandbox, environment: Mapping[str, str]) -> None:
    """Confines this process to the files and the user of ``sandbox``. The process must have only one thread.
    ``environment`` becomes its environment. Raises RefusedError if the kernel refuses a step, or if a required file is
    not readable."""
    os.umask(0o022)
    try:
        make_root(sandbox)
        drop_privileges(sandbox.user)
    except OSError as error:
        raise RefusedError(str(error)) from error
    require_readable(sandbox.check, sandbox.hint)
    replace_environment(environment)
    os.umask(0o077)


def find_refusal(user: WebUser) -> str:
    """The reason why this machine does not allow a sandbox; empty if it does. Tries ``confine`` in a forked process.
    For example, AppArmor may refuse mounts in a container, and the root of chroot(2) or of an initramfs cannot be
    replaced."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.unshare(os.CLONE_NEWPID)
            confine(Sandbox(user, frozenset(), (), Path("/run"), Path("/"), (), ""), {})
            status = 0
        except (RefusedError, OSError) as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        reason = answer.read().decode(errors="replace")
    _, status = os.waitpid(pid, 0)
    return (reason or "it ended early") if status else ""
