"""The lab: compares what is wanted with what is real, and acts. A restart is just another pass."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dashboard.core.experiments.journal import View
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.heartbeat import Heartbeat, Vitals
from dashboard.engine.protocol import EngineError, EngineEvent, EngineUnreachable
from dashboard.lab.claims.worker import Claimer
from dashboard.lab.context import LABEL_EXPERIMENT, Context
from dashboard.lab.engine_watch import EngineWatch
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.measurements.worker import Measurer
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.experiments import Record
from dashboard.store.reports import saved as saved_reports
from dashboard.store.telemetry import counted

log = logging.getLogger(__name__)
PASS_S = 30.0
#: An engine that hangs closes nothing: it is asked so often.
ASK_S = 5.0
CANCELS = 3
CANCEL_S = 2.0
RETRY_S = 2.0
LAST_PASSES = 3


class LabBusyError(Exception):
    """Another process already drives the experiments of this data folder."""


class LabLock:
    """Held while a lab drives the experiments of a data folder; the kernel frees it when the process ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lab.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock or raises LabBusyError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise LabBusyError(
                f"Another Netmodes already serves from {self._path.parent}: use it, stop it, "
                "or set NETMODES_DATA_DIR to another folder."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Frees the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@dataclass(frozen=True, slots=True)
class Turns:
    """Whose turn it is to measure and to execute claims, of all labs of a process: two would disturb each other."""

    measuring: asyncio.Lock = field(default_factory=asyncio.Lock)
    claims: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lab:
    """Drives the experiments of its context's host. ``only`` limits it to one: a command drives its own and nothing
    else."""

    def __init__(self, context: Context, only: str | None = None, turns: Turns | None = None) -> None:
        self.context = context
        self._only = only
        self._runs: dict[str, ExperimentDriver] = {}
        turns = turns or Turns()
        self._measurer = Measurer(context, self.driver_of, self.wake, turns.measuring) if only is None else None
        self._claimer = Claimer(context, self.wake, turns.claims) if only is None else None
        self._awake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._engine = EngineWatch(context.clock)
        self._passed_at = context.clock()

    def driver_of(self, experiment: str) -> ExperimentDriver | None:
        """The run of an experiment, while this lab has it in hand."""
        return self._runs.get(experiment)

    def wake(self) -> None:
        """Something is wanted: look now."""
        self._awake.set()

    def heartbeat(self) -> Heartbeat:
        """How this lab is, and what the labs of this process have counted. May be asked from any thread."""
        info, engine = self.context.info, self._engine
        vitals = Vitals(
            engine=info.version,
            private=self.context.private,
            engine_answers=engine.answers,
            engine_since=engine.since,
            passed_at=self._passed_at,
            engine_problem=engine.problem,
            ended=next((one.get_name() for one in self._loops if one.done()), ""),
        )
        return Heartbeat(self.context.clock(), vitals, counted.figures())

    async def start(self) -> None:
        """Begins to listen and to act; returns after the first pass was started."""
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self._listen(), name="lab-events"),
            loop.create_task(self._work(), name="lab-passes"),
        ]
        if self._only is None and not self.context.host:
            self._loops.append(loop.create_task(self._ask(), name="lab-asks"))
        self.wake()

    async def close(self) -> None:
        """Ends listening and lets go of all runs; containers stay as they are."""
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._measurer is not None:
            await self._measurer.close()
        if self._claimer is not None:
            await self._claimer.close()
        # A pass that is cancelled still waits for its journal, which may never be written: it is cancelled again.
        for _ in range(CANCELS):
            if self._tasks:
                for task in list(self._tasks):
                    task.cancel()
                await asyncio.wait(self._tasks, timeout=CANCEL_S)
        await asyncio.gather(*(run.close() for run in self._runs.values()), return_exceptions=True)
        self._runs.clear()

    async def stop_all(self, deadline_s: float = 20.0) -> int:
        """Stops every experiment that this lab drives, as Ctrl-C does; returns how many there were."""
        database = self.context.database
        if self._measurer is not None:
            await self._measurer.close()
        if self._claimer is not None:
            await self._claimer.close()
        mine = {record.id for record in await self._load() if self._is_mine(record)}
        for identity in mine:
            await database.run(experiment_store.set_wanted, identity, Wanted.STOPPED)
        records = [record for record in await self._load() if record.id in mine]
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(self._settle_surely(record) for record in records))
        except TimeoutError:
            log.warning("not everything could be stopped in %s s: ./netmodes reap removes the rest", deadline_s)
        return len(mine)

    async def _settle_surely(self, record: Record) -> None:
        """More than one pass where an engine is slow: there will be no later one."""
        for _ in range(LAST_PASSES):
            await self._settle(record)
            run = self._runs.get(record.id)
            if run is None or not run.troubled:
                return
            await asyncio.sleep(RETRY_S)

    async def _work(self) -> None:
        first = True
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), PASS_S)
            woken = self._awake.is_set()
            self._awake.clear()
            try:
                await self._pass(first=first, woken=woken)
                first = False
                self._passed_at = self.context.clock()
            except Exception:
                log.exception("a pass of the lab failed; the next one tries again")
                asyncio.get_running_loop().call_later(RETRY_S, self.wake)

    async def _pass(self, *, first: bool, woken: bool) -> None:
        mine = [record for record in await self._load() if self._is_mine(record)]
        if woken:
            counted.wakeups["woken"] += 1
        elif any(record.id not in self._runs for record in mine):
            counted.wakeups["missed"] += 1
        for record in mine:
            self._spawn(record)
        if self._measurer is not None:
            await self.context.database.run(measurement_store.mark_incomplete)
            await self._measurer.look()
        if self._claimer is not None:
            await self._claimer.look()
        if self._only is None and not self.context.host:
            await self.context.database.run(saved_reports.purge_deleted, self.context.clock())
        if first and self._only is None:
            await remove_orphans(self.context, self._unsettled)

    async def _load(self) -> tuple[Record, ...]:
        return await self.context.database.run(experiment_store.load_unsettled, self.context.host)

    async def _unsettled(self) -> set[str]:
        unsettled = {record.id for record in await self._load()}
        return unsettled | await self.context.database.run(claim_runs.living)

    def _is_mine(self, record: Record) -> bool:
        if self._only is not None:
            return record.id == self._only
        return not record.driver or not experiment_store.is_alive(record.driver)

    def _spawn(self, record: Record) -> None:
        task = asyncio.get_running_loop().create_task(self._settle(record), name=f"settle-{record.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, record: Record) -> None:
        try:
            found = await self._run_for(record.id)
            if found is None:
                return
            run, record = found
            await run.settle(record)
            if self._measurer is not None:
                await self._measurer.look()
            if run.troubled and not run.ended:
                asyncio.get_running_loop().call_later(RETRY_S, self.wake)
            if record.wanted is Wanted.REMOVED and run.ended:
                await run.close()
                self._runs.pop(record.id, None)
                await self.context.database.run(experiment_store.delete, record.id)
                self.context.publisher.wake(record.id)
            elif run.ended and self._only is None:
                await run.close()
                self._runs.pop(record.id, None)
        except Exception:
            log.exception("experiment %s could not be settled; the next pass tries again", record.id)
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)

    async def _run_for(self, experiment: str) -> tuple[ExperimentDriver, Record] | None:
        """The run and the newest record, read at once; None if another pass has removed the experiment meanwhile."""
        known = experiment in self._runs

        def read() -> tuple[Record, View | None] | None:
            record = experiment_store.load(experiment)
            return None if record is None else (record, None if known else experiment_store.view(experiment))

        found = await self.context.database.run(read)
        if found is None:
            return None
        record, view = found
        run = self._runs.get(experiment)
        if run is None:
            if view is None:
                return await self._run_for(experiment)
            run = self._runs[experiment] = ExperimentDriver(self.context, record, view)
        return run, record

    async def _listen(self) -> None:
        """The Engine's events. They are no history: after every (re)connect everything is looked at again."""
        while True:
            try:
                async for event in self.context.engine.events():
                    await self._event(event)
            except EngineError as error:
                log.warning("the engine's events ended: %s", error)
            except Exception:
                log.exception("an event of the engine could not be followed; it is listened to again")
            await asyncio.sleep(RETRY_S)

    async def _event(self, event: EngineEvent) -> None:
        if event.kind == "stream":
            if event.action == "connected":
                await self._engine_back()
            else:
                why = (
                    event.attributes.get("reason")
                    or f"The Docker Engine does not answer at {self.context.info.endpoint}."
                )
                self._engine_gone(why)
            return
        if event.kind == "network":
            for run in list(self._runs.values()):
                run.engine_event(event)
            return
        found = self._runs.get(event.labels.get(LABEL_EXPERIMENT, ""))
        if found is not None:
            found.engine_event(event)

    def _engine_gone(self, why: str) -> None:
        self._engine.lost(why)
        for run in list(self._runs.values()):
            run.engine_gone(why)

    async def _ask(self) -> None:
        """An engine that hangs keeps its event stream open and says nothing."""
        while True:
            await asyncio.sleep(ASK_S)
            try:
                await self.context.engine.ping()
                if not self._engine.answers:
                    await self._engine_back()
            except EngineError as error:
                if self._engine.answers:
                    self._engine_gone(str(error))
            except Exception:
                log.exception("the engine could not be asked; it is asked again")

    async def _engine_back(self) -> None:
        """After a (re)connect: the daemon may be another process now."""
        try:
            info = await self.context.engine.info()
        except EngineError:
            return
        self._engine.back()
        before, self.context.info = self.context.info.pid, info
        if info.pid != before:
            for run in list(self._runs.values()):
                await run.observer.close()
        self.wake()


