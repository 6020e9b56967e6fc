"""The record of a private host: a file in the host's folder, from which any process can find the host."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import disk
from dashboard.engine.hosts.cleanup import is_running, start_ticks

log = logging.getLogger(__name__)
RECORD = "host.json"


@dataclass(frozen=True, slots=True)
class LanPlace:
    """The number of a host on its LAN, and the properties of the LAN.

    ``name`` is the LAN's name; it is empty if the host has a LAN of its own. ``number``, which counts from 1,
    determines the host's addresses. ``neighbours`` is the number of machines without Docker on the LAN. ``mtu`` (in
    bytes), ``delay_ms`` and ``loss_percent`` apply to every link of the LAN; 0 means no delay or no loss. ``hosts`` is
    the number of hosts with which the LAN was created, 0 if unknown."""

    name: str = ""
    number: int = 1
    neighbours: int = 1
    mtu: int = 1500
    delay_ms: int = 0
    loss_percent: int = 0
    hosts: int = 0

    @property
    def addresses(self) -> tuple[str, str]:
        """The host's IPv4 and IPv6 address on the LAN (documentation ranges, RFC 5737 and RFC 3849)."""
        return f"192.0.2.{self.number + 1}", f"2001:db8::{self.number + 1}"


@dataclass(frozen=True, slots=True)
class PrivateHost:
    """A private host as it is recorded.

    ``pid`` is the pid of its dockerd on this machine. ``ticks`` is that dockerd's start time (``start_ticks``).
    ``netns`` is the inode of its network namespace. ``socket`` is the path of its engine's socket. ``started`` is the
    host's first start in seconds since the epoch. ``group`` is its training group, empty for other hosts."""

    id: str
    pid: int
    netns: int
    socket: str
    started: float
    folder: Path
    ticks: int
    group: str = ""
    #: The user id, on the machine, of the host's root; 0: the machine's own root.
    owner: int = 0
    #: The pid of the process that the starter created. It ends after all other processes of the host, and is often
    #: ``pid``.
    launcher: int = 0
    #: The inode of the network namespace of the neighbour on its LAN.
    neighbour: int = 0
    lan: LanPlace = LanPlace()
    limits: HostLimits | None = None

    @property
    def name(self) -> str:
        """The host name, which is also the name of the host's cgroup."""
        return f"netmodes-{self.id}"

    @property
    def endpoint(self) -> str:
        """The endpoint of the engine, in the format of DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def data(self) -> Path:
        """The data folder of the host's engine (dockerd's data-root)."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The file with the output of the programs that start dockerd. On a host in a user namespace, dockerd itself
        writes to a file on the host's disk (``last_message``)."""
        return self.folder / "dockerd.log"

    @property
    def disk(self) -> Path:
        """The file that contains the host's disk. It exists only if the size of the disk is limited
        (``engine.hosts.disk``)."""
        return self.folder / disk.NAME

    def has_socket(self) -> bool:
        """Returns whether the host's engine has created its socket."""
        return os.path.exists(self.socket)  # noqa: PTH110 - called every few milliseconds

    def is_running(self) -> bool:
        """Returns whether the host's dockerd still runs."""
        return is_running(self.pid, self.ticks)


def folders(data_dir: Path) -> list[Path]:
    """Returns the folders of all hosts of a data folder, running or not."""
    return sorted(one for one in (data_dir.absolute() / "hosts").glob("*") if one.is_dir())


def write(folder: Path, record: dict[str, Any]) -> None:
    """Writes the record of the host with this folder atomically."""
    unfinished = folder / f"{RECORD}.new"
    unfinished.write_text(json.dumps(record))
    unfinished.chmod(0o600)
    unfinished.replace(folder / RECORD)


def read(folder: Path) -> dict[str, Any]:
    """Returns the record of the host with this folder; empty if it is missing or damaged."""
    try:
        record = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def note_starter(host: PrivateHost, template: str | None = None) -> None:
    """Records that this process is starting the host, so that other processes keep its files. ``template`` is the
    folder of the host's template, empty if it has none. If ``template`` is None, the recorded one is kept."""
    starter = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
    more = {} if template is None else {"template": template}
    record = read(host.folder)
    record |= {"has_been_ready": has_been_ready(record)}
    record |= {"id": host.id, "pid": 0, "starter": starter, "ready": False}
    write(host.folder, record | {"group": host.group, "owner": host.owner} | more)


def remember(host: PrivateHost, *, ready: bool) -> None:
    """Writes the values of ``host`` to its record. ``ready`` tells whether its engine answers."""
    record = read(host.folder)
    record |= {"pid": host.pid, "ticks": host.ticks, "netns": host.netns, "socket": host.socket}
    record |= {"owner": host.owner, "launcher": host.launcher, "neighbour": host.neighbour, "lan": asdict(host.lan)}
    record |= {"limits": None if host.limits is None else asdict(host.limits)}
    record |= {"has_been_ready": ready or has_been_ready(record)}
    write(host.folder, record | {"started": host.started, "group": host.group, "ready": ready})


def has_been_ready(record: dict[str, Any]) -> bool:
    """Returns whether the host was ever ready. Records of earlier versions tell only whether it is ``ready`` now."""
    return bool(record.get("has_been_ready", record.get("ready")))


def note_removal(folder: Path) -> None:
    """Records that the host is being removed, so that no other process starts it again when its engine ends."""
    if record := read(folder):
        with suppress(OSError):  # it has been removed meanwhile
            write(folder, record | {"has_been_ready": False})


