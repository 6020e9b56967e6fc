"""Creates the cgroups of a private host and sets their limits.

    NAME              everything: memory, pids, cpu
    NAME/engine       dockerd, containerd, shims, proxies
    NAME/containers   what users run, with lower limits, so that the engine always answers
    NAME/containers/shell   programs that Netmodes runs for a user outside containers, such as terminals

All functions block. Sources: cgroups(7), the kernel's cgroup-v1/{memory,pids} and cgroup-v2 documentation.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dashboard.core.training.capacity import HostLimits

CGROUPS = Path("/sys/fs/cgroup")
PARTS = ("engine", "containers", "containers/shell")
CONTROLLERS = ("cpu", "memory", "pids")
PERIOD_US = 100_000
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_unified(root: Path = CGROUPS) -> bool:
    """Returns whether the machine's controllers are in the unified hierarchy (version 2)."""
    return (root / "cgroup.controllers").exists()


def missing_controllers(root: Path = CGROUPS) -> tuple[str, ...]:
    """Returns those of CONTROLLERS that the machine lacks. Limits that need them do not apply to hosts."""
    if is_unified(root):
        return tuple(one for one in CONTROLLERS if one not in (root / "cgroup.controllers").read_text().split())
    return tuple(one for one in CONTROLLERS if not (root / one).is_dir())


def make_cgroups(name: str, limits: HostLimits | None, root: Path = CGROUPS) -> tuple[str, ...]:
    """Creates the cgroups of the host ``name`` and sets the limits. Returns the files into which the host's dockerd
    writes its pid to enter the cgroups.

    Limits whose controller the machine lacks are omitted. Raises OSError if one of the remaining limits cannot be set.
    """
    tops = _tops(name, root)
    missing = missing_controllers(root)
    for controller, top in tops:
        top.mkdir(exist_ok=True)
        if not controller:
            _delegate(root)
            _delegate(top)
        for part in PARTS:
            (top / part).mkdir(exist_ok=True)
            if not controller and part == "containers":
                _delegate(top / part)
        if limits is not None:
            for place, value in _values(controller, top, limits, missing):
                _write_limit(controller, place, value)
    return tuple(str(top / "engine" / "cgroup.procs") for _, top in tops)


@dataclass(frozen=True, slots=True)
class DelegatedCgroups:
    """The cgroups of a host that may itself create cgroups below them. ``tops`` are the host's topmost folders, one in
    each hierarchy. ``later`` are pairs (file, value), which delegate controllers and set limits. They can only be
    written after the host's first process has left the folders ``tops``."""

    tops: tuple[Path, ...]
    later: tuple[tuple[Path, str], ...]


def make_delegated_cgroups(name: str, limits: HostLimits | None, owner: int, root: Path = CGROUPS) -> DelegatedCgroups:
    """Creates the cgroups of a host in a user namespace. ``owner`` is the user id of the host's root on the machine.

    The host may create cgroups and move processes below ``containers``. Only the machine's root may change the limits
    of ``containers`` and above. Limits whose controller the machine lacks are omitted. Raises OSError if one of the
    remaining limits cannot be set.

    The host has a cgroup in every hierarchy. Otherwise runc would refuse to start a container without certain
    controllers (devices), and containerd would read no statistics.
    """
    unified, missing = is_unified(root), missing_controllers(root)
    tops = [root / name] if unified else [one / name for one in sorted(root.iterdir()) if _is_hierarchy(one)]
    for top in tops:
        for folder in (top, *(top / part for part in PARTS)):
            folder.mkdir(exist_ok=True)
            for file in ("cpuset.cpus", "cpuset.mems"):  # empty in a new cgroup: nothing could run there
                if not unified and (folder / file).exists():
                    (folder / file).write_text((folder.parent / file).read_text())
        for folder in (top / "containers", top / "containers/shell"):
            os.chown(folder, owner, owner)
            for file in ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"):
                if (folder / file).exists():
                    os.chown(folder / file, owner, owner)
        # Moving a process between two cgroups requires write access to cgroup.procs of their common ancestor.
        if unified and (top / "cgroup.procs").exists():
            os.chown(top / "cgroup.procs", owner, owner)
    later: list[tuple[Path, str]] = []
    if unified:
        _delegate(root)
        for folder in (root / name, root / name / "containers"):
            later += [(folder / "cgroup.subtree_control", f"+{one}") for one in CONTROLLERS if one not in missing]
    if limits is not None:
        for controller, top in _tops(name, root):
            for place, value in _values(controller, top, limits, missing):
                if unified and place.parent != top:
                    later.append((place, value))
                else:
                    _write_limit(controller, place, value)
    return DelegatedCgroups(tuple(tops), tuple(later))


def _is_hierarchy(folder: Path) -> bool:
    """Returns whether the folder is the mount point of a hierarchy of version 1."""
    return not folder.is_symlink() and (folder / "release_agent").exists()


