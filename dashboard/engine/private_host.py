"""Private hosts: Docker Engines that Netmodes starts itself, each in its own network, mount and UTS namespaces.

A private host is a whole Docker machine to practise on, with its own ports, firewall rules, resolver and
host name. It is a classroom boundary, not a security boundary. Needs root, dockerd and iproute2.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.engine.host_remains import (
    MARKER,
    container_processes,
    is_running,
    kill,
    reap,
    remove_everything,
    start_ticks,
)

#: Short, because the path of a unix socket has at most 107 bytes (unix(7)).
RUN = Path("/run/netmodes")
SCRIPT = Path(__file__).with_name("private_host.sh")
TOOLS = ("dockerd", "containerd", "ip", "unshare", "nsenter", "setpriv", "mount")
#: What the host has on its LAN (documentation ranges, RFC 5737 and RFC 3849).
MACHINE_ADDRESS = "192.0.2.2"
PARENT_LINK = "eth0"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PrivateHostError(Exception):
    """A private host cannot be started; ``str()`` says why and what to do."""


@dataclass(frozen=True, slots=True)
class PrivateHost:
    """One running private host. ``pid`` is its dockerd's; ``netns`` the inode of its machine's network
    namespace; ``socket`` the path of its engine's socket; ``started`` in seconds since the epoch."""

    id: str
    pid: int
    netns: int
    socket: str
    started: float
    folder: Path
    ticks: int

    @property
    def name(self) -> str:
        """Its host name, and the name of its cgroup."""
        return f"netmodes-{self.id}"

    @property
    def endpoint(self) -> str:
        """What DOCKER_HOST would be."""
        return f"unix://{self.socket}"

    @property
    def resolv_conf(self) -> Path:
        """The file that is its machine's /etc/resolv.conf: write it in place, do not replace it."""
        return self.folder / "etc" / "resolv.conf"

    @property
    def hosts_file(self) -> Path:
        """The file that is its machine's /etc/hosts: write it in place, do not replace it."""
        return self.folder / "etc" / "hosts"

    @property
    def log(self) -> Path:
        """What its dockerd printed."""
        return self.folder / "dockerd.log"

    def is_running(self) -> bool:
        """Whether its dockerd still runs."""
        return is_running(self.pid, self.ticks)


async def start(
    data_dir: Path,
    id: str | None = None,  # noqa: A002  the word of the contract
    *,
    die_with_parent: bool = False,
    daemon: Mapping[str, Any] | None = None,
    resolv_conf: str | None = None,
    ready_s: float = 30.0,
) -> PrivateHost:
    """Starts a private host and returns when its engine answers, in one to two seconds.

    ``daemon`` is merged into its daemon.json; ``resolv_conf`` replaces the machine's as its resolver's file.
    With ``die_with_parent`` its dockerd gets SIGTERM when the calling *thread* ends, however that happens
    (PR_SET_PDEATHSIG, prctl(2)): call from the main thread. PrivateHostError with a sentence if it fails;
    then nothing is left behind.
    """
    await asyncio.to_thread(_check_tools)
    identity = secrets.token_hex(3) if id is None else id
    if not re.fullmatch(r"[a-z0-9]{1,12}", identity):
        raise PrivateHostError("The id of a private host has 1 to 12 lower-case letters and digits.")
    folder, run = await asyncio.to_thread(_places, data_dir, identity)
    host = None
    try:
        await asyncio.to_thread(_prepare, folder, run, identity, dict(daemon or {}), resolv_conf)
        pid = _spawn(identity, folder, run, die_with_parent=die_with_parent)
        host = PrivateHost(
            id=identity,
            pid=pid,
            netns=0,
            socket=str(run / "docker.sock"),
            started=time.time(),
            folder=folder,
            ticks=start_ticks(pid) or 0,
        )
        await asyncio.to_thread(_remember, host, ready=False)
        await _wait_until_ready(host, ready_s)
        host = _with_namespace(host)
        await asyncio.to_thread(_remember, host, ready=True)
    except BaseException as error:
        if host is not None:
            with suppress(ProcessLookupError):
                os.kill(host.pid, signal.SIGKILL)
        await asyncio.shield(asyncio.to_thread(remove_everything, f"netmodes-{identity}", [folder, run]))
        if isinstance(error, OSError):
            raise PrivateHostError(f"The private host {identity} cannot be started: {error}") from error
        raise
    return host


def list_hosts(data_dir: Path) -> tuple[PrivateHost, ...]:
    """The private hosts that run and are ready, oldest first."""
    found = [_recall(folder) for folder in _folders(data_dir)]
    running = [host for host in found if host is not None and host.netns and host.is_running()]
    return tuple(sorted(running, key=lambda host: (host.started, host.id)))


async def adopt(data_dir: Path) -> tuple[PrivateHost, ...]:
    """After a restart: the hosts that still run; what is left of the others is removed.

    A host whose starter is still at work is left alone.
    """
    running = {host.folder for host in list_hosts(data_dir)}
    for folder in _folders(data_dir):
        if folder not in running and not _is_starting(folder):
            await _remove(folder)
    return list_hosts(data_dir)


async def stop(host: PrivateHost) -> None:
    """Stops the engine and everything that it started; removes processes, cgroups, mounts and files."""

    def end() -> None:
        # Containers first and without grace: their state goes anyway, and dockerd would wait 10 s for each.
        kill(container_processes(host.name))
        if host.is_running():
            os.kill(host.pid, signal.SIGTERM)
        limit = time.monotonic() + 2.0
        while host.is_running() and time.monotonic() < limit:
            time.sleep(0.01)
            reap(host.pid)

    await asyncio.to_thread(end)
    await _remove(host.folder)
    reap(host.pid)


