"""Follows the engine of a lab: its events, whether it answers, and whether the engine of a private host has ended."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from dashboard.engine.protocol import EngineError, EngineEvent
from dashboard.lab.context import LABEL_EXPERIMENT, Context
from dashboard.lab.engine.watch import EngineWatch
from dashboard.lab.experiments.driver import ExperimentDriver

log = logging.getLogger(__name__)
#: Seconds between two pings. Pings are needed because an engine that hangs keeps its connections open.
PING_S = 5.0
#: Seconds between two pings of an engine that does not answer. Short, so that pages soon show that it answers again.
LOST_PING_S = 0.5
RETRY_S = 2.0


class EngineEvents:
    """Forwards the Engine's events to the drivers of the experiments. ``drivers`` maps the id of each experiment to its
    driver. ``wake`` makes the lab compare wanted and real state. ``watch`` holds whether the engine answers."""

    def __init__(self, context: Context, drivers: Mapping[str, ExperimentDriver], wake: Callable[[], None]) -> None:
        self._context = context
        self._drivers = drivers
        self._wake = wake
        self.watch = EngineWatch(context.clock)
        if context.keeper is not None:
            context.keeper.on_end = self.on_ended
            context.keeper.on_back = self.on_back

    async def wait(self, driver: ExperimentDriver) -> None:
        """Waits while the engine of the private host is being started again with its containers. Meanwhile the
        experiment of ``driver`` shows why it waits."""
        keeper = self._context.keeper
        if keeper is not None and keeper.starting:
            driver.on_engine_lost(keeper.describe_loss())
            await keeper.settled()

    async def listen(self) -> None:
        """Follows the Engine's events until it is cancelled. The stream contains no past events, so after each connect
        the lab compares wanted and real state."""
        while True:
            try:
                async for event in self._context.engine.events():
                    await self._on_event(event)
            except EngineError as error:
                log.warning("the engine's event stream ended: %s", error)
            except Exception:
                log.exception("an event of the engine could not be handled; listening again")
            await asyncio.sleep(RETRY_S)

    async def _on_event(self, event: EngineEvent) -> None:
        if event.kind == "stream":
            if event.action == "connected":
                await self.on_back()
            else:
                reason = (
                    event.attributes.get("reason")
                    or f"The Docker Engine does not answer at {self._context.info.endpoint}."
                )
                self._on_engine_lost(reason)
            return
        if event.kind == "network":
            for driver in list(self._drivers.values()):
                driver.on_engine_event(event)
            return
        owner = self._drivers.get(event.labels.get(LABEL_EXPERIMENT, ""))
        if owner is not None:
            owner.on_engine_event(event)

    def _on_engine_lost(self, reason: str) -> None:
        self.watch.lost()
        for driver in list(self._drivers.values()):
            driver.on_engine_lost(reason)

    async def ping(self) -> None:
        """Pings the engine at intervals until it is cancelled. This is necessary because an engine that hangs keeps its
        event stream open."""
        while True:
            await asyncio.sleep(PING_S if self.watch.answers else LOST_PING_S)
            try:
                await self._context.engine.ping()
                if not self.watch.answers:
                    await self.on_back()
            except EngineError as error:
                if self.watch.answers:
                    self._on_engine_lost(str(error))
            except Exception:
                log.exception("the engine could not be pinged; trying again")

    async def on_back(self) -> None:
        """Call this when the engine answers again. Reads the engine's facts, because the daemon may be a new process,
        and calls ``wake``."""
        if self._context.keeper is not None:
            await self._context.keeper.settled()
        try:
            info = await self._context.engine.info()
        except EngineError:
            return
        self.watch.back()
        self._context.info = info
        self._wake()

    async def on_ended(self) -> None:
        """Call this when the engine of the private host has ended. Shows in all experiments that it has ended and what
        happens next."""
        if self._context.keeper is not None:
            self._on_engine_lost(self._context.keeper.describe_loss())
            self._wake()
