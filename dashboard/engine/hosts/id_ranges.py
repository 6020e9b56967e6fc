"""Assigns ranges of user and group ids to private hosts. Each host has 65,536 ids of the machine that no other host
has.

A host keeps its range until its files are removed or the machine is restarted. All functions block. Sources: subuid(5),
user_namespaces(7), systemd's documentation of UIDS-GIDS (container range).
"""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COUNT = 65536
#: The name in /etc/subuid and /etc/subgid for which an administrator reserves ids.
NAME = "netmodes"
#: The range if no ids are reserved for that name: the one that systemd reserves for containers.
DEFAULT_RANGE = (524288, 1879048191)
#: A link for each claimed range, named by its first id, to the folder of its host.
CLAIMS = Path("/run/netmodes/.ids")
SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))
CAPABILITY = "security.capability"


class NoIdsError(OSError):
    """No range of ids is free."""


def claim(folder: Path, wanted: int = 0, claims: Path = CLAIMS, files: tuple[Path, ...] = SUBORDINATE) -> int:
    """Claims a range for the host whose files are in ``folder``, and returns the first id of the range. Creates
    ``folder`` if it does not exist, because a claim without a folder is taken for that of a host that was deleted.

    ``wanted`` is the first id of the preferred range (0: no preference). If another host has claimed that range, claims
    a different one. ``claims`` is the folder with the claims of all hosts. ``files`` are /etc/subuid and /etc/subgid.
    Raises NoIdsError if no range is free.
    """
    claims.parent.mkdir(parents=True, exist_ok=True)
    first = [wanted] if wanted else []
    with _locked(claims):
        claims.mkdir(exist_ok=True, mode=0o711)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for base in itertools.chain(first, _ranges(files)):
            if _take(claims / str(base), folder):
                return base
    raise NoIdsError(
        "no range of user ids is free for a private host: remove hosts, or reserve more ranges for netmodes, the same "
        "in /etc/subuid and in /etc/subgid"
    )


def release(folder: Path, claims: Path = CLAIMS) -> None:
    """Releases the ranges of the host whose files are in ``folder``. ``claims`` is the folder with the claims of all
    hosts."""
    with suppress(OSError), _locked(claims):
        for link in claims.glob("[0-9]*"):
            if link.readlink() == folder:
                link.unlink()
        claims.rmdir()


@contextmanager
def _locked(claims: Path) -> Iterator[None]:
    """Lets processes and threads take turns to change the claims. Locks the parent of the folder ``claims``, because
    ``release`` removes that folder. Raises OSError if the parent does not exist."""
    lock = os.open(claims.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _take(link: Path, folder: Path) -> bool:
    if link.is_symlink():
        holder = link.readlink()
        if holder == folder or holder.exists():
            return holder == folder
        link.unlink()  # the claim of a host that was deleted by hand
    link.symlink_to(folder)
    return True


def _ranges(files: tuple[Path, ...]) -> Iterator[int]:
    """Yields the first id of each range that hosts may use. ``files`` are /etc/subuid and /etc/subgid. If any of them
    reserves ids for the user NAME, hosts may use the ranges that all of them reserve. Otherwise hosts may use the parts
    of DEFAULT_RANGE that ``files`` assign to no user."""
    entries = [list(_entries(file)) for file in files]
    own = [{(first, count) for name, first, count in file if name == NAME} for file in entries]
    for first, count in sorted(set.intersection(*own)):
        yield from range(first, first + count - COUNT + 1, COUNT)
    if any(own):
        return
    others = [(first, first + count) for file in entries for _, first, count in file]
    for base in range(DEFAULT_RANGE[0], DEFAULT_RANGE[1] - COUNT + 2, COUNT):
        if not any(first < base + COUNT and base < end for first, end in others):
            yield base


def _entries(file: Path) -> Iterator[tuple[str, int, int]]:
    """Yields the name, the first id and the number of ids in each line of /etc/subuid or /etc/subgid (``file``). Yields
    nothing if the file cannot be read."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError):
            name, first, count = line.strip().split(":")
            yield name, int(first), int(count)


def shift(folder: Path, old: int, new: int) -> None:
    """Changes the owner of everything in ``folder`` from the range ``old`` to the range ``new``. Each id in ``old``
    becomes the id at the same position in ``new``; other ids are kept. ``old`` and ``new`` are first ids; 0 stands for
    the machine's own ids. Symbolic links are not followed."""
    _shift_entry(folder, old, new)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _shift_entry(Path(place, name), old, new)


def _shift_entry(path: Path, old: int, new: int) -> None:
    found = path.lstat()
    uid, gid = (new + one - old if old <= one < old + COUNT else one for one in (found.st_uid, found.st_gid))
    if (uid, gid) == (found.st_uid, found.st_gid):
        return
    capability = _capability(path)
    os.lchown(path, uid, gid)  # the kernel removes capabilities and the set-user-id bit
    if not path.is_symlink():
        path.chmod(found.st_mode & 0o7777)
        if capability:
            os.setxattr(path, CAPABILITY, _owned_by(capability, new), follow_symlinks=False)


def _capability(path: Path) -> bytes:
    try:
        return os.getxattr(path, CAPABILITY, follow_symlinks=False)
    except OSError:
        return b""


def _owned_by(capability: bytes, root: int) -> bytes:
    """Returns the file capabilities ``capability`` for user namespaces whose root has the id ``root`` on the machine.
    The result has revision 3 of the format, which contains this id. If ``root`` is 0 (the machine's own root), the
    result has revision 2, which contains no id (linux/capability.h, vfs_ns_cap_data)."""
    magic, data = int.from_bytes(capability[:4], "little"), capability[4:20]
    revision = 0x03000000 if root else 0x02000000
    head = (magic & 0x00FFFFFF | revision).to_bytes(4, "little")
    return head + data + (root.to_bytes(4, "little") if root else b"")
