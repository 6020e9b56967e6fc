"""Starts and stops private hosts: Docker Engines, each in network, mount and UTS namespaces of its own.

A private host is a whole Docker machine to practise on, with its own ports, firewall rules, resolver and host name. In
the runtime ``user-namespace`` its root is an ordinary user of this machine; in the runtime ``privileged`` it is root of
this machine (``runtimes``). Needs root, dockerd and iproute2."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import signal
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.hosts import disk, programs
from dashboard.engine.hosts import registry as records
from dashboard.engine.hosts.cleanup import (
    container_processes,
    kill,
    kill_everything,
    reap,
    reap_ended,
    remove_cgroups,
    remove_everything,
    remove_foreign,
    start_ticks,
)
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.preparation import (
    MACHINE_ADDRESS,
    RUN,
    claim_ids,
    claim_ids_again,
    create_cgroups,
    lan_line,
    load_modules,
    prepare,
    spawn,
)
from dashboard.engine.hosts.registry import LanPlace, PrivateHost, list_hosts
from dashboard.engine.hosts.runtimes import Runtime, suitable_runtime
from dashboard.interrupts import uninterrupted

if TYPE_CHECKING:
    from dashboard.engine.hosts.template import HostTemplate

log = logging.getLogger(__name__)
__all__ = ["MACHINE_ADDRESS", "RUN", "PrivateHost", "PrivateHostError", "list_hosts", "reap"]


class PrivateHostError(Exception):
    """A private host cannot be started or removed; ``str()`` tells why and what to do."""


async def start(
    data_dir: Path,
    id: str | None = None,  # noqa: A002  the word of the contract
    *,
    die_with_parent: bool = False,
    daemon: Mapping[str, Any] | None = None,
    ready_s: float = 30.0,
    limits: HostLimits | None = None,
    template: HostTemplate | None = None,
    group: str = "",
    root: Path | None = None,
    setup: str | None = None,
    runtime: Runtime | str | None = None,
    lan: LanPlace | None = None,
    joined: PrivateHost | None = None,
    is_disk_limited: bool = True,
    started: float | None = None,
) -> PrivateHost:
    """Starts a private host; returns when its engine answers, in less than a second.

    ``id`` has 1 to 12 lower-case letters and digits (default: random). ``daemon`` are options for its daemon.json.
    ``template`` is its initial content. ``limits`` apply to its cgroups (default: none). ``group`` is its group in a
    training session. ``lan`` contains its number on its LAN, and the properties of the LAN. ``joined`` is a host whose
    LAN it joins (default: a new LAN). If ``is_disk_limited`` is false, its disk has no limit. ``started`` is the
    recorded start time in seconds since the epoch (default: now).

    ``root`` is a root file system that contains the engine to start (default: NETMODES_ENGINE_ROOT). ``setup`` names
    the script that starts the engine (default: NETMODES_ENGINE_SETUP). ``runtime`` is how the host is separated from
    the machine (default: ``suitable_runtime``). If ``die_with_parent`` is true, the host ends when the calling *thread*
    ends, so call from the main thread. The kernel then sends SIGTERM to dockerd or, in a user namespace, SIGKILL to the
    host's first process (PR_SET_PDEATHSIG, prctl(2)). Raises PrivateHostError and leaves nothing if the start fails, or
    takes longer than ``ready_s``."""
    root = root or programs.engine_root()
    setup = programs.engine_setup() if setup is None else setup
    if problem := await asyncio.to_thread(programs.missing_requirement, root, setup, runtime):
        raise PrivateHostError(problem)
    options = programs.engine_options() | dict(daemon or {})
    runtime = Runtime(runtime) if runtime else suitable_runtime(setup, options)
    if not re.fullmatch(r"[a-z0-9]{1,12}", identity := secrets.token_hex(3) if id is None else id):
        raise PrivateHostError("The id of a private host must have 1 to 12 lower-case letters and digits.")
    folder, run = await asyncio.to_thread(_places, data_dir, identity)
    socket, now = str(run / "docker.sock"), time.time() if started is None else started
    host = PrivateHost(identity, 0, 0, socket, now, folder, 0, group, lan=lan or LanPlace(), limits=limits)
    try:
        if runtime is Runtime.USER_NAMESPACE:
            host = await uninterrupted(asyncio.to_thread(claim_ids, host))
        await uninterrupted(asyncio.to_thread(prepare, host, root, options, template, is_limited=is_disk_limited))
        (folder / "setup").write_text(programs.setup_line(setup))
        (folder / "lan").write_text(lan_line(host.lan, joined))
        return await _launch(host, ready_s, die_with_parent=die_with_parent)
    except BaseException as error:
        await uninterrupted(asyncio.to_thread(remove_everything, host.name, [folder, run]))
        if isinstance(error, OSError):
            raise PrivateHostError(f"The private host {identity} cannot be started: {error}") from error
        raise


async def start_again(
    host: PrivateHost,
    limits: HostLimits | None = None,
    ready_s: float = 30.0,
    *,
    die_with_parent: bool = False,
    joined: PrivateHost | None = None,
) -> PrivateHost:
    """Starts a host again after its engine ended. Its images, containers and networks are kept, but no container is
    started.

    Remaining processes are killed first. Without ``limits`` the host keeps its previous limits. For the other
    arguments, see ``start``. Raises PrivateHostError if the host does not start; its files are kept."""
    run = RUN / host.id

    def clear() -> PrivateHost:
        records.note_starter(host)
        remove_everything(host.name, [run])
        disk.wait_until_detached(host.disk)
        disk.check(host.disk)
        reap_ended(host.launcher)
        RUN.mkdir(mode=0o711, exist_ok=True)
        run.mkdir(mode=0o711)
        owner = claim_ids_again(host) if host.owner else 0
        os.chown(run, owner, owner)
        (host.folder / "lan").write_text(lan_line(host.lan, joined))
        return replace(host, owner=owner, limits=limits or host.limits)

    try:
        host = await uninterrupted(asyncio.to_thread(clear))
        return await _launch(host, ready_s, die_with_parent=die_with_parent)
    except BaseException as error:
        await uninterrupted(asyncio.to_thread(remove_everything, host.name, [run]))
        if host.lan.name:
            records.note_failed_start(host)
        if isinstance(error, OSError):
            raise PrivateHostError(f"The private host {host.id} cannot be started again: {error}") from error
        raise


async def _launch(host: PrivateHost, ready_s: float, *, die_with_parent: bool) -> PrivateHost:
    """Starts the engine in new cgroups; returns the host with its new pid and namespaces once the engine answers."""
    await uninterrupted(asyncio.to_thread(create_cgroups, host))
    if host.owner:
        await asyncio.to_thread(load_modules)
    pid = spawn(host, die_with_parent=die_with_parent)
    host = replace(host, pid=pid, launcher=pid, netns=0, ticks=start_ticks(pid) or 0)
    try:
        await uninterrupted(asyncio.to_thread(records.remember, host, ready=False))
        await _wait_until_ready(host, ready_s)
        if host.owner:
            host = await asyncio.to_thread(_with_daemon, host)
        host = _with_namespaces(host)
        await uninterrupted(asyncio.to_thread(records.remember, host, ready=True))
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise
    return host


def _with_daemon(host: PrivateHost) -> PrivateHost:
    """Returns the host with the pid of its dockerd. First makes the machine's root the owner of the socket's folder,
    and removes other users' files from it. Raises PrivateHostError if dockerd is not found."""
    run = Path(host.socket).parent
    os.chown(run, 0, 0)  # or root of the host could replace the socket with a link to another socket
    run.chmod(0o711)  # the previous owner could change the mode, and add an access control list: its mask is set, too
    remove_foreign(run, kept=Path(host.socket).name)  # a restarted container may have written files
    socket = Path(host.socket).lstat()
    pid = find_daemon(host.endpoint) if stat.S_ISSOCK(socket.st_mode) and socket.st_uid == host.owner else None
    if pid is None or pid not in processes(host.name):
        raise PrivateHostError(f"The engine of the private host {host.id} cannot be found.")
    return replace(host, pid=pid, ticks=start_ticks(pid) or 0)