def read_cpus(name: str, root: Path = CGROUPS) -> float:
    """Returns the host's limit of processor time in cores; 0 if it has none."""
    top = root / name if is_unified(root) else root / "cpu" / name
    try:
        if is_unified(root):
            quota, period = (top / "cpu.max").read_text().split()
        else:
            quota, period = ((top / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
        return max(0.0, int(quota) / int(period))
    except (OSError, ValueError):
        return 0.0


def shell_files(name: str, root: Path = CGROUPS) -> tuple[str, ...]:
    """Returns the files into which a program writes its pid to enter the cgroups ``NAME/containers/shell`` and so
    to get the limits of a user's programs."""
    return tuple(str(top / "containers/shell/cgroup.procs") for _, top in _tops(name, root) if top.is_dir())


def processes(name: str, part: str = "", root: Path = CGROUPS) -> list[int]:
    """Returns the pids of all processes in the cgroups of the host ``name``. If ``part`` is given (such as
    ``containers``), returns only those in this cgroup and below."""
    tops = [top for controller, top in _tops(name, root) if controller in {"", "pids"}]
    found: list[int] = []
    for top in tops:
        with suppress(FileNotFoundError):
            for folder in folders_upwards(top / part):
                with suppress(OSError), open("cgroup.procs", opener=partial(os.open, dir_fd=folder)) as file:
                    found += [int(one) for one in file.read().split()]
    return found


def folders_upwards(top: Path) -> Iterator[int]:
    """Yields a descriptor of each folder below ``top``, then of ``top``; each folder after those in it. The descriptor
    is closed with the next step. Raises OSError.

    The paths of these folders may be longer than the kernel permits (PATH_MAX), and the levels more than a process may
    have open files: root of a host can create such cgroups.
    """
    folder = os.open(top, FOLDER_FLAGS)
    try:
        waiting = [subfolders(folder)]
        while waiting:
            if waiting[-1]:
                with suppress(FileNotFoundError):
                    below = os.open(waiting[-1].pop(), FOLDER_FLAGS, dir_fd=folder)
                    os.close(folder)
                    folder = below
                    waiting.append(subfolders(folder))
                continue
            yield folder
            waiting.pop()
            if waiting:
                above = os.open("..", FOLDER_FLAGS, dir_fd=folder)
                os.close(folder)
                folder = above
    finally:
        os.close(folder)


def subfolders(folder: int) -> list[str]:
    """Returns the names of the folders in the folder with this descriptor; none if it has been removed."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _tops(name: str, root: Path) -> list[tuple[str, Path]]:
    """Returns the controller and the host's folder for every hierarchy. The controller is empty in the unified
    hierarchy."""
    if is_unified(root):
        return [("", root / name)]
    return [(one, root / one / name) for one in CONTROLLERS if (root / one).is_dir()]


def _delegate(folder: Path) -> None:
    """Enables all available controllers for the children of a cgroup (cgroup.subtree_control)."""
    for controller in CONTROLLERS:
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _write_limit(controller: str, file: Path, value: str) -> None:
    """Writes ``value`` to ``file``. If ``file`` is missing, raises OSError in the unified hierarchy (empty
    ``controller``), and does nothing in a hierarchy of version 1.

    A file may be missing because the parent cgroup contains processes and so delegates nothing. ``memory.swap.max`` may
    always be missing, because the kernel may not account for swap.
    """
    if file.exists():
        file.write_text(value)
    elif not controller and file.name != "memory.swap.max":
        kind = file.name.partition(".")[0]
        raise OSError(errno.ENOENT, f"the parent cgroup does not delegate the controller {kind}", str(file))


def _values(controller: str, top: Path, limits: HostLimits, missing: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Yields (file, value) for every limit in one hierarchy. ``top`` is the host's folder there. Limits of the
    controllers in ``missing`` are omitted."""
    for place, value in _all_values(controller, top, limits):
        if controller or place.name.partition(".")[0] not in missing:
            yield place, value


def _all_values(controller: str, top: Path, limits: HostLimits) -> Iterator[tuple[Path, str]]:
    people = top / "containers"
    whole_bytes, people_bytes = str(limits.memory_mb << 20), str(limits.workload_mb << 20)
    quota = int(limits.cpus * PERIOD_US)
    match controller:
        case "":
            yield top / "cpu.max", f"{quota} {PERIOD_US}"
            for folder, size in ((top, whole_bytes), (people, people_bytes)):
                yield folder / "memory.max", size
                yield folder / "memory.swap.max", "0"
        case "cpu":
            yield top / "cpu.cfs_period_us", str(PERIOD_US)
            yield top / "cpu.cfs_quota_us", str(quota)
        case "memory":
            for folder, size in ((top, whole_bytes), (people, people_bytes)):
                yield folder / "memory.limit_in_bytes", size
                yield folder / "memory.memsw.limit_in_bytes", size
    if controller in {"", "pids"}:
        yield top / "pids.max", str(limits.total_pids)
        yield people / "pids.max", str(limits.pids)
