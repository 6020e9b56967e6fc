"""The web side's access to the lab: in this process, or through the database if it runs in another."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, cast

from dashboard import configuration
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import UNHEARD, LabFacts, Role, role_of
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.lab.remote.rpc import handed, question_of
from dashboard.lab.remote.rpc_server import TeamLab
from dashboard.lab.remote.terminal_relay import FarTerminals
from dashboard.lab.remote.wakeups import LAB, WEB, Wake, WakePublisher, Wakes, is_set_up
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import hub
from dashboard.web.http.database import in_database
from dashboard.web.measurements.hub import hub as measuring_hub
from dashboard.web.operations.remote_lab import FarLab

__all__ = ["HubPublisher", "LabUnavailableError", "Service", "service"]

log = logging.getLogger(__name__)


class HubPublisher:
    """Wakes the hubs of this process and of other processes."""

    def __init__(self, wakes: Wakes | None = None) -> None:
        self._others = WakePublisher(wakes) if wakes is not None else None

    def wake(self, experiment: str) -> None:
        """An experiment has new entries."""
        hub.wake(experiment)
        if self._others is not None:
            self._others.wake(experiment)

    def measured(self, run: str) -> None:
        """A measurement has new results."""
        measuring_hub.wake(run)
        if self._others is not None:
            self._others.measured(run)

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal cannot be written."""
        hub.trouble(experiment, problem)
        if self._others is not None:
            self._others.trouble(experiment, problem)


class Service(Supervisor):
    """The lab of this server from start to end; in a process without a lab, access to the remote one."""

    def __init__(self) -> None:
        self.wakes = Wakes()
        super().__init__(HubPublisher(self.wakes))
        self.role = Role.ALL
        self._far: FarLab | None = None
        self._windows: FarTerminals | None = None
        self._team: TeamLab | None = None
        #: Called with wake-ups of other processes; set by ``web.operations.peer_sync``.
        self.on_wakeup: Callable[[Wake], None] | None = None

    @property
    def is_team(self) -> bool:
        """Whether other processes may serve the same pages."""
        return self.role is not Role.ALL or is_set_up()

    @property
    def facts(self) -> LabFacts:
        """The facts about the lab that pages show. From any thread."""
        if self._far is not None:
            return self._far.facts
        context = self.context
        return LabFacts(context.ref if context is not None else None, self.problem)

    @property
    def engine(self) -> EngineRef | None:
        """The engine, if there is one. From any thread."""
        return self.facts.engine

    def beat(self) -> Heartbeat | None:
        """The state and counters of the lab, None if there is none. From any thread."""
        return self._far.heart() if self._far is not None else super().beat()

    @property
    def terminals(self) -> Terminals:
        """The terminals of training sessions, or LabUnavailableError. In the server's loop only."""
        # The relay of a process without a lab has the same methods.
        return cast("Terminals", self._windows) if self._windows is not None else super().terminals

    def missing(self) -> str:
        """Why nothing can be launched now; empty if it can."""
        if self._far is None:
            return "" if self._lab is not None else self.problem or UNHEARD
        facts = self._far.facts
        return "" if facts.engine is not None else facts.problem or UNHEARD

    def require(self) -> None:
        """LabUnavailableError if nothing can be launched now."""
        if problem := self.missing():
            raise LabUnavailableError(problem)

    async def start(self, data_dir: Path, say: Callable[[str], None]) -> None:
        """Starts. Without an engine or a lab the pages still work and show the problem."""
        self.role = role_of(configuration.value("NETMODES_ROLE", "all"))
        self._loop = asyncio.get_running_loop()
        if self.role.drives:
            await self.open_lab(data_dir, say)
            if self.is_team:
                self._team = TeamLab(self, self.wakes, lambda: signal.raise_signal(signal.SIGTERM))
                await self._team.start()
        else:
            self._far = FarLab(self.wakes)
            await self._far.start()
            self._windows = FarTerminals()
            self._windows.open()
        await self.wakes.open((WEB, LAB) if self.role.drives else (WEB,), self._heard)

    async def stop(self, say: Callable[[str], None]) -> None:
        """Stops what was started, within a time limit."""
        if self._windows is not None:
            await self._windows.close()
            self._windows = None
        if self._far is not None:
            await self._far.close()
            self._far = None
        if self._team is not None:
            await self._team.close()
            self._team = None
        await self.close_lab(say)
        await self.wakes.close()
        await hub.close()
        await measuring_hub.close()

    def _heard(self, wake: Wake) -> None:
        if self._team is not None:
            self._team.heard(wake)
        if self._far is not None:
            match wake:
                case ("answer", request):
                    self._far.answered(request)
                case ("beat",) | ("all",):
                    self._far.beaten()
        if self.on_wakeup is not None:
            self.on_wakeup(wake)

    def wake(self) -> None:
        """Starts a pass of the lab. From any thread."""
        if self._far is not None:
            self.wakes.send(LAB, "look")
        else:
            super().wake()

    def tell(self, *wake: str) -> None:
        """Sends a wake-up to the other web processes. From any thread."""
        self.wakes.send(WEB, *wake)

    async def ask[**P, T](
        self, question: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of a function of ``lab.remote``. LabUnavailableError, EngineError, or what the function raises."""
        return await self.ask_of("", question, *args, **kwargs)

    async def ask_about[**P, T](
        self, experiment: str, question: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result from the lab that drives this experiment."""
        if self._far is None:
            _ = self.lab
        record = await in_database(experiment_store.load, experiment)
        return await self.ask_of(record.host if record is not None else "", question, *args, **kwargs)

    async def ask_of[**P, T](
        self, host: str, question: Callable[Concatenate[Any, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result from the lab of a session's ``host``; from the server's own if that is empty."""
        known = question_of(question)
        if self._far is not None:
            if known is None:
                raise TypeError(f"{question} is not one of lab.questions")
            found: T = await self._far.ask(known, host, *args, **kwargs)
            return found

        async def call() -> T:
            to = await handed(self, known, host) if known is not None else await self.lab_of(host)
            return await question(to, *args, **kwargs)

        return await self.on_lab(call)

    async def on_lab[T](self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of ``work`` in the lab's loop, from any loop. Only if the lab runs in this process."""
        if self._far is not None:
            raise LabUnavailableError("The lab runs in another process, which does not support this call.")
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work()

        async def call() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._loop))


service = Service()
