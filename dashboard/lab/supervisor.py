"""Opens the lab of this process and keeps it open: an engine that does not answer is asked until it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from django.db import DatabaseError

from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError
from dashboard.lab.bootstrap import open_context
from dashboard.lab.context import Context
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.reconciler import Lab, LabBusyError, LabLock, Turns
from dashboard.lab.terminal.terminals import Terminals
from dashboard.lab.training.group_labs import HostAwayError, Labs
from dashboard.lab.training.hosts import ClassHosts
from dashboard.lab.workshops.commands import clean_up, workshop_host
from dashboard.store.operations import advisory_lock
from dashboard.store.operations.advisory_lock import Advisory

log = logging.getLogger(__name__)
RETRY_S = 3.0
#: How long the end waits for what the buttons of a workshop have made; the next start removes the rest.
CLEAN_UP_S = 10.0
#: What a lab may lack: an engine, the means to start one, a database, or the right to be the one lab of it.
AWAY = (EngineError, PrivateHostError, LabBusyError, DatabaseError)


class LabUnavailableError(Exception):
    """There is no lab: no engine answered when Netmodes started, or none does now."""


class Supervisor:
    """Starts the lab with the process and stops it with it."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stack: AsyncExitStack | None = None
        self._terminals: Terminals | None = None
        self._lab: Lab | None = None
        self._labs: Labs | None = None
        self._hosts: ClassHosts | None = None
        self._lock: Advisory | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._trying: asyncio.Task[None] | None = None
        self.problem = ""
        #: Another lab is the one of this database, or of this data folder.
        self.waits = False

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
        """The lab, or LabUnavailableError with what to do."""
        if self._lab is None:
            raise LabUnavailableError(self.problem or "No Docker Engine answers.")
        return self._lab

    @property
    def class_hosts(self) -> ClassHosts:
        """The private hosts of classes, or LabUnavailableError with what to do. In the lab's loop only."""
        if self._hosts is None:
            raise LabUnavailableError(self.problem or "No Docker Engine answers.")
        return self._hosts

    @property
    def terminals(self) -> Terminals:
        """The terminals of classes, or LabUnavailableError with what to do. In the lab's loop only."""
        if self._terminals is None:
            raise LabUnavailableError(self.problem or "No Docker Engine answers.")
        return self._terminals

    async def open_lab(self, data_dir: Path, say: Callable[[str], None]) -> None:
        """Opens the engine and begins; without an engine it is looked for until it answers."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._open(data_dir, say, may_start_private=True)
        except AWAY as error:
            self._is_away(error)
            say(self.problem)
            self._trying = self._loop.create_task(self._keep_trying(data_dir, say))

    async def _open(self, data_dir: Path, say: Callable[[str], None], *, may_start_private: bool) -> None:
        async with AsyncExitStack() as stack:
            lock = LabLock(data_dir)
            lock.acquire()
            stack.callback(lock.release)
            shared = await self._lock_database(stack)
            context = await open_context(stack, data_dir, say, self._publisher, may_start_private=may_start_private)
            turns = Turns()
            lab, labs = Lab(context, turns=turns), Labs(context, turns)
            stack.push_async_callback(lab.close)
            stack.push_async_callback(labs.close)
            await lab.start()
            hosts = ClassHosts(context, labs)
            await hosts.open()
            self._stack, self._lab, self._labs, self._hosts, self.problem = stack.pop_all(), lab, labs, hosts, ""
            self._terminals = Terminals(context, hosts)
            await self._terminals.open()
            self._lock = shared
            self.waits = False

    def _is_away(self, error: Exception) -> None:
        self.problem, self.waits = str(error), isinstance(error, LabBusyError)

    async def _lock_database(self, stack: AsyncExitStack) -> Advisory | None:
        """A database that several machines use has one lab all the same."""
        if not advisory_lock.is_shared():
            return None
        shared = Advisory(advisory_lock.LAB)
        if not await asyncio.to_thread(shared.acquire):
            raise LabBusyError(
                "Another lab drives the experiments of this database: this one waits until that one ends."
            )
        stack.push_async_callback(asyncio.to_thread, shared.release)
        return shared

    async def is_still_ours(self) -> bool:
        """Whether this is the one lab of its database; True while the database is away and nobody can tell."""
        if self._lock is None:
            return True
        try:
            return await asyncio.to_thread(self._lock.holds)
        except DatabaseError:
            return True

    async def _keep_trying(self, data_dir: Path, say: Callable[[str], None]) -> None:
        while self._lab is None:
            await asyncio.sleep(RETRY_S)
            try:
                await self._open(data_dir, say, may_start_private=False)
                say("The Docker Engine answers now.")
            except AWAY as error:
                self._is_away(error)

    async def close_lab(self, say: Callable[[str], None], *, leave: bool = False) -> None:
        """Stops what was started, bounded in time; with ``leave`` everything runs on for the next lab to adopt."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
            self._trying = None
        hosts, self._hosts, self._labs = self._hosts, None, None
        terminals, self._terminals = self._terminals, None
        if terminals is not None:
            await terminals.close()
        lab, self._lab = self._lab, None
        leave = leave and not (lab is not None and lab.context.passing)
        if hosts is not None:
            await hosts.close(stop_hosts=not leave)
        if lab is not None and not leave:
            count = await lab.stop_all()
            if count:
                say(f"Stopped {count} running {'experiment' if count == 1 else 'experiments'}.")
            with suppress(EngineError, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_S):
                    await clean_up(workshop_host(lab.context))
        if self._stack is not None:
            await self._stack.aclose()
            self._stack = None
        self._lock = None

    def wake(self) -> None:
        """Something is wanted; may be called from any thread."""
        if self._loop is not None:
            for one in (self._lab, self._labs, self._hosts):
                if one is not None:
                    self._loop.call_soon_threadsafe(one.wake)

    async def lab_of(self, host: str) -> Lab:
        """The lab of a class's host, or the server's own where none is named. LabUnavailableError or EngineError."""
        if not host or self._labs is None:
            return self.lab
        try:
            return await self._labs.lab_of(host)
        except HostAwayError as error:
            raise LabUnavailableError(str(error)) from error