async def adopt(data_dir: Path) -> tuple[PrivateHost, ...]:
    """Returns the hosts that still run, and removes leftovers of ended hosts. If leftovers cannot be removed, this is
    only logged, because other hosts do not depend on it. Keeps hosts that another process is starting. Also keeps hosts
    of LANs and training sessions, because the server starts them again."""
    for failure in await _remove_left(data_dir):
        log.warning("an ended private host cannot be removed: %s", failure)
    return list_hosts(data_dir)


async def _remove_left(data_dir: Path) -> list[OSError]:
    """Removes leftovers of ended hosts. Returns the failures."""
    failures = []
    for folder in records.folders(data_dir):
        # Decided for each folder when it is reached: a removal takes seconds, and a host may become ready meanwhile.
        if is_left(folder):
            try:
                await remove(folder)
            except OSError as error:
                failures.append(error)
    return failures


def is_left(folder: Path) -> bool:
    """Returns whether this is the folder of a host that has ended and is not started again."""
    return not records.is_starting(folder) and _used_host(folder) is None


async def stop(host: PrivateHost) -> None:
    """Ends the engine and everything that it started, and removes the host's cgroups, mounts and files. There is no
    grace period: the state is deleted anyway, and dockerd would wait 10 s for each container."""
    await remove(host.folder)
    await asyncio.to_thread(reap_ended, host.launcher)


