"""The lab of this process, as the web side reaches it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from dashboard.core.heartbeat import Heartbeat
from dashboard.engine.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError
from dashboard.lab import store
from dashboard.lab.class_hosts import ClassHosts
from dashboard.lab.context import Context
from dashboard.lab.labs import HostAwayError, Labs
from dashboard.lab.opening import open_context
from dashboard.lab.reconciler import Lab, LabBusyError, LabLock, Turns
from dashboard.lab.workshop_do import clean_up, workshop_host
from dashboard.web.hub import hub
from dashboard.web.measuring_hub import hub as measuring_hub

log = logging.getLogger(__name__)
RETRY_S = 3.0
#: How long the end waits for what the buttons of a workshop have made; the next start removes the rest.
CLEAN_UP_S = 10.0
#: What a lab may lack: an engine, the means to start one, or the data folder to itself.
AWAY = (EngineError, PrivateHostError, LabBusyError)


class LabAwayError(Exception):
    """There is no lab: no engine answered when Netmodes started, or none does now."""


class HubPublisher:
    """Wakes the hub of this process."""

    def wake(self, experiment: str) -> None:
        """There are new entries."""
        hub.wake(experiment)

    def measured(self, run: str) -> None:
        """There is something new of a measurement."""
        measuring_hub.wake(run)

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal cannot be written."""
        hub.trouble(experiment, problem)


class Service:
    """Starts the lab with the server and stops it with it."""

    def __init__(self) -> None:
        self._stack: AsyncExitStack | None = None
        self._lab: Lab | None = None
        self._labs: Labs | None = None
        self._hosts: ClassHosts | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trying: asyncio.Task[None] | None = None
        self.problem = ""

    @property
    def context(self) -> Context | None:
        """What is known of the engine, if there is one."""
        return self._lab.context if self._lab else None

    def beat(self) -> Heartbeat | None:
        """How the lab is and what it has counted, None if there is none. May be asked from any thread."""
        lab = self._lab
        return lab.heartbeat() if lab is not None else None

    @property
    def lab(self) -> Lab:
        """The lab, or LabAwayError with what to do."""
        if self._lab is None:
            raise LabAwayError(self.problem or "No Docker Engine answers.")
        return self._lab

    @property
    def class_hosts(self) -> ClassHosts:
        """The private hosts of classes, or LabAwayError with what to do. To be used within ``on_lab`` or ``ask``."""
        if self._hosts is None:
            raise LabAwayError(self.problem or "No Docker Engine answers.")
        return self._hosts

    async def start(self, data_dir: Path, say: Callable[[str], None]) -> None:
        """Opens the engine and begins; without an engine the pages still work and say what is wrong,
        and it is looked for until it answers."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._open(data_dir, say, may_start_private=True)
        except AWAY as error:
            self.problem = str(error)
            say(self.problem)
            self._trying = self._loop.create_task(self._keep_trying(data_dir, say))

    async def _open(self, data_dir: Path, say: Callable[[str], None], *, may_start_private: bool) -> None:
        async with AsyncExitStack() as stack:
            lock = LabLock(data_dir)
            lock.acquire()
            stack.callback(lock.release)
            context = await open_context(stack, data_dir, say, HubPublisher(), may_start_private=may_start_private)
            turns = Turns()
            lab, labs = Lab(context, turns=turns), Labs(context, turns)
            stack.push_async_callback(lab.close)
            stack.push_async_callback(labs.close)
            await lab.start()
            hosts = ClassHosts(context, labs)
            await hosts.open()
            self._stack, self._lab, self._labs, self._hosts, self.problem = stack.pop_all(), lab, labs, hosts, ""

    async def _keep_trying(self, data_dir: Path, say: Callable[[str], None]) -> None:
        while self._lab is None:
            await asyncio.sleep(RETRY_S)
            try:
                await self._open(data_dir, say, may_start_private=False)
                say("The Docker Engine answers now.")
            except AWAY as error:
                self.problem = str(error)

    async def stop(self, say: Callable[[str], None]) -> None:
        """Stops what was started, bounded in time."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
            self._trying = None
        hosts, self._hosts, self._labs = self._hosts, None, None
        if hosts is not None:
            await hosts.close(stop_hosts=True)
        lab, self._lab = self._lab, None
        if lab is not None:
            count = await lab.stop_all()
            if count:
                say(f"Stopped {count} running {'experiment' if count == 1 else 'experiments'}.")
            with suppress(EngineError, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_S):
                    await clean_up(workshop_host(lab.context))
        if self._stack is not None:
            await self._stack.aclose()
            self._stack = None
        await hub.close()
        await measuring_hub.close()

    def wake(self) -> None:
        """Something is wanted; may be called from any thread."""
        if self._loop is not None:
            for one in (self._lab, self._labs, self._hosts):
                if one is not None:
                    self._loop.call_soon_threadsafe(one.wake)

    async def ask[T](self, question: Callable[[Lab], Awaitable[T]], host: str = "") -> T:
        """The answer of the lab, in its own loop whichever loop asks; of the lab of a class's ``host`` if that is
        named. LabAwayError or EngineError."""

        async def call() -> T:
            return await question(await self._lab_of(host))

        return await self.on_lab(call)

    async def ask_about[T](self, experiment: str, question: Callable[[Lab], Awaitable[T]]) -> T:
        """The answer of the lab that drives this experiment."""
        context = self.lab.context
        record = await self.on_lab(lambda: context.database.run(store.load, experiment))
        return await self.ask(question, record.host if record is not None else "")

    async def _lab_of(self, host: str) -> Lab:
        if not host or self._labs is None:
            return self.lab
        try:
            return await self._labs.lab_of(host)
        except HostAwayError as error:
            raise LabAwayError(str(error)) from error

    async def on_lab[T](self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` returns, done in the lab's own loop whichever loop asks."""
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work()

        async def call() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self._loop))


service = Service()
