"""``class-hosts``: measures the private hosts of a training session: the time until all serve port 80, their memory,
and the time until they are removed.

A real server manages the hosts. While all hosts serve, the server and one engine are killed with SIGKILL, and a new
server adopts the remaining hosts.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.server import serving
from dashboard.bench.statistics import Figure, Result, at_most, figure
from dashboard.bench.training.deliveries import Instructor
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts import registry as host_registry
from dashboard.engine.hosts.cleanup import MARKER, cgroup_folders, mounts_below
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import RUN
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.models import GroupHost, TrainingSession
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.request import request
from dashboard.store.database import DatabaseThread
from dashboard.store.training import hosts as group_host_store

LIMIT_S = 900.0
#: The numbers of hosts, each with the seconds within which all of them must serve.
SESSIONS, QUICK_SESSIONS = {20: 12.0, 100: 60.0}, {5: 12.0}
MAX_MB, REMOVED_S, ADOPTED_S = 80.0, 10.0, 15.0
DEADLINE_S = 240.0
POLL_S = 0.05
CONTAINER = "web"


@dataclass(slots=True)
class SessionHosts:
    """The private hosts of a training session. ``hosts`` maps each group to the host that ``on_each`` last found
    ready."""

    database: DatabaseThread
    session: str
    groups: tuple[str, ...]
    hosts: dict[str, PrivateHost] = field(default_factory=dict)

    async def on_each(self, act: Callable[[PrivateHost], Coroutine[Any, Any, None]]) -> float:
        """Calls ``act`` for each host as soon as that host is ready. Returns the seconds until all calls have finished.
        Raises an ExceptionGroup with a BenchmarkError if a host fails."""
        started = time.monotonic()
        acting: set[str] = set()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            while len(acting) < len(self.groups):
                for row in await self.database.run(self._rows):
                    if row.state == HostStage.FAILED:
                        raise BenchmarkError(f"the host of {row.group} failed: {row.reason}")
                    if row.state == HostStage.READY and row.group not in acting:
                        host = host_registry.read_host(configuration.data_dir() / "hosts" / row.host)
                        if host is not None and host.netns and host.is_running():
                            acting.add(row.group)
                            self.hosts[row.group] = host
                            tasks.create_task(act(host))
                await asyncio.sleep(POLL_S)
        return time.monotonic() - started

    def _rows(self) -> list[GroupHost]:
        return list(GroupHost.objects.filter(session_id=self.session))

    async def end(self) -> float:
        """Ends the session. Returns the seconds until nothing is left of its hosts."""
        started = time.monotonic()
        session = TrainingSession.objects.filter(pk=self.session)
        await self.database.run(lambda: session.update(closed_at=time.time()))
        await until_removed(self.hosts.values())
        return time.monotonic() - started


async def launch(host: PrivateHost) -> None:
    """Starts an nginx container in host mode on the host, and waits until it answers on port 80 with the host's own
    name."""
    async with DockerEngine(host.endpoint, timeout_s=120) as engine:
        created = await engine.create_container(CONTAINER, {"Image": "nginx", "HostConfig": {"NetworkMode": "host"}})
        await engine.start_container(created.id)
    await until_serving(host)


async def until_serving(host: PrivateHost) -> None:
    """Waits until the container of this host answers on the host's port 80. Raises BenchmarkError if another host
    answers."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            with await asyncio.to_thread(Namespace.of_pid, host.pid) as namespace:
                reply = await request(namespace, "127.0.0.1", 80)
            if reply.status == 200:
                if host.name not in reply.body_start:
                    raise BenchmarkError(f"another host than {host.name} answered")
                return
        except NamespaceGone:
            pass
        await asyncio.sleep(POLL_S)
    raise BenchmarkError(f"port 80 of {host.name} does not answer")


async def has_only_own_container(host: PrivateHost) -> bool:
    """Whether the host's engine lists its own container and no other."""
    async with DockerEngine(host.endpoint, timeout_s=60) as engine:
        return [container.name for container in await engine.containers({})] == [CONTAINER]


def pss_mb(host: PrivateHost) -> float:
    """The proportional set size of all processes of a host, including those of its containers, in MB (proc(5),
    smaps_rollup)."""
    total = 0
    for pid in processes(host.name):
        with suppress(psutil.NoSuchProcess):
            total += psutil.Process(pid).memory_full_info().pss
    return total / 2**20


async def until_removed(hosts: Collection[PrivateHost]) -> None:
    """Waits until nothing is left of these hosts."""
    end = time.monotonic() + DEADLINE_S
    while left := await asyncio.to_thread(leftovers, hosts):
        if time.monotonic() > end:
            raise BenchmarkError(f"the hosts left behind: {left[:5]}")
        await asyncio.sleep(POLL_S)


