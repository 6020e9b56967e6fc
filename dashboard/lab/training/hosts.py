"""The private hosts of classes: one for each person or team, started when it is asked for, gone with the session.

What is wanted stands in rows; this compares it with what is there and acts, so that a server that was killed finds
everything again. Decisions are made in ``core.training.host_plan`` and ``core.training.capacity``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from dashboard.core.training.capacity import (
    MOST_CONTAINERS,
    Capacity,
    HostLimits,
    Machine,
    capacity,
    queue_sentence,
    starters,
)
from dashboard.core.training.host_plan import Act, Deed, HostStage, Real, Wanted, Wish, deeds, place_of
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import PrivateHost, class_hosts, left_running
from dashboard.engine.hosts.template import HostTemplate, host_template
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.training.group_labs import HostAwayError, Labs
from dashboard.lab.workshops.commands import workshop_host
from dashboard.lab.workshops.snapshot import WorkshopHost
from dashboard.store.training import hosts as group_host_store

log = logging.getLogger(__name__)
PASS_S = 1.0
TOUCH_S = 20.0
#: Logs of containers are bounded: nobody looks after a class's disk.
DAEMON: dict[str, Any] = {"log-driver": "json-file", "log-opts": {"max-size": "1m", "max-file": "2"}}
ANEW = "Its engine ended and was started anew, with what was there; what ran was launched again."
SERVER_STOPPED = "The server was stopped."


@dataclass(frozen=True, slots=True)
class HostState:
    """A group's host, as it is told to people: ``message`` is one sentence or empty. ``place`` in the queue counts
    from 1, 0 for who does not wait; ``socket`` is where its engine listens."""

    group: str
    stage: HostStage
    message: str = ""
    place: int = 0
    host: str = ""
    socket: str = ""
    since: float = 0.0


def read_machine() -> Machine:
    """This machine now."""
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    return Machine(psutil.virtual_memory().available >> 20, pids, psutil.cpu_count() or 1)


class ClassHosts:
    """Drives the hosts to what is wanted of them."""

    def __init__(self, context: Context, labs: Labs, machine: Callable[[], Machine] = read_machine) -> None:
        self._context = context
        self._labs = labs
        self._machine = machine
        self._hosts: dict[str, PrivateHost] = {}
        self._deaths: dict[str, list[float]] = defaultdict(list)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._starting: set[str] = set()
        self._starts = asyncio.Semaphore(starters(machine().cores))
        self._template: HostTemplate | None = None
        self._preparing = asyncio.Lock()
        self._ready_for: asyncio.Task[None] | None = None
        self._used: dict[str, float] = {}
        self._touched = 0.0
        self._awake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._problem = ""

    # What others ask.

    async def host_for(self, group: str) -> HostState:
        """The group's host, asked for if there is none; NoHostError if it can have none."""
        await self._context.database.run(group_host_store.ask_for, group, self._context.clock())
        self.touch(group)
        self.wake()
        return await self.state_of(group)

    async def state_of(self, group: str) -> HostState:
        """The group's host as it is; stopped if it never was asked for."""
        now = self._context.clock()
        found = await self._context.database.run(group_host_store.find, group, now)
        if found is None:
            return HostState(group, HostStage.STOPPED)
        row, socket, reason = found
        place, message = 0, reason
        if row.stage is HostStage.QUEUED and row.wish is not Wish.STOPPED:
            rows = await self._context.database.run(group_host_store.load_all, now)
            place = place_of(group, rows)
            full = self.capacity(row.limits).more < place
            message = queue_sentence(place, len(self._hosts), full=full) if place else reason
        return HostState(group, row.stage, message, place, row.host, socket, row.since)

    async def reset(self, group: str) -> None:
        """Everything on the group's host is thrown away, and a clean one is started."""
        await self._context.database.run(group_host_store.ask_for, group, self._context.clock())
        await self._context.database.run(group_host_store.want, group, Wish.RESET)
        self.touch(group)
        self.wake()

    async def stop(self, group: str) -> None:
        """The group's host is stopped and removed."""
        await self._context.database.run(group_host_store.want, group, Wish.STOPPED)
        self.wake()

    def capacity(self, limits: HostLimits | None = None) -> Capacity:
        """How many hosts run and how many more fit."""
        return capacity(self._machine(), limits or HostLimits(), len(self._hosts) + len(self._starting), self._problem)

    async def context_of(self, group: str) -> Context:
        """The context of the group's host; HostAwayError with a sentence if it is not ready, or EngineError."""
        return await self._labs.context_of(await self._ready(group))

    async def workshop_host_of(self, group: str) -> WorkshopHost:
        """The group's host as somebody works on it in a workshop; HostAwayError or EngineError."""
        context = await self.context_of(group)
        return replace(workshop_host(context), most_containers=MOST_CONTAINERS)

    async def private_host_of(self, group: str) -> PrivateHost:
        """The group's host with its processes and files; HostAwayError if it is not ready."""
        return self._hosts[await self._ready(group)]

    async def _ready(self, group: str) -> str:
        state = await self.state_of(group)
        if state.stage is not HostStage.READY or state.host not in self._hosts:
            raise HostAwayError(state.message or "Your private host does not run now: start it first.")
        self.touch(group)
        return state.host

    def touch(self, group: str) -> None:
        """Somebody works on the group's host: it is not idle."""
        self._used[group] = self._context.clock()

    def wake(self) -> None:
        """Something is wanted: look now."""
        self._awake.set()

    # From here on: acting.

    async def open(self) -> None:
        """Finds the hosts that are there, removes those that nobody wants, and begins."""
        self._problem = await asyncio.to_thread(private_host.why_not)
        await private_host.adopt(self._context.data_dir)
        found = await asyncio.to_thread(class_hosts, self._context.data_dir)
        rows = await self._context.database.run(group_host_store.load_all, self._context.clock())
        wanted = {row.host for row in rows}
        for host in found:
            if host.id in wanted:
                self._hosts[host.id] = host
                if host.is_running():
                    self._labs.add(host)
        unwanted = [host for host in found if host.id not in wanted]
        await asyncio.gather(*(self._remove(host) for host in unwanted))
        self._loop = asyncio.get_running_loop().create_task(self._work(), name="class-hosts")

    async def close(self, *, stop_hosts: bool) -> None:
        """Ends; with ``stop_hosts`` everything that runs is stopped, and starts anew with the next server."""
        tasks = [one for one in (self._loop, self._ready_for, *self._busy.values()) if one is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not stop_hosts:
            return
        rows = await self._context.database.run(group_host_store.load_all, self._context.clock())
        await asyncio.gather(*(self._remove(host) for host in list(self._hosts.values())))
        now = self._context.clock()
        for row in rows:
            if row.host:
                stage = HostStage.QUEUED if row.wish is not Wish.STOPPED else HostStage.STOPPED
                await self._end_rows(row, stage, row.wish, SERVER_STOPPED, now)

    async def _end_rows(self, row: Wanted, stage: HostStage, wish: Wish, reason: str, now: float) -> None:
        await self._labs.mark_over(row.host, f"Its private host is gone. {reason}")
        await self._context.database.run(group_host_store.note_end, row.group, row.wish, stage, wish, reason, now)

    async def _work(self) -> None:
        while True:
            self._awake.clear()
            try:
                await self._pass()
            except Exception:
                log.exception("a pass over the hosts of classes failed; the next one tries again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), PASS_S)

    async def _pass(self) -> None:
        database, now = self._context.database, self._context.clock()
        if self._used and now - self._touched >= TOUCH_S:
            used, self._used, self._touched = self._used, {}, now
            await database.run(group_host_store.touch, used)
        rows = await database.run(group_host_store.load_all, now)
        if self._template is None and self._ready_for is None and not self._problem:
            wanted: bool = bool(rows) or await database.run(group_host_store.hosts_wanted, now)
            if wanted:
                self._ready_for = asyncio.get_running_loop().create_task(self._prepare(), name="host-template")
        waiting = [row for row in rows if row.stage is HostStage.QUEUED]
        next_one = min(waiting, key=lambda row: (row.since, row.group), default=None)
        room = self.capacity(next_one.limits if next_one is not None else None).more
        slots = starters(self._machine().cores) - len(self._starting)
        known = {row.group: row for row in rows}
        for deed in deeds(rows, self._real(), self._busy, self._deaths, now, room=room, slots=slots):
            self._begin(deed, known[deed.group])
        for host in self._hosts.values():
            if host.group not in known and host.group not in self._busy:
                self._spawn(host.group, self._remove(host))  # its session was deleted

    def _real(self) -> dict[str, Real]:
        for host in list(self._hosts.values()):
            if not host.folder.exists():
                del self._hosts[host.id]
        return {host.id: Real(host.is_running(), host.started) for host in self._hosts.values()}

    async def _prepare(self) -> None:
        with contextlib.suppress(PrivateHostError, EngineError):
            await self._made_template()

    async def _made_template(self) -> HostTemplate:
        async with self._preparing:
            if self._template is None:
                self._template = await host_template(self._context.data_dir)
            return self._template

    def _begin(self, deed: Deed, row: Wanted) -> None:
        work: Coroutine[Any, Any, None]
        match deed.act:
            case Act.START:
                work = self._start(row)
            case Act.AGAIN:
                work = self._start_again(row)
            case Act.ADOPT:
                work = self._adopt(row)
            case Act.STOP:
                work = self._stop(row, HostStage.STOPPED, Wish.STOPPED, deed.reason)
            case Act.GIVE_UP:
                work = self._stop(row, HostStage.FAILED, row.wish, deed.reason)
            case Act.RESET:
                work = self._reset(row)
        if deed.act in {Act.START, Act.AGAIN, Act.RESET}:
            self._starting.add(row.group)
        self._spawn(row.group, self._surely(work, row))

    def _spawn(self, group: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"host-{group}")
        self._busy[group] = task
        task.add_done_callback(lambda _task: self._done(group))

    def _done(self, group: str) -> None:
        self._busy.pop(group, None)
        self._starting.discard(group)
        self.wake()

    async def _surely(self, work: Coroutine[Any, Any, None], row: Wanted) -> None:
        try:
            await work
        except (PrivateHostError, EngineError) as error:
            log.warning("the host of %s: %s", row.group, error)
            await self._stop(row, HostStage.FAILED, row.wish, str(error)[:400])
        except Exception as error:
            log.exception("the host of %s could not be driven", row.group)
            await self._note(row.group, state=HostStage.FAILED, reason=f"Netmodes itself failed at it: {error}."[:400])

    async def _note(self, group: str, **fields: Any) -> None:
        texts = {name: str(value) if isinstance(value, HostStage) else value for name, value in fields.items()}
        await self._context.database.run(group_host_store.note, group, since=self._context.clock(), **texts)

    async def _start(self, row: Wanted) -> None:
        await self._labs.mark_over(row.host, "Its private host is gone.")
        template = await self._made_template()
        async with self._starts:
            identity = secrets.token_hex(4)
            # Noted before it is made: after a crash what is left belongs to this row, or to nobody.
            await self._note(row.group, state=HostStage.STARTING, host=identity, reason="")
            host = await private_host.start(
                self._context.data_dir,
                identity,
                daemon=DAEMON,
                limits=row.limits,
                template=template,
                group=row.group,
                ready_s=60.0,
            )
        self._hosts[host.id] = host
        self._labs.add(host)
        await self._note(row.group, state=HostStage.READY, socket=host.socket)

    async def _start_again(self, row: Wanted) -> None:
        dead = self._hosts[row.host]
        self._deaths[row.group] = [*self._deaths[row.group][-9:], self._context.clock()]
        await self._note(row.group, state=HostStage.STARTING, reason="Its engine ended and is started anew.")
        async with self._starts:
            ran = await asyncio.to_thread(left_running, dead)
            host = await private_host.start_again(dead, row.limits, 60.0)
        self._hosts[host.id] = host
        await self._launch_again(host, ran)
        self._labs.add(host)
        await self._note(row.group, state=HostStage.READY, socket=host.socket, reason=ANEW)

    async def _launch_again(self, host: PrivateHost, containers: tuple[str, ...]) -> None:
        engine = DockerEngine(host.endpoint)
        try:
            for container in containers:
                try:
                    await engine.start_container(container)
                except EngineError as error:
                    log.warning("%s does not start again on %s: %s", container[:12], host.id, error)
        finally:
            await engine.close()

    async def _adopt(self, row: Wanted) -> None:
        host = self._hosts[row.host]
        self._labs.add(host)
        await self._note(row.group, state=HostStage.READY, socket=host.socket, reason="")

    async def _stop(self, row: Wanted, stage: HostStage, wish: Wish, reason: str) -> None:
        host = self._hosts.get(row.host)
        if host is not None:
            await self._remove(host)
        self._deaths.pop(row.group, None)
        await self._end_rows(row, stage, wish, reason, self._context.clock())

    async def _reset(self, row: Wanted) -> None:
        await self._stop(row, HostStage.QUEUED, Wish.RUNNING, "It was reset to clean.")
        await self._start(replace(row, host=""))

    async def _remove(self, host: PrivateHost) -> None:
        await self._labs.forget(host.id, "Its private host was stopped.")
        await private_host.stop(host)
        self._hosts.pop(host.id, None)
