"""A lab as a server runs it, with the actions of a user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dashboard.core.experiments.journal import Entry, View
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentHead, Phase
from dashboard.engine.protocol import Engine, EngineInfo
from dashboard.lab.context import Context
from dashboard.lab.doctor import modes_of
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.reconciler import Lab
from dashboard.lab.watch_pool import WatchPool
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.database import DatabaseThread
from dashboard.store.experiments import Record
from dashboard.store.installation import installation_id
from dashboard.store.operations.database_clock import shared_clock
from tests.support.polling import DEADLINE_S, eventually
from tests.support.records import load_record
from tests.support.specs import make_spec

LAUNCH_S = 20.0


class RecordingPublisher(Publisher):
    """A publisher that records its wake-ups."""

    def __init__(self) -> None:
        super().__init__(self._record)
        self.woken: list[str] = []
        self.troubles: list[str] = []

    def _record(self, kind: str, *arguments: str) -> None:
        if kind == "experiment":
            self.woken.append(arguments[0])
        elif kind == "trouble":
            self.troubles.append(arguments[1])


class LabHarness:
    """A lab with the actions of a user."""

    def __init__(self, context: Context, publisher: RecordingPublisher) -> None:
        self.context = context
        self.publisher = publisher
        self.lab = Lab(context)
        #: Whether a test that launches a mode which the engine lacks is skipped: ``--engine`` may choose any engine.
        self.skips_missing_modes = False

    @property
    def database(self) -> DatabaseThread:
        return self.context.database

    async def start(self) -> None:
        await self.lab.start()

    async def close(self) -> None:
        """Stops everything and releases the engine and the database."""
        await self.lab.stop_all()
        await self.lab.close()
        await close_context(self.context)

    async def restart(self) -> None:
        """Restarts the lab as after a crash: the new lab knows only the database and the engine."""
        await self.lab.close()
        self.lab = Lab(self.context)
        await self.lab.start()

    async def launch(self, *modes: str, **more: Any) -> str:
        """Requests an experiment."""
        spec = make_spec(*modes, **more)
        if self.skips_missing_modes:
            for report in await modes_of(self.context.engine, self.context.info):
                if not report.available and any(arm.mode == report.mode for arm in spec.arms):
                    pytest.skip(f"this engine has no {report.mode} mode: {report.reason}")
        identity = await self.database.run(experiment_store.create_experiment, spec)
        self.lab.wake()
        return identity

    async def want(self, identity: str, wanted: Wanted, *, again: bool = False) -> None:
        assert await self.database.run(experiment_store.set_wanted, identity, wanted, again=again)
        self.lab.wake()

    async def stop(self, identity: str) -> ExperimentHead:
        """Stops an experiment and waits until the cleanup is verified."""
        await self.want(identity, Wanted.STOPPED)
        return await self.reaches(identity, Phase.STOPPED)

    def driver(self, identity: str) -> ExperimentDriver:
        """The driver of an experiment that the lab drives."""
        driver = self.lab.driver_of(identity)
        assert driver is not None
        return driver

    async def record(self, identity: str) -> Record:
        """The record of an existing experiment."""
        return await self.database.run(load_record, identity)

    async def view(self, identity: str) -> View:
        """The experiment as stored in the database."""
        return await self.database.run(journal_store.view, identity)

    async def entries(self, identity: str) -> tuple[Entry, ...]:
        return await self.database.run(journal_store.entries, identity)

    async def reaches(self, identity: str, *phases: Phase, deadline_s: float = LAUNCH_S) -> ExperimentHead:
        """Waits until the experiment is in one of ``phases``; returns its head."""

        async def head_in_phase() -> ExperimentHead | None:
            head = (await self.view(identity)).head
            return head if head is not None and head.phase in phases else None

        try:
            reached: ExperimentHead = await eventually(head_in_phase, deadline_s)
        except AssertionError:
            view = await self.view(identity)
            entries = [(entry.seq, entry.text, str(entry.cause.source)) for entry in await self.entries(identity)]
            raise AssertionError(f"{identity} is {view.head and view.head.phase}, not {phases}: {entries}") from None
        return reached

    async def running(self, *modes: str, **more: Any) -> str:
        """Launches an experiment and waits until it runs."""
        identity = await self.launch(*modes, **more)
        await self.reaches(identity, Phase.RUNNING)
        return identity

    async def column(self, identity: str, key: str) -> Column:
        return next(column for column in (await self.view(identity)).columns if column.key == key)

    async def ends_as(self, identity: str, key: str, status: ArmStatus, deadline_s: float = DEADLINE_S) -> Column:
        """Waits until the column has ``status``; returns it."""

        async def column_with_status() -> Column | None:
            column = await self.column(identity, key)
            return column if column.status is status else None

        try:
            column: Column = await eventually(column_with_status, deadline_s)
        except AssertionError:
            raise AssertionError(f"{key} is not {status}: {await self.column(identity, key)}") from None
        return column


def make_context(
    engine: Engine, info: EngineInfo, data_dir: Path, publisher: RecordingPublisher, installation: str
) -> Context:
    """The context of a lab on this engine."""
    return Context(
        engine=engine,
        info=info,
        private=True,
        installation=installation,
        data_dir=data_dir,
        database=DatabaseThread(),
        publisher=publisher,
        watches=WatchPool(),
        clock=shared_clock,
    )


async def close_context(context: Context) -> None:
    await context.watches.close()
    await context.engine.close()
    await asyncio.to_thread(context.database.close)


@asynccontextmanager
async def open_lab_harness(engine: Engine, data_dir: Path) -> AsyncIterator[LabHarness]:
    """A running lab on ``engine``, with its own installation. At the end, stops everything and releases the engine and
    the database."""
    database = DatabaseThread()
    installation = await database.run(installation_id)
    await asyncio.to_thread(database.close)
    publisher = RecordingPublisher()
    harness = LabHarness(make_context(engine, await engine.info(), data_dir, publisher, installation), publisher)
    await harness.start()
    try:
        yield harness
    finally:
        await harness.close()


async def troubled(lab_harness: LabHarness, identity: str, deadline_s: float = DEADLINE_S) -> ExperimentHead:
    """Waits until the experiment has a problem; returns its head."""

    async def head() -> ExperimentHead | None:
        found = (await lab_harness.view(identity)).head
        return found if found is not None and found.problem else None

    found: ExperimentHead = await eventually(head, deadline_s)
    return found


async def healed(lab_harness: LabHarness, identity: str, deadline_s: float = DEADLINE_S) -> ExperimentHead:
    """Waits until the experiment has no problem; returns its head."""

    async def head() -> ExperimentHead | None:
        found = (await lab_harness.view(identity)).head
        return found if found is not None and not found.problem else None

    found: ExperimentHead = await eventually(head, deadline_s)
    return found


def fail_first_calls(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, error: Exception, times: float = 1
) -> Callable[[], float]:
    """Makes the first calls of ``module.name``, a function of the store, raise ``error``. Returns a function that tells
    how many calls will still raise it."""
    function, left = getattr(module, name), times

    def fail(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise error
        return function(*args, **kwargs)

    monkeypatch.setattr(module, name, fail)
    return lambda: left
