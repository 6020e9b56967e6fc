"""The labs of private hosts. A lab is opened when an experiment, a measurement or a run of claims is wanted on its
host, and closed with the host."""

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.limits import read_cpus
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.reaper import mark_stopped
from dashboard.lab.reconciler import Lab, WorkLocks
from dashboard.lab.watch_pool import WatchPool
from dashboard.store import claim_runs, unsettled
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.training import group_runs

log = logging.getLogger(__name__)


class HostUnavailableError(Exception):
    """A private host does not run. ``str()`` is a message for the user."""


@dataclass(slots=True)
class _OpenHost:
    """A running host with its context and lab, which are None until they are needed. ``lock`` is held while they are
    opened or closed. ``opening`` is the task in which a wake-up opens the lab."""

    host: PrivateHost
    lock: asyncio.Lock
    stack: AsyncExitStack | None = None
    context: Context | None = None
    lab: Lab | None = None
    opening: asyncio.Task[None] | None = None


class GroupLabs:
    """The contexts and labs of the running private hosts, opened on demand. Call all methods in the server's event
    loop."""

    def __init__(self, base: Context, locks: WorkLocks) -> None:
        self._base = base
        self._locks = locks
        self._open: dict[str, _OpenHost] = {}
        self._waking: asyncio.Task[None] | None = None
        self._wake_again = False

    def add(self, host: PrivateHost) -> None:
        """Adds a host whose engine answers. If the host was added before, replaces the earlier entry, because the
        engine was restarted and has a new pid."""
        known = self._open.get(host.id)
        if known is None:
            self._open[host.id] = _OpenHost(host, asyncio.Lock())
        else:
            known.host = host
        self.wake()

    async def context_of(self, host: str) -> Context:
        """Returns the context of the host with this id. Raises HostUnavailableError if the host does not run, or
        EngineError if its engine does not answer."""
        opened = self._known(host)
        async with opened.lock:
            return await self._context(opened)

    async def lab_of(self, host: str) -> Lab:
        """Returns the lab of the host with this id. Raises HostUnavailableError or EngineError."""
        opened = self._known(host)
        async with opened.lock:
            if opened.lab is None:
                context = await self._context(opened)
                if opened.stack is None:
                    raise HostUnavailableError("This private host no longer exists.")
                opened.lab = Lab(context, locks=self._locks)
                opened.stack.push_async_callback(opened.lab.close)
                await opened.lab.start()
            return opened.lab

    def _known(self, host: str) -> _OpenHost:
        try:
            return self._open[host]
        except KeyError:
            raise HostUnavailableError("The private host is not running. Start it first.") from None

    async def _context(self, opened: _OpenHost) -> Context:
        if opened.context is None:
            async with AsyncExitStack() as stack:
                engine = DockerEngine(opened.host.endpoint, host=opened.host)
                stack.push_async_callback(engine.close)
                watches = WatchPool()
                stack.push_async_callback(watches.close)
                opened.context = replace(
                    self._base,
                    engine=engine,
                    info=await engine.info(),
                    private=True,
                    watches=watches,
                    temporary=False,
                    keeper=None,
                    host=opened.host.id,
                    cpus=await asyncio.to_thread(read_cpus, opened.host.name),
                )
                opened.stack = stack.pop_all()
        elif opened.lab is None and opened.context.info.pid != opened.host.pid:
            # A lab notices a restarted engine by itself, from the engine's events.
            opened.context.info = await opened.context.engine.info()
        return opened.context

    def wake(self) -> None:
        """Requests a pass of each lab that has work, and opens these labs if necessary. Work means experiments that are
        not in their wanted state, and measurements or runs of claims that wait."""
        if not self._open:
            return
        self._wake_again = True
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._wake_labs(), name="wake-group-labs")

    async def _wake_labs(self) -> None:
        while self._wake_again:
            self._wake_again = False
            try:
                wanted = await self._base.database.run(_hosts_with_work)
                for host in wanted & self._open.keys():
                    self._wake_lab(self._open[host])
            except Exception:
                log.exception("the labs of private hosts could not be woken; the next wake-up tries again")

    def _wake_lab(self, opened: _OpenHost) -> None:
        """Requests a pass of the host's lab. If necessary, opens it in a task, because an engine that does not answer
        must not delay other hosts; the first pass follows."""
        if opened.lab is not None:
            opened.lab.wake()
        elif opened.opening is None or opened.opening.done():
            opening = self._open_lab(opened.host.id)
            opened.opening = asyncio.get_running_loop().create_task(opening, name=f"open-lab-{opened.host.id}")

    async def _open_lab(self, host: str) -> None:
        try:
            with contextlib.suppress(HostUnavailableError):
                await self.lab_of(host)
        except EngineError as error:
            log.warning("the lab of the private host %s could not be opened: %s", host, error)
        except Exception:
            log.exception("the lab of the private host %s could not be opened; the next wake-up tries again", host)

    async def stop_all_of(self, host: str) -> None:
        """Stops all experiments on a host, if its lab is open."""
        opened = self._open.get(host)
        if opened is not None and opened.lab is not None:
            await opened.lab.stop_all()

    async def reread(self, host: str) -> None:
        """Reads the facts of a host's engine again, because they have changed. Does nothing if the host's context is
        not open: opening it reads them."""
        opened = self._open.get(host)
        if opened is not None and opened.context is not None:
            opened.context.info = await opened.context.engine.info()

    async def forget(self, host: str, reason: str) -> None:
        """Closes the lab of a host that is being removed, and records that its experiments and runs have stopped.
        ``reason`` is a sentence for the user."""
        await self._close(host)
        await self.mark_stopped(host, reason)

    async def mark_stopped(self, host: str, reason: str) -> None:
        """Records that all experiments on a host have stopped, and cancels the runs that wait for the host. If ``host``
        is empty, the group has no host yet, and nothing is recorded. ``reason`` is a sentence for the user."""
        if not host:
            return
        for record in await self._base.database.run(experiment_store.load_unsettled, host):
            await mark_stopped(self._base, record, reason)
        for run in await self._base.database.run(group_runs.end_host, host, reason):
            self._base.publisher.measured(run)

    async def _close(self, host: str) -> None:
        opened = self._open.pop(host, None)
        if opened is not None:
            if opened.opening is not None:
                opened.opening.cancel()
                await asyncio.wait({opened.opening})
            async with opened.lock:
                if opened.stack is not None:
                    await opened.stack.aclose()
                    opened.stack = opened.context = opened.lab = None

    async def close(self) -> None:
        """Closes all labs. Everything on the hosts continues to run."""
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.gather(self._waking, return_exceptions=True)
        await asyncio.gather(*(self._close(host) for host in list(self._open)))


def _hosts_with_work() -> frozenset[str]:
    return unsettled.load_hosts() | claim_runs.hosts_with_queued_runs() | measurement_store.hosts_waiting()
