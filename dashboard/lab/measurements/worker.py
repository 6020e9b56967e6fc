"""Starts the measurements that are wanted, once their experiment runs, and ends what was launched for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.lab.context import Context
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.measurements.run import measure_paths
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.measurements import Asked

log = logging.getLogger(__name__)


class Measurer:
    """One measurement at a time: two would measure each other. ``turn`` is shared with the labs of other hosts."""

    def __init__(
        self,
        context: Context,
        driver_of: Callable[[str], ExperimentDriver | None],
        wake: Callable[[], None],
        turn: asyncio.Lock | None = None,
    ) -> None:
        self._turn = turn or asyncio.Lock()
        self._context = context
        self._run_of = driver_of
        self._wake = wake
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Begins the oldest run whose experiment is ready; says of others why they cannot begin."""
        if self._task is not None and not self._task.done():
            return
        database = self._context.database
        for asked in await database.run(measurement_store.load_waiting, self._context.host):
            if await database.run(measurement_store.is_cancelled, asked.id):
                await self._give_up(asked, "Somebody ended it before it began.", measurement_store.CANCELLED)
                continue
            run = self._run_of(asked.experiment)
            head = run.view.head if run is not None else None
            if run is not None and head is not None and head.phase is Phase.RUNNING:
                self._task = asyncio.get_running_loop().create_task(
                    self._measure(asked, run), name=f"measure-{asked.id}"
                )
                return
            record = await database.run(experiment_store.load, asked.experiment)
            if record is None or (record.wanted is not Wanted.RUNNING) or record.phase in {Phase.STOPPED, Phase.FAILED}:
                why = head.notice if head is not None and head.phase is Phase.FAILED else ""
                removed = "The experiment was removed before it could be measured: launch it anew."
                stopped = "The experiment does not run: launch it again first."
                await self._give_up(
                    asked, why or (stopped if record is not None else removed), measurement_store.FAILED
                )

    async def _give_up(self, asked: Asked, reason: str, state: str) -> None:
        await self._context.database.run(measurement_store.fail_run, asked.id, reason, state)
        await self._end_twin(asked)
        self._context.publisher.measured(asked.id)

    async def _measure(self, asked: Asked, run: ExperimentDriver) -> None:
        try:
            async with self._turn:
                await measure_paths(self._context, run, asked)
        except Exception as error:
            log.exception("measurement %s failed", asked.id)
            await self._context.database.run(
                measurement_store.fail_run, asked.id, f"It could not be measured: {error}."
            )
            self._context.publisher.measured(asked.id)
        finally:
            await self._end_twin(asked)
            asyncio.get_running_loop().call_soon(self._wake)

    async def _end_twin(self, asked: Asked) -> None:
        if asked.twin:
            await self._context.database.run(experiment_store.set_wanted, asked.experiment, Wanted.STOPPED)
            self._wake()

    async def close(self) -> None:
        """Ends a run that is under way; its blocks are kept and it is marked."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