async def remove_orphans(
    context: Context, wanted: Callable[[], Awaitable[set[str]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes what carries our label and belongs to no experiment in ``wanted``.

    ``wanted`` is asked after the Engine: whatever is made meanwhile had its row before. On the host of a class what
    belongs to no experiment is a person's work of a workshop, and stays. Returns what was removed, and what the
    Engine refused to remove, in its words.
    """
    engine, labels = context.engine, context.labels()
    containers, networks = await engine.containers(labels), await engine.networks(labels)
    keep: set[str | None] = {*await wanted(), *({None} if context.host else ())}
    removed: list[str] = []
    refused: list[str] = []
    jobs: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        (f"container {one.name}", partial(engine.remove_container, one.id))
        for one in containers
        if one.labels.get(LABEL_EXPERIMENT) not in keep
    ]
    jobs += [
        (f"network {one.name}", partial(engine.remove_network, one.id))
        for one in networks
        if one.labels.get(LABEL_EXPERIMENT) not in keep
    ]
    for name, remove in jobs:
        try:
            await remove()
            removed.append(name)
        except EngineUnreachable:
            raise
        except EngineError as error:
            log.warning("%s could not be removed: %s", name, error)
            refused.append(f"{name}: {error}")
    return tuple(removed), tuple(refused)