async def stop_all(data_dir: Path) -> None:
    """Stops every private host of this data folder and removes what is left of dead ones."""
    await asyncio.gather(*(stop(host) for host in list_hosts(data_dir)))
    await adopt(data_dir)


async def _remove(folder: Path) -> None:
    identity = folder.name
    await asyncio.to_thread(remove_everything, f"netmodes-{identity}", [folder, RUN / identity])


def _places(data_dir: Path, identity: str) -> tuple[Path, Path]:
    """Where it keeps its data and where its sockets; PrivateHostError if it exists."""
    folder, run = data_dir.absolute() / "hosts" / identity, RUN / identity
    if folder.exists() or run.exists():
        raise PrivateHostError(f"There is a private host {identity} already: remove it first.")
    return folder, run


def _check_tools() -> None:
    if os.geteuid() != 0:
        raise PrivateHostError("A private host needs root, to make namespaces: run Netmodes with sudo.")
    missing = [tool for tool in TOOLS if shutil.which(tool, path=SEARCH_PATH) is None]
    if missing:
        raise PrivateHostError(
            f"A private host needs {', '.join(missing)}: install it "
            "(apt-get install docker.io iproute2 util-linux, or Docker's own packages)."
        )


def _prepare(folder: Path, run: Path, identity: str, daemon: dict[str, Any], resolv_conf: str | None) -> None:
    for parent in (folder.parent, folder, folder / "etc"):
        parent.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    RUN.mkdir(mode=0o711, exist_ok=True)
    run.mkdir(mode=0o711)
    if resolv_conf is None:
        try:
            resolv_conf = Path("/etc/resolv.conf").read_text(errors="replace")
        except OSError:
            resolv_conf = ""
    (folder / "etc" / "resolv.conf").write_text(resolv_conf)
    (folder / "etc" / "hosts").write_text(
        f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{MACHINE_ADDRESS}\tnetmodes-{identity}\n"
    )
    (folder / "daemon.json").write_text(json.dumps({"log-level": "warn", **daemon}, indent=2))
    starter = {"pid": os.getpid(), "ticks": start_ticks(os.getpid())}
    _write(folder, {"id": identity, "pid": 0, "starter": starter, "ready": False})


def _spawn(identity: str, folder: Path, run: Path, *, die_with_parent: bool) -> int:
    """Every program of the chain executes the next: the pid stays the same up to dockerd."""
    tie = ["setpriv", "--pdeathsig", "TERM", "--"] if die_with_parent else []
    spaces = ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "--"]
    command = ["env", "--", *tie, *spaces, "/bin/sh", str(SCRIPT), f"netmodes-{identity}", str(folder), str(run)]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        "/usr/bin/env",
        command,
        {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", MARKER: f"netmodes-{identity}"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / "dockerd.log"), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


async def _wait_until_ready(host: PrivateHost, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not await _answers(host.socket):
        reap(host.pid)
        if not host.is_running():
            raise PrivateHostError(f"The private host's engine ended at once. {_last_words(host.log)}")
        if time.monotonic() > end:
            raise PrivateHostError(
                f"The private host's engine was not ready within {limit_s:g} s. {_last_words(host.log)}"
            )
        await asyncio.sleep(0.02)


async def _answers(socket: str) -> bool:
    """Whether the engine answers GET /_ping."""
    writer = None
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        if writer is not None:
            writer.close()


def _last_words(log: Path) -> str:
    try:
        lines = log.read_bytes()[-4000:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return f"It said: {lines[-1][:500]}" if lines else "It said nothing."


def _with_namespace(host: PrivateHost) -> PrivateHost:
    netns = Path(f"/proc/{host.pid}/ns/net").stat().st_ino
    return PrivateHost(host.id, host.pid, netns, host.socket, host.started, host.folder, host.ticks)


def _folders(data_dir: Path) -> list[Path]:
    return sorted(one for one in (data_dir.absolute() / "hosts").glob("*") if one.is_dir())


def _write(folder: Path, record: dict[str, Any]) -> None:
    """Whole or not at all: a reader never sees half a record."""
    unfinished = folder / "host.json.new"
    unfinished.write_text(json.dumps(record))
    unfinished.chmod(0o600)
    unfinished.replace(folder / "host.json")


def _remember(host: PrivateHost, *, ready: bool) -> None:
    record = _record(host.folder)
    record |= {"pid": host.pid, "ticks": host.ticks, "netns": host.netns, "socket": host.socket}
    _write(host.folder, record | {"started": host.started, "ready": ready})


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "host.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _recall(folder: Path) -> PrivateHost | None:
    record = _record(folder)
    try:
        return PrivateHost(
            id=folder.name,
            pid=int(record["pid"]),
            netns=int(record["netns"]) if record["ready"] else 0,
            socket=str(record["socket"]),
            started=float(record["started"]),
            folder=folder,
            ticks=int(record["ticks"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _is_starting(folder: Path) -> bool:
    record = _record(folder)
    starter = record.get("starter")
    if record.get("ready") or not isinstance(starter, dict):
        return False
    return is_running(int(starter.get("pid") or 0), int(starter.get("ticks") or 0))
