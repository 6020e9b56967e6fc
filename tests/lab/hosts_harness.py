"""Private hosts of groups as a server runs them. Tests set the clock and the machine's resources."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.training.capacity import Machine
from dashboard.core.training.host_plan import DesiredState, HostStage
from dashboard.core.training.session import HostsFor
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.lab.context import Context
from dashboard.lab.reconciler import WorkLocks
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.lab.training.hosts import GroupHosts, HostState
from dashboard.models import TrainingSession
from dashboard.store.installation import installation_id
from dashboard.store.training import hosts as group_host_store
from tests.lab.training_builders import session
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import RecordingPublisher, close_context, make_context
from tests.support.polling import eventually

ROOMY = Machine(24_000, 32_768, 2)


@dataclass(slots=True)
class HostsHarness:
    """The hosts of a session. ``row`` is the session, ``later`` is added to the clock, ``machine`` are the machine's
    resources."""

    context: Context
    row: TrainingSession
    machine: Machine = ROOMY
    later: float = 0.0
    labs: GroupLabs = field(init=False)
    hosts: GroupHosts = field(init=False)

    async def open(self) -> None:
        """Starts the hosts as a server does."""
        self.context.clock = lambda: time.time() + self.later
        self.labs = GroupLabs(self.context, WorkLocks())
        self.hosts = GroupHosts(self.context, self.labs, lambda: self.machine)
        await self.hosts.open()

    async def close(self, *, stop_hosts: bool) -> None:
        """Ends as a server does; without ``stop_hosts`` as a killed server."""
        await self.hosts.close(stop_hosts=stop_hosts)
        await self.labs.close()

    def group(self, number: int) -> str:
        """The key of a group."""
        return f"{self.row.id}-{number}"

    async def reaches(self, number: int, stage: HostStage, words: str = "", deadline_s: float = 40.0) -> HostState:
        """Waits until a group's host has this stage and its message contains these words."""

        async def found() -> HostState | None:
            state = await self.hosts.state_of(self.group(number))
            return state if state.stage is stage and words in state.message else None

        try:
            reached: HostState = await eventually(found, deadline_s)
        except AssertionError:
            raise AssertionError(f"not {stage}: {await self.hosts.state_of(self.group(number))}") from None
        return reached

    async def ready(self, number: int) -> HostState:
        """Requests a host for a group and waits until it is ready."""
        await self.request(number)
        return await self.reaches(number, HostStage.READY)

    async def request(self, number: int) -> None:
        """Requests a host for a group."""
        await self.context.database.run(group_host_store.request, self.group(number), self.context.clock())
        self.hosts.wake()

    async def reset(self, number: int) -> None:
        """Requests a new host in place of a group's current one."""
        await self.context.database.run(group_host_store.reset, self.group(number), self.context.clock())
        self.hosts.wake()

    async def stop(self, number: int) -> None:
        """Requests that a group's host be stopped and removed."""
        await self.context.database.run(group_host_store.set_desired, self.group(number), DesiredState.STOPPED)
        self.hosts.wake()

    async def is_replaced(self, number: int, host: str) -> bool:
        """Whether a group has another host than this one, and it is ready."""
        state = await self.hosts.state_of(self.group(number))
        return state.stage is HostStage.READY and state.host != host

    def left(self, group: str = "old-1") -> PrivateHost:
        """A host that an earlier server has left."""
        return PrivateHost("left", 1, 1, "/nowhere", 1.0, self.context.data_dir / "hosts" / "left", 1, group)

    async def change(self, **fields: object) -> None:
        """Changes the session."""
        await database_sync_to_async(TrainingSession.objects.filter(pk=self.row.pk).update)(**fields)
        self.hosts.wake()


@asynccontextmanager
async def hosts_harness(data_dir: Path, **settings: Any) -> AsyncIterator[HostsHarness]:
    """An open session with hosts; everything is removed at the end."""
    engine = FakeEngine()
    context = make_context(engine, await engine.info(), data_dir, RecordingPublisher(), "")
    context.installation = await context.database.run(installation_id)

    def made() -> TrainingSession:
        row = session(hosts=HostsFor.PERSON, **settings)
        TrainingSession.objects.filter(pk=row.pk).update(expires_at=time.time() + 3600, memory_mb=256, pids=256)
        return row

    found = HostsHarness(context, await database_sync_to_async(made)())
    await found.open()
    try:
        yield found
    finally:
        await found.close(stop_hosts=True)
        await close_context(context)


def record_stops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes stopping a private host do nothing. Returns the list to which the ids of stopped hosts are added."""
    stopped: list[str] = []

    async def stop(host: PrivateHost) -> None:
        stopped.append(host.id)

    monkeypatch.setattr(private_host, "stop", stop)
    return stopped
