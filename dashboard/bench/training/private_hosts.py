"""Private hosts for a class: how soon all serve port 80, what they take, and how soon nothing is left of them.

The real server drives them. In the middle it is killed with SIGKILL and so is one engine; a new server adopts the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from django.contrib.auth import get_user_model

from dashboard import configuration
from dashboard.bench.server import ServerError, serving
from dashboard.bench.statistics import Figure, Of, Promise, Result, figure
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts import registry as host_registry
from dashboard.engine.hosts.cleanup import MARKER, cgroup_folders
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import RUN
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.models import HostRow, TrainingSession
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.request import request
from dashboard.store.experiments import Database
from dashboard.store.training import hosts as group_host_store

LIMIT_S = 900.0
#: How many hosts, and within how many seconds all of them must serve.
CLASSES = {20: 12.0, 100: 60.0}
QUICK = {5: 12.0}
MOST_MB = 80.0
GONE_S = 10.0
BACK_S = 15.0
DEADLINE_S = 240.0
POLL_S = 0.05
NAME = "web"


@dataclass(slots=True)
class Class:
    """A session and what its hosts have come to; ``seen`` are the hosts by group, as they were last ready."""

    database: Database
    data_dir: Path
    session: str
    groups: tuple[str, ...]
    seen: dict[str, PrivateHost] = field(default_factory=dict)
    serving: set[str] = field(default_factory=set)

    async def until_all(self, act: Callable[[PrivateHost], Awaitable[None]]) -> float:
        """Seconds until ``act`` has come to an end on every host; it begins on each as soon as that is ready."""
        started = time.monotonic()
        tasks: dict[str, asyncio.Task[None]] = {}
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            while len(tasks) < len(self.groups):
                for row in await self.database.run(self._rows):
                    if row.state == HostStage.FAILED:
                        raise ServerError(f"the host of {row.group} failed: {row.reason}")
                    if row.state == HostStage.READY and row.group not in tasks:
                        host = host_registry.recall(self.data_dir / "hosts" / row.host)
                        if host is not None and host.netns and host.is_running():
                            self.seen[row.group] = host
                            tasks[row.group] = group.create_task(_do(act, host))
                await asyncio.sleep(POLL_S)
        return time.monotonic() - started

    def _rows(self) -> list[HostRow]:
        return list(HostRow.objects.filter(session_id=self.session))


async def _do(act: Callable[[PrivateHost], Awaitable[None]], host: PrivateHost) -> None:
    await act(host)


def open_class(number: int) -> tuple[str, tuple[str, ...]]:
    """A session with so many groups, all of which ask for a host."""
    owner, _ = get_user_model().objects.get_or_create(username="bench")
    now = time.time()
    row = TrainingSession.objects.create(
        owner=owner,
        title=f"{number} hosts",
        workshop="host-network",
        code=f"{number:08d}",
        code_digest=f"{number:064d}",
        created_at=now,
        expires_at=now + 3600,
        hosts="person",
        seats_most=number,
    )
    return row.id, tuple(f"{row.id}-{one}" for one in range(1, number + 1))


async def launch(host: PrivateHost) -> None:
    """``docker run -d --name web --network host nginx``, until it answers on port 80 with the host's own name."""
    engine = DockerEngine(host.endpoint, timeout_s=120)
    try:
        created = await engine.create_container(NAME, {"Image": "nginx", "HostConfig": {"NetworkMode": "host"}})
        await engine.start_container(created.id)
    finally:
        await engine.close()
    await answers(host)


async def answers(host: PrivateHost) -> None:
    """Waits until the server of this very host answers on its port 80."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            with await asyncio.to_thread(Namespace.of_pid, host.pid) as namespace:
                reply = await request(namespace, "127.0.0.1", 80)
            if reply.status == 200:
                if host.name not in reply.body_start:
                    raise ServerError(f"another host than {host.name} answered")
                return
        except NamespaceGone:
            pass
        await asyncio.sleep(POLL_S)
    raise ServerError(f"port 80 of {host.name} does not answer")


async def sees_only_its_own(host: PrivateHost) -> bool:
    """Whether the host's engine has its one container and no other."""
    engine = DockerEngine(host.endpoint, timeout_s=60)
    try:
        return [one.name for one in await engine.containers({})] == [NAME]
    finally:
        await engine.close()


