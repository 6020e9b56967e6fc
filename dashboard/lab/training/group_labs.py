"""A lab for each host of a class, opened when somebody works there, closed with the host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.reaper import mark_stopped
from dashboard.lab.reconciler import Lab, Turns
from dashboard.lab.watch_pool import WatchPool
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.training import group_runs

log = logging.getLogger(__name__)


class HostAwayError(Exception):
    """The host is not there; ``str()`` is a sentence."""


@dataclass(slots=True)
class _Open:
    """What is open for one host. ``lock`` is held while that changes."""

    host: PrivateHost
    lock: asyncio.Lock
    stack: AsyncExitStack | None = None
    context: Context | None = None
    lab: Lab | None = None


class Labs:
    """The contexts and labs of the hosts that are there. All in the loop of the server."""

    def __init__(self, base: Context, turns: Turns) -> None:
        self._base = base
        self._turns = turns
        self._open: dict[str, _Open] = {}
        self._looking: asyncio.Task[None] | None = None
        self._again = False

    def add(self, host: PrivateHost) -> None:
        """The host is there and ready; again after its engine was started anew."""
        known = self._open.get(host.id)
        if known is None:
            self._open[host.id] = _Open(host, asyncio.Lock())
        else:
            known.host = host
        self.wake()

    async def context_of(self, host: str) -> Context:
        """What works on this host need; HostAwayError, or EngineError if its engine does not answer."""
        one = self._known(host)
        async with one.lock:
            return await self._context(one)

    async def lab_of(self, host: str) -> Lab:
        """The lab that drives experiments there; HostAwayError or EngineError."""
        one = self._known(host)
        async with one.lock:
            if one.lab is None:
                context = await self._context(one)
                if one.stack is None:
                    raise HostAwayError("This host is gone.")
                one.lab = Lab(context, turns=self._turns)
                one.stack.push_async_callback(one.lab.close)
                await one.lab.start()
            return one.lab

    def _known(self, host: str) -> _Open:
        one = self._open.get(host)
        if one is None:
            raise HostAwayError("The private host does not run: start it first.")
        return one

    async def _context(self, one: _Open) -> Context:
        if one.context is None:
            async with AsyncExitStack() as stack:
                engine = DockerEngine(one.host.endpoint)
                stack.push_async_callback(engine.close)
                watches = WatchPool()
                stack.push_async_callback(watches.close)
                info = await engine.info()
                one.context = replace(
                    self._base,
                    engine=engine,
                    info=info,
                    private=True,
                    watches=watches,
                    passing=False,
                    host=one.host.id,
                )
                one.stack = stack.pop_all()
        elif one.lab is None and one.context.info.pid != one.host.pid:
            # A lab finds that out by itself, from the engine's events.
            one.context.info = await one.context.engine.info()
        return one.context

    def wake(self) -> None:
        """Something is wanted: the labs of the hosts concerned look now."""
        self._again = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look(), name="labs-look")

    async def _look(self) -> None:
        while self._again:
            self._again = False
            try:
                database = self._base.database
                wanted = await database.run(_hosts_wanted)
                for host in wanted & self._open.keys():
                    with contextlib.suppress(HostAwayError):
                        (await self.lab_of(host)).wake()
            except EngineError as error:
                log.warning("the lab of a class's host could not be opened: %s", error)
            except Exception:
                log.exception("the labs of classes could not look; the next wake tries again")

    async def forget(self, host: str, why: str) -> None:
        """The host goes: its lab is closed, and what ran there is marked as over."""
        await self._close(host)
        await self.mark_over(host, why)

    async def mark_over(self, host: str, why: str) -> None:
        """Writes down that nothing runs on this host any more."""
        if not host:
            return
        for record in await self._base.database.run(experiment_store.load_unsettled, host):
            await mark_stopped(self._base, record, why)
        for run in await self._base.database.run(group_runs.end_of_host, host, why):
            self._base.publisher.measured(run)

    async def _close(self, host: str) -> None:
        one = self._open.pop(host, None)
        if one is not None:
            async with one.lock:
                if one.stack is not None:
                    await one.stack.aclose()
                    one.stack = one.context = one.lab = None

    async def close(self) -> None:
        """Closes all; what runs on the hosts stays."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*(self._close(host) for host in list(self._open)))


def _hosts_wanted() -> frozenset[str]:
    """The hosts on which somebody wants something."""
    return experiment_store.hosts_unsettled() | claim_runs.hosts_waiting() | measurement_store.hosts_waiting()