def read_host(folder: Path) -> PrivateHost | None:
    """Returns the host that is recorded in a folder; None if the record cannot be read. ``netns`` is 0 until the host
    is ready."""
    record = read(folder)
    try:
        return PrivateHost(
            id=folder.name,
            pid=int(record["pid"]),
            netns=int(record["netns"]) if record["ready"] else 0,
            socket=str(record["socket"]),
            started=float(record["started"]),
            folder=folder,
            ticks=int(record["ticks"]),
            group=str(record.get("group", "")),
            owner=int(record.get("owner", 0)),
            launcher=int(record.get("launcher", 0)),
            neighbour=int(record.get("neighbour", 0)),
            lan=LanPlace(**record.get("lan", {})),
            limits=HostLimits(**limits) if (limits := record.get("limits")) else None,
        )
    except (KeyError, TypeError, ValueError):
        return None


def is_starting(folder: Path) -> bool:
    """Returns whether a running process is starting the host of this folder."""
    record = read(folder)
    return not record.get("ready") and _has_starter(record)


def _has_starter(record: dict[str, Any]) -> bool:
    """Returns whether the process that last started the host still runs."""
    starter = record.get("starter")
    return isinstance(starter, dict) and is_running(int(starter.get("pid") or 0), int(starter.get("ticks") or 0))


def list_hosts(data_dir: Path) -> tuple[PrivateHost, ...]:
    """Returns the private hosts that run and are ready, oldest first."""
    found = [read_host(folder) for folder in folders(data_dir)]
    running = [host for host in found if host is not None and host.netns and host.is_running()]
    return tuple(sorted(running, key=lambda host: (host.started, host.id)))


def note_failed_start(host: PrivateHost) -> None:
    """Records that the start of the host has failed: for other processes, it is no longer being started."""
    with suppress(OSError):  # it has been removed meanwhile
        write(host.folder, read(host.folder) | {"starter": None})


def group_hosts(data_dir: Path) -> tuple[PrivateHost, ...]:
    """Returns the hosts of training groups that have ever been ready. While a host is started again, ``netns`` is 0."""
    return tuple(host for host in _used_hosts(data_dir) if host.group)


def lan_hosts(data_dir: Path) -> tuple[PrivateHost, ...]:
    """Returns the hosts of named LANs that have ever been ready. While a host is started again, ``netns`` is 0."""
    return tuple(host for host in _used_hosts(data_dir) if host.lan.name)


def _used_hosts(data_dir: Path) -> list[PrivateHost]:
    return [host for folder in folders(data_dir) if has_been_ready(read(folder)) and (host := read_host(folder))]


def left_running(host: PrivateHost) -> tuple[str, ...]:
    """Returns the ids of the containers that were running when the engine ended, in the order of their start. Empty if
    the host's disk, which contains the engine's files, cannot be read."""
    try:
        return disk.on_disk(host.disk, host.data, lambda: _read_left_running(host))
    except OSError as error:
        log.warning("the disk of the private host %s cannot be read: %s", host.id, error)
        return ()


def note_left_running(host: PrivateHost) -> tuple[str, ...]:
    """Adds the ids from ``left_running`` to the record, and returns all ids in the record. An id remains there until
    its container has been started. When an engine starts, it marks all containers as stopped: if that start fails, only
    the record tells which containers ran."""
    containers = tuple(dict.fromkeys((*_noted_containers(host), *left_running(host))))
    note_containers(host, containers)
    return containers


def note_containers(host: PrivateHost, containers: Iterable[str]) -> None:
    """Replaces the record of the containers that ran when the engine ended and have not been started again."""
    with suppress(OSError):  # it has been removed meanwhile
        write(host.folder, read(host.folder) | {"containers": tuple(containers)})


def _noted_containers(host: PrivateHost) -> tuple[str, ...]:
    noted = read(host.folder).get("containers")
    return tuple(map(str, noted)) if isinstance(noted, list) else ()


def abandoned_containers(host: PrivateHost) -> tuple[str, ...]:
    """Returns the recorded containers that no process will start, because the process that started the host has ended.
    Empty while that process runs."""
    return () if _has_starter(read(host.folder)) else _noted_containers(host)


def _read_left_running(host: PrivateHost) -> tuple[str, ...]:
    found = []
    for file in host.data.glob("containers/*/config.v2.json"):
        try:
            state = json.loads(_small_file(file))["State"]
            if state["Running"]:
                found.append((str(state.get("StartedAt", "")), file.parent.name))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(identity for _, identity in sorted(found))


def last_message(host: PrivateHost) -> str:
    """Returns a sentence with the last line that the host's engine printed. Reads the disk only of an ended host."""

    def read(path: Path) -> list[str]:
        try:
            return _small_file(path)[-4000:].decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return []

    lines = read(host.log)
    if host.owner and not host.is_running():
        try:
            lines = disk.on_disk(host.disk, host.data, lambda: read(host.data / host.log.name)) or lines
        except OSError as error:
            log.warning("the disk of the private host %s cannot be read: %s", host.id, error)
    return f"Its last message: {lines[-1][:500]}" if lines else "It printed nothing."


def _small_file(path: Path) -> bytes:
    """Returns the content of a regular file, at most 1 MiB. Raises OSError if ``path`` is not a regular file: the
    host's root user may have replaced it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read(1 << 20)
