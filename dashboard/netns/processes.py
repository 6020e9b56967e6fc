"""Finds the process that holds a socket, and the container of a process (proc(5), cgroups(7))."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dashboard.netns.netlink.rtnetlink import decode_name

#: conmon, which Podman starts for each container, is not in the container: its cgroup is ``libpod-conmon-<id>.scope``.
_CONTAINER_ID = re.compile(rb"(?:(?![a-z-]*conmon-)[a-z][a-z-]*-)?([0-9a-f]{64})(?:\.scope)?")

_MAX_ANCESTORS = 64


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a socket. ``started`` is its start in clock ticks since boot; together with the pid it
    identifies the process. ``container`` is the full id of its container, None for the machine's own processes."""

    pid: int
    process: str
    container: str | None
    started: int


def all_pids() -> tuple[int, ...]:
    """Returns the pids of all processes of the machine."""
    with os.scandir("/proc") as entries:
        return tuple(int(entry.name) for entry in entries if entry.name.isdigit())


def owners(inodes: Collection[int], pids: Iterable[int]) -> dict[int, tuple[tuple[int, str], ...]]:
    r"""Returns the processes that have a socket open, by the socket's inode. Each process is a pair (pid, process
    name), the oldest first. Searches only for the sockets ``inodes``, and only in the processes ``pids``. Sockets that
    none of these processes has open are omitted.

    Pages show the oldest process: for a server that forks after binding, it is the master process. Names are those of
    ``/proc/PID/comm``; bytes that are not UTF-8 appear as ``\xff``. Processes that end meanwhile are omitted. Reads
    every descriptor of every given process: call it in a thread.
    """
    wanted = frozenset(inodes)
    holders: dict[int, list[tuple[int, int]]] = {}
    for pid in dict.fromkeys(pids):
        held = _held_sockets(pid, wanted)
        if not held:
            continue
        started = start_of(pid)
        if started is None:
            continue
        for inode in held:
            holders.setdefault(inode, []).append((started, pid))
    names: dict[int, str | None] = {}
    found: dict[int, tuple[tuple[int, str], ...]] = {}
    for inode, pairs in holders.items():
        named: list[tuple[int, str]] = []
        for _, pid in sorted(pairs):
            if pid not in names:
                names[pid] = name_of(pid)
            if (name := names[pid]) is not None:
                named.append((pid, name))
        if named:
            found[inode] = tuple(named)
    return found


def find_owners(
    inodes: Collection[int], candidates: Iterable[int] = (), containers: Mapping[int, str] | None = None
) -> dict[int, Owner]:
    """Returns the owner of each socket by its inode. Sockets without a known owner are omitted, as is inode 0, a socket
    of the kernel. Searches the pids ``candidates`` first, then all processes. Call it in a thread.

    ``containers`` maps the pid of a container's first process to the container's id. It is needed for containers that
    do not appear in the cgroups of their processes (``container_by_ancestor``).
    """
    missing = {inode for inode in inodes if inode}
    found: dict[int, Owner] = {}
    known: dict[int, Owner] = {}
    tried = tuple(candidates)
    for pids in (tried, None):
        if not missing:
            break
        scope = all_pids() if pids is None else pids
        for inode, pairs in owners(missing, scope).items():
            pid, name = pairs[0]
            if pid not in known:
                started = start_of(pid)
                if started is None:
                    continue
                known[pid] = Owner(
                    pid, name, container_of(pid) or container_by_ancestor(pid, containers or {}), started
                )
            found[inode] = known[pid]
        missing.difference_update(found)
    return found


def still_held(owner: Owner, inodes: Collection[int]) -> set[int]:
    """Checks which of the sockets with these inodes the process still holds, and returns their inodes. Empty if the
    process has ended or changed its name."""
    if start_of(owner.pid) != owner.started or name_of(owner.pid) != owner.process:
        return set()
    return _held_sockets(owner.pid, frozenset(inodes))


def _held_sockets(pid: int, wanted: frozenset[int]) -> set[int]:
    """Checks which of the sockets with the inodes ``wanted`` a process has open, and returns their inodes. Empty if the
    process has ended or cannot be read."""
    found: set[int] = set()
    folder = b"/proc/%d/fd/" % pid
    try:
        names = os.listdir(folder)  # noqa: PTH208 - bytes, and ten times faster than Path.iterdir
    except OSError:
        return found
    for name in names:
        if len(found) == len(wanted):
            break  # often early: listening sockets are usually among the first descriptors
        try:
            target = os.readlink(folder + name)  # noqa: PTH115 - bytes
        except OSError:
            continue
        if target.startswith(b"socket:[") and (inode := int(target[8:-1])) in wanted:
            found.add(inode)
    return found


def name_of(pid: int) -> str | None:
    """Returns the process's name (at most 15 bytes); None if it has ended."""
    raw = _read(f"/proc/{pid}/comm")
    return None if raw is None else decode_name(raw.removesuffix(b"\n"))


def start_of(pid: int) -> int | None:
    """Returns the start time of a process in clock ticks since boot; None if it has ended or is a zombie."""
    raw = _read(f"/proc/{pid}/stat")
    if raw is None:
        return None
    # The name may contain spaces and parentheses, so fields are counted from the last parenthesis.
    fields = raw[raw.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] in {b"Z", b"X"}:
        return None
    return int(fields[19])


def _read(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts: list[bytes] = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # ESRCH: it ended between open and read
        return None
    finally:
        os.close(descriptor)


def container_in(cgroup: bytes) -> str | None:
    """Returns the innermost container id in ``cgroup``, the text of ``/proc/PID/cgroup``; None without one.

    Covers both versions of cgroups: v1 has a line per controller, v2 the line ``0::``. Covers both cgroup drivers:
    cgroupfs writes ``/docker/<id>``, systemd ``/system.slice/docker-<id>.scope``.
    """
    for line in cgroup.splitlines():
        for segment in reversed(line.split(b":", 2)[-1].split(b"/")):
            if match := _CONTAINER_ID.fullmatch(segment):
                return match.group(1).decode()
    return None


def container_by_ancestor(pid: int, containers: Mapping[int, str]) -> str | None:
    """Returns the container id of a process whose cgroup does not contain one. Such processes exist because rootless
    engines may start containers in the engine's cgroup. ``containers`` maps the pid of each container's first process
    to the container's id. Searches for these pids among the process and its ancestors; None if it finds none of
    them."""
    if not containers:
        return None
    for _ in range(_MAX_ANCESTORS):
        if pid in containers:
            return containers[pid]
        raw = _read(f"/proc/{pid}/stat")
        if raw is None:
            return None
        pid = int(raw[raw.rfind(b")") + 2 :].split()[1])
    return None


def container_of(pid: int) -> str | None:
    """Returns the full 64-digit id of the container of a process; None for the machine's own processes."""
    raw = _read(f"/proc/{pid}/cgroup")
    return None if raw is None else container_in(raw)