async def end_engine(host: PrivateHost) -> None:
    """Kills the host's containers and ends its engine with SIGTERM (SIGKILL after 10 s). Keeps the host's files."""

    def end() -> None:
        kill(container_processes(host.name))
        if host.is_running():
            os.kill(host.pid, signal.SIGTERM)
        limit = time.monotonic() + 10.0
        while host.is_running() and time.monotonic() < limit:
            time.sleep(0.01)
            reap(host.launcher)
        kill_everything(host.name)
        remove_cgroups(host.name)
        reap_ended(host.launcher)

    await asyncio.to_thread(end)


async def stop_all(data_dir: Path) -> None:
    """Stops every private host of this data folder, and removes leftovers of hosts that have ended. If some cannot be
    removed, raises one of the failures after the others have been removed."""
    hosts = filter(None, map(_used_host, records.folders(data_dir)))
    results = await asyncio.gather(*map(stop, hosts), return_exceptions=True)
    for failure in (*filter(None, results), *await _remove_left(data_dir)):
        raise failure


def _used_host(folder: Path) -> PrivateHost | None:
    """Returns the host of this folder if it is ready and runs, or if the server starts it again after it has ended:
    those of training sessions and LANs that have ever been ready."""
    host = records.read_host(folder)
    if host is None or (host.netns and host.is_running()):
        return host
    is_started_again = bool(host.group or host.lan.name) and records.has_been_ready(records.read(folder))
    return host if is_started_again else None


async def remove(folder: Path) -> None:
    """Ends all processes of the host with this folder, and removes its files. Raises OSError if something remains."""
    identity = folder.name
    await asyncio.to_thread(records.note_removal, folder)
    await asyncio.to_thread(remove_everything, f"netmodes-{identity}", [folder, RUN / identity])


def _places(data_dir: Path, identity: str) -> tuple[Path, Path]:
    """Returns the folders for the data and for the sockets of a new host. Raises PrivateHostError if the host
    exists."""
    folder, run = data_dir.absolute() / "hosts" / identity, RUN / identity
    if folder.exists() or run.exists():
        raise PrivateHostError(f"A private host {identity} exists: remove it first.")
    return folder, run


async def _wait_until_ready(host: PrivateHost, limit_s: float) -> None:
    start = time.monotonic()
    while not (host.has_socket() and await programs.answers(host.socket)):
        reap(host.launcher)
        if not host.is_running():
            message = await asyncio.to_thread(records.last_message, host)
            raise PrivateHostError(f"The private host's engine exited at once. {message}")
        if (waited := time.monotonic() - start) > limit_s:
            raise PrivateHostError(
                f"The private host's engine was not ready within {limit_s:g} s. {records.last_message(host)}"
            )
        await asyncio.sleep(max(0.02, waited / 8))  # when many hosts start at once, each of them takes longer


def _with_namespaces(host: PrivateHost) -> PrivateHost:
    netns = Path(f"/proc/{host.pid}/ns/net").stat().st_ino
    return replace(host, netns=netns, neighbour=int((host.folder / "netns-neighbour").read_text()))
