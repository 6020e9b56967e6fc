"""The private hosts of groups. Each participant or team has one, which is started on request and stopped with the
session.

The desired state is stored in the database. In passes, this module compares it with the hosts on the machine, and takes
the steps that are missing. A restarted server therefore continues with the existing hosts, even if the earlier server
was killed. The decisions are made in ``core.training.host_plan`` and ``core.training.capacity``.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from dashboard.core.training.capacity import (
    MAX_CONTAINERS,
    Capacity,
    HostLimits,
    Machine,
    capacity,
    describe_queue,
    parallel_starts,
)
from dashboard.core.training.host_plan import (
    ActionKind,
    DesiredState,
    HostStage,
    can_start,
    plan_actions,
    queue_position,
)
from dashboard.engine.hosts.programs import engine_root, missing_requirement
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.lab.context import Context
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from dashboard.lab.training.host_actions import HostActions
from dashboard.lab.workshops.commands import workshop_host
from dashboard.lab.workshops.snapshot import WorkshopHost
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store

log = logging.getLogger(__name__)
PASS_S = 1.0
TOUCH_S = 20.0


@dataclass(frozen=True, slots=True)
class HostState:
    """The state of a group's host that participants see. ``message`` is a sentence, or empty. ``host`` is the id of the
    host, empty if there is no host yet."""

    stage: HostStage
    message: str = ""
    host: str = ""

    @property
    def can_start(self) -> bool:
        """Whether a request starts the host."""
        return can_start(self.stage, self.host)


def read_machine() -> Machine:
    """Reads the resources of this machine that are available now."""
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    return Machine(psutil.virtual_memory().available >> 20, pids, psutil.cpu_count() or 1)


class GroupHosts:
    """Brings the private hosts of all groups to their desired state. ``labs`` holds their labs. ``count_others``
    returns the number of hosts of LANs on this machine."""

    def __init__(
        self,
        context: Context,
        labs: GroupLabs,
        machine: Callable[[], Machine] = read_machine,
        count_others: Callable[[], int] = lambda: 0,
    ) -> None:
        self._context = context
        self._database = context.database
        self._labs = labs
        self._machine = machine
        self._count_others = count_others
        self._actions = HostActions(context, labs, machine().cores)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._starting: set[str] = set()
        self._template_task: asyncio.Task[None] | None = None
        self._is_expecting = False
        self._used: dict[str, float] = {}
        self._used_stored_at = 0.0
        self._awake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._problem = ""

    # Requests of the web processes.

    async def state_of(self, group: str) -> HostState:
        """Returns the state of a group's host. A host that was never requested is "stopped"."""
        found = await self._database.run(group_host_store.find, group)
        if found is None:
            return HostState(HostStage.STOPPED)
        message = found.reason
        if found.stage is HostStage.QUEUED and found.desired is not DesiredState.STOPPED:
            records = await self._database.run(group_host_store.load_all, self._context.clock())
            if position := queue_position(group, records):
                limits = next(record.limits for record in records if record.group == group)
                full = self.capacity(limits).more < position
                message = describe_queue(position, len(self._actions.hosts), full=full)
        return HostState(found.stage, message, found.host)

    def expect(self) -> None:
        """Makes the next pass prepare the template from which hosts are started. Called when a session is created.
        Without this call, the lab would learn of the session only when one of its hosts is placed on this machine."""
        self._is_expecting = True
        self.wake()

    def capacity(self, limits: HostLimits | None = None) -> Capacity:
        """Returns the number of hosts, and how many further hosts with these ``limits`` the machine can hold. Hosts
        that are being started and hosts of LANs are counted, too."""
        others = self._count_others()
        running = len(self._actions.hosts) + len(self._starting) + others
        return replace(capacity(self._machine(), limits or HostLimits(), running, self._problem), others=others)

    async def context_of(self, group: str) -> Context:
        """Returns the context of a group's host. Raises HostUnavailableError if the host is not ready, or
        EngineError."""
        return await self._labs.context_of(await self._ready(group))

    async def workshop_host_of(self, group: str) -> WorkshopHost:
        """Returns the ``WorkshopHost`` with which workshop commands run on a group's host. Raises HostUnavailableError
        or EngineError."""
        return replace(workshop_host(await self.context_of(group)), max_containers=MAX_CONTAINERS)

    async def private_host_of(self, group: str) -> PrivateHost:
        """Returns the ``PrivateHost`` of a group. Raises HostUnavailableError if the host is not ready."""
        return self._actions.hosts[await self._ready(group)]

    async def _ready(self, group: str) -> str:
        state = await self.state_of(group)
        if state.stage is not HostStage.READY or state.host not in self._actions.hosts:
            raise HostUnavailableError(group_runs.describe_unready(state.stage, state.message))
        self.touch(group)
        return state.host

    def touch(self, group: str) -> None:
        """Records that a group's host is in use now, so that it does not count as idle."""
        self._used[group] = self._context.clock()

    def wake(self) -> None:
        """Requests a pass over the hosts now. Call this in the lab's loop."""
        self._awake.set()

    # Passes and actions.

    async def open(self) -> None:
        """Adopts the hosts that an earlier server has left, removes those that belong to no session, and starts making
        passes."""
        self._problem = await asyncio.to_thread(missing_requirement, engine_root()) or ""
        records = await self._database.run(group_host_store.load_all, self._context.clock())
        await self._actions.adopt_all({record.host for record in records})
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="group-hosts")

    async def close(self, *, stop_hosts: bool) -> None:
        """Stops making passes. If ``stop_hosts`` is true, also stops all hosts, and records them as queued for the next
        server."""
        tasks = [task for task in (self._loop, self._template_task, *self._busy.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if stop_hosts:
            await self._actions.stop_all()

    async def _run(self) -> None:
        while True:
            self._awake.clear()
            try:
                await self._pass()
            except Exception:
                log.exception("a pass over the private hosts failed; the next one tries again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), PASS_S)

    async def _pass(self) -> None:
        now = self._context.clock()
        if self._used and now - self._used_stored_at >= TOUCH_S:
            used, self._used, self._used_stored_at = self._used, {}, now
            await self._database.run(group_host_store.touch, used)
        records = {record.group: record for record in await self._database.run(group_host_store.load_all, now)}
        unprepared = self._template_task is None and not self._actions.has_template and not self._problem
        expected = records or self._is_expecting
        if unprepared and (expected or await self._database.run(group_host_store.has_open_sessions, now)):
            prepare = self._actions.prepare_template()
            self._template_task = asyncio.get_running_loop().create_task(prepare, name="host-template")
        waiting = [record for record in records.values() if record.stage is HostStage.QUEUED]
        first = min(waiting, key=lambda record: (record.since, record.group), default=None)
        actions = plan_actions(
            list(records.values()),
            self._actions.observe(),
            self._busy,
            self._actions.engine_exits,
            now,
            capacity=self.capacity(first.limits if first is not None else None).more,
            slots=parallel_starts(self._machine().cores) - len(self._starting),
        )
        for action in actions:
            if action.kind in {ActionKind.START, ActionKind.RESTART, ActionKind.RESET}:
                self._starting.add(action.group)
            self._spawn(action.group, self._actions.perform(action, records[action.group]))
        for host in self._actions.hosts.values():
            if host.group not in records and host.group not in self._busy:
                self._spawn(host.group, self._actions.remove(host))  # the host's session was deleted

    def _spawn(self, group: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"host-{group}")
        self._busy[group] = task
        task.add_done_callback(lambda _task: self._on_done(group))

    def _on_done(self, group: str) -> None:
        self._busy.pop(group, None)
        self._starting.discard(group)
        self.wake()
