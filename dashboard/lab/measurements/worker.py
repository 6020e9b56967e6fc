"""Starts requested measurements when their experiment runs, and stops experiments that were launched only for them."""

import asyncio
import logging
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ENDED, Phase
from dashboard.lab.context import Context
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.machines.client_line import ClientLines
from dashboard.lab.measurements.run import measure_paths
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import RequestedRun

log = logging.getLogger(__name__)
NOT_STARTED = "It was cancelled before it started."


class MeasurementWorker:
    """Runs one measurement at a time, because two would disturb each other. The lock ``turn``, which the labs of other
    hosts in this process share, is held during a measurement."""

    def __init__(
        self,
        context: Context,
        driver_of: Callable[[str], ExperimentDriver | None],
        wake: Callable[[], None],
        turn: asyncio.Lock | None = None,
        lines: ClientLines | None = None,
    ) -> None:
        self._turn = turn or asyncio.Lock()
        self._lines = lines or ClientLines()
        self._context = context
        self._driver_of = driver_of
        self._wake = wake
        self._task: asyncio.Task[None] | None = None
        #: The id of the run that got the turn last. Until it begins, its state is still ``waiting``.
        self._measured = ""
        #: Runs, by id, whose end is not stored yet, with the reason and the state to store. Both are empty if
        #: ``measure_paths`` has stored them and only the twin must be stopped.
        self._unstored: dict[str, tuple[RequestedRun, str, str]] = {}
        self._starting = asyncio.Lock()
        self._closed = False

    async def start_next(self) -> None:
        """Ends waiting runs whose cancellation was requested. Unless a run is measured or waits for that of another
        host, starts the oldest waiting run whose experiment is running, and marks runs that can never start as failed.
        Concurrent calls wait for each other, because two could start the same run. First stores the ends of runs that
        could not be stored earlier. Starts nothing after ``close``. Exceptions of the database propagate."""
        async with self._starting:
            await self._store_ends()
            await self._end_cancelled()
            await self._start_oldest()

    async def _end_cancelled(self) -> None:
        for request in await self._context.database.run(measurement_store.load_waiting, self._context.host):
            if request.cancelled and request.id != self._measured:
                await self._fail(request, NOT_STARTED, measurement_store.CANCELLED)

    async def _start_oldest(self) -> None:
        if self._task is not None and not self._task.done():
            return
        database = self._context.database
        for request in await database.run(measurement_store.load_waiting, self._context.host):
            if self._closed:
                return
            driver = self._driver_of(request.experiment)
            head = driver.view.head if driver is not None else None
            if driver is not None and head is not None and head.phase is Phase.RUNNING:
                self._task = asyncio.get_running_loop().create_task(
                    self._measure(request, driver), name=f"measure-{request.id}"
                )
                return
            record = await database.run(experiment_store.load, request.experiment)
            if record is None or (record.wanted is not Wanted.RUNNING) or record.phase in ENDED:
                why = head.notice if head is not None and head.phase is Phase.FAILED else ""
                removed = "The experiment was removed before it could be measured: launch it again."
                stopped = "The experiment is not running. Launch it again first."
                await self._fail(request, why or (stopped if record is not None else removed), measurement_store.FAILED)

    async def _fail(self, request: RequestedRun, reason: str, state: str) -> None:
        self._unstored[request.id] = (request, reason, state)
        await self._store_ends()

    async def _store_ends(self) -> None:
        """Stores the end of each run in ``_unstored`` and stops its twin. Concurrent calls may do so twice, which has
        no effect."""
        database = self._context.database
        for request, reason, state in list(self._unstored.values()):
            if state:
                await database.run(measurement_store.fail_run, request.id, reason, state)
                self._context.publisher.measured(request.id)
            if request.twin:
                await database.run(experiment_store.set_wanted, request.experiment, Wanted.STOPPED)
                self._wake()
            self._unstored.pop(request.id, None)

    async def _measure(self, request: RequestedRun, driver: ExperimentDriver) -> None:
        reason = state = ""
        try:
            async with self._turn:
                self._measured = request.id
                if await self._context.database.run(measurement_store.is_cancelled, request.id):
                    reason, state = NOT_STARTED, measurement_store.CANCELLED
                    return
                await measure_paths(self._context, driver, request, lines=self._lines)
            shown = self._driver_of(request.source or request.experiment)
            if shown is not None:
                headline = await self._context.database.run(measurement_store.load_headline, request.id)
                inconclusive = await self._context.database.run(measurement_store.is_inconclusive, request.id)
                shown.record_measurement(request.id, headline, inconclusive=inconclusive)
        except Exception as error:
            log.exception("measurement %s failed", request.id)
            reason, state = f"The measurement failed: {error}.", measurement_store.FAILED
        finally:
            self._unstored[request.id] = (request, reason, state)
            try:
                await self._store_ends()
            except (DatabaseError, InterfaceError) as error:
                log.warning("the end of measurement %s could not be stored: %s; trying again", request.id, error)
            finally:
                asyncio.get_running_loop().call_soon(self._wake)

    async def close(self) -> None:
        """Cancels the current run. Its blocks stay stored, and the run is marked as cancelled. Later runs stay
        queued."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
