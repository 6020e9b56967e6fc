"""Hosts of classes as a server drives them, with a clock and a machine that tests set."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.db import database_sync_to_async

from dashboard.core.training.capacity import Machine
from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.session import HostsFor
from dashboard.lab.context import Context
from dashboard.lab.reconciler import Turns
from dashboard.lab.training.group_labs import Labs
from dashboard.lab.training.hosts import ClassHosts, HostState
from dashboard.models import TrainingSession
from dashboard.store import experiments as experiment_store
from tests.fakes import FakeEngine
from tests.lab.training_builders import session
from tests.lab_harness import RecordingPublisher, close_context, make_context
from tests.polling import eventually

ROOMY = Machine(24_000, 32_768, 2)


@dataclass(slots=True)
class School:
    """``row`` is the session; ``later`` what is added to the clock; ``machine`` what is said of the machine."""

    context: Context
    row: TrainingSession
    machine: Machine = ROOMY
    later: float = 0.0
    labs: Labs = field(init=False)
    hosts: ClassHosts = field(init=False)

    async def open(self) -> None:
        """As a server that starts."""
        self.context.clock = lambda: time.time() + self.later
        self.labs = Labs(self.context, Turns())
        self.hosts = ClassHosts(self.context, self.labs, lambda: self.machine)
        await self.hosts.open()

    async def close(self, *, stop_hosts: bool) -> None:
        """As a server that ends; without ``stop_hosts`` as one that was killed."""
        await self.hosts.close(stop_hosts=stop_hosts)
        await self.labs.close()

    def group(self, number: int) -> str:
        """A group's key."""
        return f"{self.row.id}-{number}"

    async def reaches(self, number: int, stage: HostStage, words: str = "", deadline_s: float = 40.0) -> HostState:
        """The state of a group's host once it is in this stage and says these words."""

        async def found() -> HostState | None:
            state = await self.hosts.state_of(self.group(number))
            return state if state.stage is stage and words in state.message else None

        try:
            reached: HostState = await eventually(found, deadline_s)
        except AssertionError:
            raise AssertionError(f"not {stage}: {await self.hosts.state_of(self.group(number))}") from None
        return reached

    async def ready(self, number: int) -> HostState:
        """Asks for a host and waits until it is there."""
        await self.hosts.host_for(self.group(number))
        return await self.reaches(number, HostStage.READY)

    async def change(self, **fields: object) -> None:
        """Changes the session."""
        await database_sync_to_async(TrainingSession.objects.filter(pk=self.row.pk).update)(**fields)
        self.hosts.wake()


@asynccontextmanager
async def school(data_dir: Path, **wanted: Any) -> AsyncIterator[School]:
    """An open session with hosts, everything gone at the end."""
    engine = FakeEngine()
    context = make_context(engine, await engine.info(), data_dir, RecordingPublisher(), "")
    context.installation = await context.database.run(experiment_store.installation_id)

    def made() -> TrainingSession:
        row = session(hosts=HostsFor.PERSON, **wanted)
        TrainingSession.objects.filter(pk=row.pk).update(expires_at=time.time() + 3600, memory_mb=256, pids=256)
        return row

    found = School(context, await database_sync_to_async(made)())
    await found.open()
    try:
        yield found
    finally:
        await found.close(stop_hosts=True)
        await close_context(context)