def pss_mb(host: PrivateHost) -> float:
    """Proportional set size of all processes of a host, its containers' included (proc(5), smaps_rollup)."""
    total = 0
    for pid in processes(host.name):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def remains(data_dir: Path, hosts: list[PrivateHost]) -> list[str]:
    """What is left of hosts: processes, network namespaces, cgroups, mounts, files."""
    names, inodes = {f"{MARKER}={one.name}".encode() for one in hosts}, {one.netns for one in hosts}
    left = [
        str(one) for host in hosts for one in (*cgroup_folders(host.name), RUN / host.id, host.folder) if one.exists()
    ]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if names & set((process / "environ").read_bytes().split(b"\0")):
                left.append(str(process))
            elif (process / "ns/net").stat().st_ino in inodes:
                left.append(f"{process}/ns/net")
        except OSError:
            continue
    places = (f"{data_dir}/hosts/", f"{RUN}/")
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    own = tuple(host.id for host in hosts)
    left += [line for line in mounts if any(one in line for one in places) and any(one in line for one in own)]
    return left


async def until_gone(found: Class) -> float:
    """Seconds from the end of the session until nothing is left of its hosts."""
    started = time.monotonic()
    closed = TrainingSession.objects.filter(pk=found.session)
    await found.database.run(lambda: closed.update(closed_at=time.time()))
    hosts = list(found.seen.values())
    while left := await asyncio.to_thread(remains, found.data_dir, hosts):
        if time.monotonic() - started > DEADLINE_S:
            raise ServerError(f"of the hosts is left: {left[:5]}")
        await asyncio.sleep(POLL_S)
    return time.monotonic() - started


async def until_prepared(data_dir: Path) -> float:
    """Seconds until the server has made the hosts' template, which it does when a session with hosts is there."""
    started = time.monotonic()
    async with asyncio.timeout(DEADLINE_S):
        while not any(one.name.count("-") == 2 for one in (data_dir / "cache").glob("host-template-*")):
            await asyncio.sleep(POLL_S)
    return time.monotonic() - started


async def one_class(
    database: Database, say: Callable[[str], None], number: int, limit_s: float, notes: list[str]
) -> list[Figure]:
    """A class from its beginning to its end."""
    data_dir = configuration.data_dir()
    found = Class(database, data_dir, *await database.run(open_class, number))
    async with serving(data_dir) as server:
        prepared = await until_prepared(data_dir)
        notes.append(f"Template of the hosts made in {prepared:.1f} s, before anybody asked for one ({number} hosts).")
        notes.append(f"Load average before the class of {number}: {os.getloadavg()[0]:.2f}.")
        say(f"class-hosts: {number} people ask for a host at once")
        free = psutil.virtual_memory().available
        for group in found.groups:
            await database.run(group_host_store.ask_for, group, time.time())
        served = await found.until_all(launch)
        say(f"class-hosts: all serve after {served:.1f} s")
        taken = (free - psutil.virtual_memory().available) / number / 2**20
        notes.append(
            f"{number} hosts: MemAvailable fell by {taken:.0f} MB for each: the kernel's share and files included."
        )
        memory = [pss_mb(host) for host in found.seen.values()]
        own = [await sees_only_its_own(host) for host in found.seen.values()]
        say("class-hosts: killing the server and one engine")
        os.kill(server.pid, signal.SIGKILL)
        victim = found.seen[found.groups[0]]
        os.kill(victim.pid, signal.SIGKILL)
        killed = time.monotonic()
        async with serving(data_dir):
            await found.until_all(answers)
            back = time.monotonic() - killed
            say(f"class-hosts: all serve again after {back:.1f} s; the session ends")
            gone = await until_gone(found)
            say(f"class-hosts: all gone after {gone:.1f} s")
    at_most = {limit: Promise(Of.VALUE, limit) for limit in (limit_s, MOST_MB, GONE_S, BACK_S)}
    return [
        figure(f"{number} hosts: all serve port 80", "s", [served], promise=at_most[limit_s]),
        figure(f"{number} hosts: memory of each, the largest", "MB PSS", memory, percent=100, promise=at_most[MOST_MB]),
        figure(f"{number} hosts: memory of each", "MB PSS", memory, percent=50),
        figure(
            f"{number} hosts: see what is not theirs", "hosts", [float(own.count(False))], promise=Promise(Of.VALUE, 0)
        ),
        figure(f"{number} hosts: all serve again after SIGKILL", "s", [back], promise=at_most[BACK_S]),
        figure(f"{number} hosts: all gone after the session's end", "s", [gone], promise=at_most[GONE_S]),
    ]


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """Classes of all sizes, one after the other."""
    database = Database()
    figures: list[Figure] = []
    notes = ["Every host has its limits: 512 MB, 512 processes, 1 core."]
    try:
        for number, limit_s in (QUICK if quick else CLASSES).items():
            figures += await one_class(database, say, number, limit_s, notes)
    finally:
        await private_host.stop_all(configuration.data_dir())
        database.close()
    return Result(
        "class-hosts",
        "Private hosts for a class",
        f"20 serve within 12 s, 100 within 60 s, at most {MOST_MB:g} MB each; gone within {GONE_S:g} s",
        tuple(figures),
        tuple(notes),
    )
