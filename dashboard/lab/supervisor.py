"""Opens and closes the lab of this process. If no engine answers, tries again until one does."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from django.db import DatabaseError

from dashboard.core.operations import deployment
from dashboard.core.operations.deployment import LabFacts
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError
from dashboard.lab.bootstrap import open_context
from dashboard.lab.context import Context
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.lab_lock import LabBusyError, LabLock
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.reconciler import Lab, WorkLocks
from dashboard.lab.terminal.terminals import Terminals
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from dashboard.lab.training.hosts import GroupHosts
from dashboard.lab.workshops.commands import workshop_host
from dashboard.lab.workshops.other_host import clean_up_everywhere
from dashboard.store import machines
from dashboard.store.operations import advisory_lock
from dashboard.store.operations.advisory_lock import AdvisoryLock

log = logging.getLogger(__name__)
RETRY_S = 3.0
#: Seconds between two checks whether this lab still holds its lock in the database.
LOCK_CHECK_S = deployment.HEARTBEAT_S
#: Seconds that ``close_lab`` waits for the removal of what workshops created; the next start removes the rest.
CLEAN_UP_S = 10.0
#: The errors because of which a lab cannot open now: no engine, no private host, another lab, no database, or
#: files that cannot be read, written or removed, such as those of an ended host.
LAB_CANNOT_OPEN = (EngineError, PrivateHostError, LabBusyError, DatabaseError, OSError)


class LabUnavailableError(Exception):
    """The lab is not open or cannot be reached; ``str()`` is a message for the user."""


def _other_lab() -> LabBusyError:
    """Returns the error of a lab whose lock in the database another lab holds."""
    machine = machines.here()
    of = f"machine {machine}" if machine else "database"
    return LabBusyError(f"Another lab drives the experiments of this {of}. This lab waits until the other one ends.")


class Supervisor:
    """Holds the lab of this process with its private hosts, LANs and terminals."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stack: AsyncExitStack | None = None
        self._terminals: Terminals | None = None
        self._lab: Lab | None = None
        self._labs: GroupLabs | None = None
        self._hosts: GroupHosts | None = None
        self._lans: NamedLans | None = None
        self._lock: AdvisoryLock | None = None
        self._confirmed_at = -math.inf
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retry: asyncio.Task[None] | None = None
        self._lock_check: asyncio.Task[None] | None = None
        self.problem = ""
        #: Whether the lab waits because another lab holds this machine's lock in the database, or the data folder.
        self.waits = False
        #: Whether no attempt to open the lab has looked for an engine yet. Only the first one may start a private host.
        self._may_start_private = True

    @property
    def context(self) -> Context | None:
        """The context of the lab; None if the lab is not open."""
        return self._lab.context if self._lab else None

    @property
    def facts(self) -> LabFacts:
        """The facts about the lab that pages show: the engine, and why the lab is not open. May be read from any
        thread."""
        context = self.context
        return LabFacts(context.ref if context is not None else None, self.problem)

    def heartbeat(self) -> Heartbeat | None:
        """Returns the state and counters of the lab; None if the lab is not open. May be called from any thread."""
        lab = self._lab
        return lab.heartbeat() if lab is not None else None

    def _opened[T](self, part: T | None) -> T:
        if part is None:
            raise LabUnavailableError(self.problem or "No Docker Engine answers.")
        return part

    @property
    def lab(self) -> Lab:
        """The open lab. Raises LabUnavailableError with the reason if it is not open."""
        return self._opened(self._lab)

    @property
    def group_hosts(self) -> GroupHosts:
        """The private hosts of training sessions. Use them only in the lab's loop. Raises LabUnavailableError with the
        reason if the lab is not open."""
        return self._opened(self._hosts)

    @property
    def lans(self) -> NamedLans:
        """The named LANs. Use them only in the lab's loop. Raises LabUnavailableError with the reason if the lab is not
        open."""
        return self._opened(self._lans)

    @property
    def terminals(self) -> Terminals:
        """The terminals of training sessions. Use them only in the lab's loop. Raises LabUnavailableError with the
        reason if the lab is not open."""
        return self._opened(self._terminals)

    async def open_lab(self, data_dir: Path, say: Callable[[str], None], *, check_lock: bool = False) -> None:
        """Opens the lab. If this fails with one of ``LAB_CANNOT_OPEN``, tries again in the background until it
        succeeds. ``say`` is called with messages for the user.

        If ``check_lock`` is true, checks in the background that this lab still holds its lock in the database.
        Otherwise the caller must call ``holds_database``.
        """
        self._loop = asyncio.get_running_loop()
        if check_lock and advisory_lock.is_shared():
            self._lock_check = self._loop.create_task(self._check_lock(data_dir, say), name="database-lock")
        try:
            await self._open(data_dir, say)
        except LAB_CANNOT_OPEN as error:
            self._note_problem(error)
            say(self.problem)
            self._retry = self._loop.create_task(self._retry_open(data_dir, say))

    async def _open(self, data_dir: Path, say: Callable[[str], None]) -> None:
        async with AsyncExitStack() as stack:
            lock = LabLock(data_dir)
            lock.acquire()
            stack.callback(lock.release)
            shared = await self._lock_database(stack)
            may_start_private, self._may_start_private = self._may_start_private, False
            context = await open_context(stack, data_dir, say, self._publisher, may_start_private=may_start_private)
            locks = WorkLocks()
            lab, labs = Lab(context, locks=locks), GroupLabs(context, locks)
            stack.push_async_callback(lab.close)
            stack.push_async_callback(labs.close)
            await lab.start(begin=False)
            lans = NamedLans(context, labs)
            hosts = GroupHosts(context, labs, count_others=lans.count_hosts)
            await hosts.open()
            await lans.open()
            self._stack, self._lab, self._labs, self._hosts, self.problem = stack.pop_all(), lab, labs, hosts, ""
            self._lans = lans
            self._terminals = Terminals(context, hosts)
            await self._terminals.open()
            self._lock = shared
            self.waits = False
            # Only now, when everything is open, continues in the background the work that an earlier server left
            # unfinished.
            lab.begin_passes()

    def _note_problem(self, error: Exception) -> None:
        self.problem, self.waits = str(error), isinstance(error, LabBusyError)

    async def _lock_database(self, stack: AsyncExitStack) -> AdvisoryLock | None:
        """Acquires this machine's lock in the database, and returns it; None with SQLite.

        Machines can share a database, but each of them may have only one lab. Raises LabBusyError if another lab holds
        the lock. The lock is released when ``stack`` is closed.
        """
        if not advisory_lock.is_shared():
            return None
        shared, self._confirmed_at = AdvisoryLock(advisory_lock.lab_of(machines.here())), time.monotonic()
        if not await asyncio.to_thread(shared.acquire):
            raise _other_lab()
        stack.push_async_callback(asyncio.to_thread, shared.release)
        return shared

    @property
    def since(self) -> float:
        """The time at which this lab acquired its lock in the database, in seconds since the epoch by the database's
        clock; 0 without a lock."""
        return self._lock.since if self._lock is not None else 0.0

    async def holds_database(self) -> bool:
        """Returns whether this lab still holds its lock in the database. Also True if it needs no lock, or if the
        database does not answer."""
        if self._lock is None:
            return True
        requested_at = time.monotonic()
        try:
            holds = await asyncio.to_thread(self._lock.holds)
        except DatabaseError:
            return True
        if holds:
            self._confirmed_at = requested_at
        return holds

    async def _check_lock(self, data_dir: Path, say: Callable[[str], None]) -> None:
        """Closes the lab if another lab has taken its lock in the database, and opens it again when that one ends. A
        lock that was only lost with its connection, for example because the database has restarted, is taken again."""
        while True:
            await asyncio.sleep(LOCK_CHECK_S)
            if await self.holds_database():
                continue
            self._lock = None  # only opening the lab may take it again
            self._note_problem(_other_lab())
            say(self.problem)
            try:
                await self._close(say, leave=True)
            except Exception:
                log.exception("the lab could not be closed completely")
            self._retry = asyncio.create_task(self._retry_open(data_dir, say))

    def require_database(self) -> None:
        """Raises LabUnavailableError if the database has been silent for so long that another lab may have taken
        over."""
        if self._lock is not None and not deployment.may_serve(self._confirmed_at, time.monotonic()):
            raise LabUnavailableError("The lab on the Docker machine cannot reach its database. Try again in a moment.")

    async def _retry_open(self, data_dir: Path, say: Callable[[str], None]) -> None:
        while self._lab is None:
            await asyncio.sleep(RETRY_S)
            try:
                await self._open(data_dir, say)
                say("The Docker Engine answers now.")
            except LAB_CANNOT_OPEN as error:
                self._note_problem(error)

    async def close_lab(self, say: Callable[[str], None], *, leave: bool = False) -> None:
        """Closes the lab and ends all terminals. Within time limits, stops the experiments and the hosts of groups, and
        removes what buttons of workshop steps have created.

        If ``leave`` is true, all this is kept for the next lab. This does not apply if the engine ends with this
        process. ``say`` is called with messages for the user.
        """
        tasks = [task for task in (self._lock_check, self._retry) if task is not None]
        self._lock_check = self._retry = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(say, leave=leave and not (self._lab is not None and self._lab.context.temporary))

    async def _close(self, say: Callable[[str], None], *, leave: bool) -> None:
        """Closes the lab. ``leave`` is as in ``close_lab``, and applies in any case."""
        hosts, self._hosts, self._labs = self._hosts, None, None
        lans, self._lans = self._lans, None
        terminals, self._terminals = self._terminals, None
        if terminals is not None:
            await terminals.close()
        lab, self._lab = self._lab, None
        if lans is not None:
            await lans.close(stop=not leave)
        if hosts is not None:
            await hosts.close(stop_hosts=not leave)
        if lab is not None and not leave:
            count = await lab.stop_all()
            if count:
                say(f"Stopped {count} running {'experiment' if count == 1 else 'experiments'}.")
            with suppress(EngineError, DatabaseError, TimeoutError):
                async with asyncio.timeout(CLEAN_UP_S):
                    await clean_up_everywhere(workshop_host(lab.context))
        if self._stack is not None:
            await self._stack.aclose()
            self._stack = None
        self._lock = None

    def wake(self) -> None:
        """Requests a pass of every open lab over its experiments, and of ``GroupHosts`` over its hosts, because a
        wanted state may have changed. May be called from any thread."""
        if self._loop is not None:
            for part in (self._lab, self._labs, self._hosts):
                if part is not None:
                    self._loop.call_soon_threadsafe(part.wake)

    async def lab_of(self, host: str) -> Lab:
        """Returns the lab of the private host with the id ``host``, or the server's own lab if ``host`` is empty.
        Raises LabUnavailableError or EngineError."""
        if not host or self._labs is None:
            return self.lab
        try:
            return await self._labs.lab_of(host)
        except HostUnavailableError as error:
            raise LabUnavailableError(str(error)) from error
