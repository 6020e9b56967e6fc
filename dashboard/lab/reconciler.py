"""The lab: drives experiments to their wanted state. Each pass compares the wanted state with the real state, and takes
the steps that are missing. After a restart, the first pass continues the work."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from django.db import DatabaseError

from dashboard.core.experiments.journal import View
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.heartbeat import Heartbeat, LabStatus
from dashboard.engine.protocol import EngineError
from dashboard.lab.claims.engines import private_engine_version
from dashboard.lab.claims.worker import ClaimWorker
from dashboard.lab.context import Context
from dashboard.lab.engine.events import EngineEvents
from dashboard.lab.experiments.columns.neighbour import NeighbourServer
from dashboard.lab.experiments.concurrency import Passes
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.experiments.first_packet import remove_left_trace
from dashboard.lab.housekeeping import run_housekeeping
from dashboard.lab.machines.client_line import ClientLines
from dashboard.lab.machines.lent_client import LentClient
from dashboard.lab.measurements.worker import MeasurementWorker
from dashboard.lab.orphans import kept_ids, remove_orphans
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.experiments import Record
from dashboard.store.machines import here
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.reports import saved as saved_reports
from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)
PASS_S = 30.0
CANCELS = 3
CANCEL_S = 2.0
RETRY_S = 2.0
LAST_PASSES = 3
#: How many seconds ``stop_all`` waits for a database that another process has locked.
DATABASE_S = 3.0


@dataclass(frozen=True, slots=True)
class WorkLocks:
    """Locks that all labs of a process share, so that at most one measurement, and at most one run of claims, is in
    progress: two of the same kind would disturb each other."""

    measuring: asyncio.Lock = field(default_factory=asyncio.Lock)
    claims: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lab:
    """Drives the experiments on its context's engine. Commands set ``only`` to the id of an experiment: then the lab
    drives only this one."""

    def __init__(self, context: Context, only: str | None = None, locks: WorkLocks | None = None) -> None:
        self.context = context
        self._only = only
        self._drivers: dict[str, ExperimentDriver] = {}
        locks = locks or WorkLocks()
        self.client_lines = ClientLines()
        self.lent_client = LentClient(locks.measuring)
        self._measurer = (
            MeasurementWorker(context, self.driver_of, self.wake, locks.measuring, self.client_lines)
            if only is None
            else None
        )
        self._claim_worker = ClaimWorker(context, self.wake, locks.claims) if only is None else None
        self._awake = asyncio.Event()
        self._begun = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._engine = EngineEvents(context, self._drivers, self.wake)
        self._passed_at = context.clock()
        self._private_engine = ""
        self._at_start: list[asyncio.Task[None]] = []
        self._passes = Passes()
        self._neighbour = NeighbourServer(context)

    def driver_of(self, experiment: str) -> ExperimentDriver | None:
        """Returns the driver of an experiment; None if this lab does not drive the experiment."""
        return self._drivers.get(experiment)

    def wake(self) -> None:
        """Requests a pass over the experiments now. Call this in the lab's loop."""
        self._awake.set()

    def heartbeat(self) -> Heartbeat:
        """Returns the state of this lab and the counters of this process. May be called from any thread."""
        info, engine = self.context.info, self._engine.watch
        status = LabStatus(
            engine=info.version,
            private=self.context.private,
            engine_answers=engine.answers,
            engine_since=engine.since,
            passed_at=self._passed_at,
            engine_startable=self.context.keeper is not None and self.context.keeper.failed,
            engine_kind=info.kind,
            ended=next((loop.get_name() for loop in self._loops if loop.done()), ""),
            private_engine=self._private_engine,
        )
        return Heartbeat(self.context.clock(), status, telemetry.metrics())

    async def start(self, *, begin: bool = True) -> None:
        """Starts following the engine's events and making passes. If ``begin`` is false, the first pass waits for
        ``begin_passes``."""
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self._engine.listen(), name="lab-events"),
            loop.create_task(self._work(), name="lab-passes"),
        ]
        if self._only is None and not self.context.host:
            self._loops.append(loop.create_task(self._engine.ping(), name="lab-pings"))
            if here() is None:  # the lab of a machine that has joined may not delete these rows
                self._loops.append(loop.create_task(run_housekeeping(), name="lab-housekeeping"))
        self._at_start = [loop.create_task(self._read_private_engine())]
        if self._only is None:
            self._at_start.append(loop.create_task(remove_left_trace(self.context)))
        if begin:
            self.begin_passes()

    def begin_passes(self) -> None:
        """Permits passes and requests the first one, which completes the work that an earlier process left
        unfinished."""
        self._begun.set()
        self.wake()

    async def _read_private_engine(self) -> None:
        """Stores the version of the dockerd that private hosts run, because asking dockerd may take seconds on a busy
        machine."""
        self._private_engine = await asyncio.to_thread(private_engine_version)

    async def close(self) -> None:
        """Stops all tasks and closes all drivers; leaves the experiments' containers unchanged."""
        tasks = [*self._loops, *self._at_start]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lent_client.close()
        if self._measurer is not None:
            await self._measurer.close()
        if self._claim_worker is not None:
            await self._claim_worker.close()
        # A cancelled pass still waits for its journal to be written, which may never succeed: it is cancelled again.
        for _ in range(CANCELS):
            if self._tasks:
                for task in list(self._tasks):
                    task.cancel()
                await asyncio.wait(self._tasks, timeout=CANCEL_S)
        await asyncio.gather(*(driver.close() for driver in self._drivers.values()), return_exceptions=True)
        self._drivers.clear()
        self._neighbour.close()

    async def stop_all(self, deadline_s: float = 30.0) -> int:
        """Stops every experiment that this lab drives, as at Ctrl-C, and returns their number. First cancels the lab's
        measurement and run of claims. If the database does not answer, the containers are removed, but this is not
        recorded.

        Gives up after ``deadline_s`` seconds. The default is long because the Engine may take 20 s longer to remove a
        container that it is attaching to an overlay network.
        """
        if self._measurer is not None:
            await self._measurer.close()
        if self._claim_worker is not None:
            await self._claim_worker.close()
        try:
            async with asyncio.timeout(DATABASE_S):
                records = await self._want_stopped()
        except (DatabaseError, TimeoutError) as error:
            return await self._stop_unrecorded(str(error) or "it does not answer")
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(self._settle_repeatedly(record) for record in records))
        except TimeoutError:
            log.warning("not everything was stopped within %s s: ./netmodes reap removes the rest", deadline_s)
        return len(records)

    async def _want_stopped(self) -> list[Record]:
        database = self.context.database
        mine = {record.id for record in await self._load() if self._is_mine(record)}
        for experiment in mine:
            await database.run(experiment_store.set_wanted, experiment, Wanted.STOPPED)
        return [record for record in await self._load() if record.id in mine]

    async def _stop_unrecorded(self, problem: str) -> int:
        """Removes the containers and networks of every experiment that this lab drives, without recording it in the
        database. Returns the number of experiments. ``problem`` is the reason, for the log."""
        drivers = [driver for driver in self._drivers.values() if not driver.ended]
        log.error(
            "The database cannot be used (%s). Removing containers without recording it; experiments: %d.",
            problem,
            len(drivers),
        )
        stops = await asyncio.gather(*(driver.remove_unrecorded() for driver in drivers), return_exceptions=True)
        for driver, result in zip(drivers, stops, strict=True):
            if isinstance(result, Exception):
                log.error("experiment %s: %s ./netmodes reap removes the rest.", driver.id, result)
        return len(drivers)

    async def _settle_repeatedly(self, record: Record) -> None:
        """Makes up to ``LAST_PASSES`` passes over an experiment before the lab ends, because one pass may not be enough
        with a slow engine."""
        for _ in range(LAST_PASSES):
            await self._settle(record)
            driver = self._drivers.get(record.id)
            if driver is None or not driver.troubled:
                return
            await asyncio.sleep(RETRY_S)

    async def _work(self) -> None:
        first = True
        await self._begun.wait()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), PASS_S)
            woken = self._awake.is_set()
            self._awake.clear()
            try:
                await self._pass(first=first, woken=woken)
                first = False
                self._passed_at = self.context.clock()
            except Exception as error:
                if isinstance(error, EngineError | DatabaseError):
                    log.warning("a pass of the lab failed: %s; trying again", error)
                else:
                    log.exception("a pass of the lab failed; trying again")
                self._retry()

    async def _pass(self, *, first: bool, woken: bool) -> None:
        mine = [record for record in await self._load() if self._is_mine(record)]
        if woken:
            telemetry.wakeups["woken"] += 1
        elif any(record.id not in self._drivers for record in mine):
            telemetry.wakeups["missed"] += 1
        await self._neighbour.ensure()
        for record in mine:
            self._spawn(record)
        if self._measurer is not None:
            await self.context.database.run(measurement_store.mark_incomplete)
            await self._measurer.start_next()
        if self._claim_worker is not None:
            await self._claim_worker.start_next()
        if self._only is None and not self.context.host and here() is None:
            await self.context.database.run(saved_reports.purge_deleted, self.context.clock())
        if first and self._only is None:
            await remove_orphans(self.context, self._unsettled)

    async def _load(self) -> tuple[Record, ...]:
        return await self.context.database.run(experiment_store.load_unsettled, self.context.host)

    async def _unsettled(self) -> set[str]:
        return kept_ids(await self._load()) | await self.context.database.run(claim_runs.driven_runs)

    def _is_mine(self, record: Record) -> bool:
        if self._only is not None:
            return record.id == self._only
        return not record.driver or not experiment_store.is_alive(record.driver)

    def _spawn(self, record: Record) -> None:
        task = asyncio.get_running_loop().create_task(self._settle(record), name=f"settle-{record.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, record: Record) -> None:
        with self._passes.counted(record.id):
            try:
                await self._pass_over(record.id)
            except Exception as error:
                if isinstance(error, DatabaseError):
                    log.warning("a pass of experiment %s failed: %s; trying again", record.id, error)
                else:
                    log.exception("a pass of experiment %s failed; trying again", record.id)
                self._retry()

    async def _pass_over(self, experiment: str) -> None:
        found = await self._driver_for(experiment)
        if found is None:
            return
        driver, record = found
        await self._engine.wait(driver)
        await driver.settle(record)
        if self._measurer is not None:
            await self._measurer.start_next()
        if driver.ended:
            await self._close_ended(experiment)
        elif driver.troubled:
            self._retry()

    async def _close_ended(self, experiment: str) -> None:
        """Closes the driver of an ended experiment. Does nothing if another pass uses the driver: the last such pass
        closes it.

        New passes over the experiment wait until the driver is closed, because two drivers would give the same sequence
        numbers to their journal entries.
        """
        record = await self.context.database.run(experiment_store.load, experiment)
        driver = self._drivers.get(experiment)
        if driver is None or not driver.ended or self._passes.under_way(experiment) > 1:
            return
        removed = record is not None and record.wanted is Wanted.REMOVED
        if removed or self._only is None:
            with self._passes.closing(experiment):
                await driver.close()
                del self._drivers[experiment]
                if removed:
                    # Within the block: a waiting pass must not find the record, or it would start with a new driver.
                    await self.context.database.run(experiment_store.delete, experiment)
                    self.context.publisher.wake(experiment)

    def _retry(self) -> None:
        asyncio.get_running_loop().call_later(RETRY_S, self.wake)

    async def _driver_for(self, experiment: str) -> tuple[ExperimentDriver, Record] | None:
        """Returns the driver of an experiment, created if necessary, and the experiment's newest record. Returns None
        if another pass has removed the experiment."""
        await self._passes.until_closed(experiment)
        known = experiment in self._drivers

        def read() -> tuple[Record, View | None] | None:
            record = experiment_store.load(experiment)
            return None if record is None else (record, None if known else journal_store.view(experiment))

        found = await self.context.database.run(read)
        if found is None:
            return None
        record, view = found
        driver = self._drivers.get(experiment)
        if driver is None:
            if view is None:
                return await self._driver_for(experiment)
            driver = self._drivers[experiment] = ExperimentDriver(self.context, record, view)
        return driver, record