def leftovers(hosts: Collection[PrivateHost]) -> list[str]:
    """What is left of these hosts: cgroups, mounts, files, the hosts' own processes, and other processes in their
    network namespaces."""
    folders = [folder for host in hosts for folder in (RUN / host.id, host.folder)]
    cgroups = [cgroup for host in hosts for cgroup in cgroup_folders(host.name)]
    existing = [folder for folder in (*cgroups, *folders) if folder.exists()]
    left = [str(path) for path in (*existing, *mounts_below(folders))]
    marks, inodes = {f"{MARKER}={host.name}".encode() for host in hosts}, {host.netns for host in hosts}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marked = marks & set((process / "environ").read_bytes().split(b"\0"))
            if marked or (process / "ns/net").stat().st_ino in inodes:
                left.append(str(process))
        except OSError:
            continue
    return left


async def until_prepared(*caches: Path) -> float:
    """Waits until each of these cache folders contains the template of hosts, which a lab makes for its first session
    with hosts. Returns how many seconds it waited."""

    async def is_prepared() -> bool:
        return all(any(one.name.count("-") == 2 for one in cache.glob("host-template-*")) for cache in caches)

    return await until(is_prepared, "the template of hosts", DEADLINE_S)


async def measure_session(
    run: BenchmarkRun, database: DatabaseThread, number: int, limit_s: float, notes: list[str]
) -> list[Figure]:
    """Measures a session with ``number`` hosts from its creation to its end. ``limit_s`` is the promised time in
    seconds until all hosts serve port 80. Adds notes to ``notes``."""
    async with serving() as server:
        instructor = await asyncio.to_thread(Instructor.with_session, server, number, hosts="person")
        groups = tuple(f"{instructor.session}-{group}" for group in range(1, number + 1))
        session = SessionHosts(database, instructor.session, groups)
        prepared = await until_prepared(configuration.data_dir() / "cache")
        notes.append(f"Template of the hosts made in {prepared:.1f} s, before a host was requested ({number} hosts).")
        notes.append(f"Load average before the session with {number} hosts: {os.getloadavg()[0]:.2f}.")
        run.say(f"{number} participants ask for a host at the same time")
        free = psutil.virtual_memory().available
        for group in session.groups:
            await database.run(group_host_store.request, group, time.time())
        served = await session.on_each(launch)
        taken = (free - psutil.virtual_memory().available) / number / 2**20
        notes.append(
            f"{number} hosts: MemAvailable fell by {taken:.0f} MB for each, with the kernel's share and files."
        )
        memory = [pss_mb(host) for host in session.hosts.values()]
        strangers = [await has_only_own_container(host) for host in session.hosts.values()].count(False)
        run.say(f"all serve after {served:.1f} s; killing the server and one engine")
        os.kill(server.pid, signal.SIGKILL)
        os.kill(session.hosts[session.groups[0]].pid, signal.SIGKILL)
        killed = time.monotonic()
        async with serving():
            await session.on_each(until_serving)
            adopted = time.monotonic() - killed
            run.say(f"all serve again after {adopted:.1f} s; the session ends")
            removed = await session.end()
            run.say(f"all removed after {removed:.1f} s")

    def named(name: str, unit: str, values: list[float], limit: float | None, percent: float = 50) -> Figure:
        promise = None if limit is None else at_most(limit)
        return figure(f"{number} hosts: {name}", unit, values, percent=percent, promise=promise)

    return [
        named("all serve port 80", "s", [served], limit_s),
        named("memory of each, the largest", "MB PSS", memory, MAX_MB, 100),
        named("memory of each", "MB PSS", memory, None),
        named("hosts with containers of others", "hosts", [float(strangers)], 0),
        named("all serve again after SIGKILL", "s", [adopted], ADOPTED_S),
        named("all removed after the session's end", "s", [removed], REMOVED_S),
    ]


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures sessions of different sizes, one after the other."""
    database = DatabaseThread()
    figures: list[Figure] = []
    notes = ["Every host has its limits: 512 MB, 512 processes, 1 core."]
    try:
        for number, limit_s in (QUICK_SESSIONS if run.quick else SESSIONS).items():
            figures += await measure_session(run, database, number, limit_s, notes)
    finally:
        await private_host.stop_all(configuration.data_dir())
        database.close()
    return Result(
        "class-hosts",
        "Private hosts of a training session",
        f"20 serve within 12 s, 100 within 60 s, at most {MAX_MB:g} MB each; removed within {REMOVED_S:g} s",
        tuple(figures),
        tuple(notes),
    )
