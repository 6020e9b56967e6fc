"""Restarts the engine of the server's own private host when it ends."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from dashboard.core.training.host_plan import MAX_ENGINE_EXITS, recent_exits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import PrivateHost, note_starter
from dashboard.lab.engine.restart import start_with_containers

log = logging.getLogger(__name__)
READY_S = 30.0

Listener = Callable[[], Awaitable[None]]


class EngineKeeper:
    """Keeps the engine of one private host running. ``failed`` is true if the engine does not run and is not being
    started. A user can then start it with ``start``.

    ``on_end`` is called when the engine has ended, and when a start begins or fails. ``on_back`` is called when the
    engine answers again and its containers run.
    """

    def __init__(self, host: PrivateHost, clock: Callable[[], float]) -> None:
        self.host = host
        self.failed = False
        self.on_end: Listener | None = None
        self.on_back: Listener | None = None
        self._clock = clock
        self._problem = ""
        self._ends: list[float] = []
        self._start_requested = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Starts watching the engine."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="engine-keeper")

    async def close(self) -> None:
        """Stops watching the engine, and stops the private host."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await private_host.stop(self.host)

    def start(self) -> None:
        """Requests that the failed start of the engine be retried. Called at a user's request."""
        self._start_requested.set()

    async def settled(self) -> None:
        """Waits until the engine runs, or its start has failed. Returns at once if the engine has not ended."""
        await self._settled.wait()

    @property
    def starting(self) -> bool:
        """Whether the engine has ended and is being started again."""
        return not self._settled.is_set()

    def describe_loss(self) -> str:
        """Returns a sentence about when the engine ended and what happens next."""
        ended = f" at {datetime.fromtimestamp(self._ends[-1]).astimezone():%H:%M:%S}" if self._ends else ""
        if self.failed:
            return f"The engine of the private host exited{ended} and is not running: {self._problem}"
        return f"The engine of the private host exited{ended}. Netmodes is restarting it."

    async def _watch(self) -> None:
        while True:
            await _exit_of(self.host.pid)
            private_host.reap(self.host.launcher)
            self._settled.clear()
            self._keep_files()
            self._ends = [*self._ends[-9:], self._clock()]
            log.warning("the engine of the private host %s ended", self.host.id)
            await self._notify(self.on_end)
            while not await self._start_again():
                self.failed = True
                self._settled.set()
                await self._notify(self.on_end)
                await self._start_requested.wait()
                self._ends.clear()
                self._ends.append(self._clock())
                self.failed = False
                self._settled.clear()
                await self._notify(self.on_end)
            self._settled.set()
            await self._notify(self.on_back)

    def _keep_files(self) -> None:
        """Records at once that the host is being started again. Without the record, a cleanup of ended hosts would
        delete the host's files."""
        try:
            note_starter(self.host)
        except OSError as error:
            log.warning("the record of the private host %s cannot be written: %s", self.host.id, error)

    async def _start_again(self) -> bool:
        """Starts the engine, and the containers that ran when it ended. Returns False if that fails, or if the engine
        has ended too often; the reason is then in ``_problem``."""
        self._start_requested.clear()
        count = recent_exits(self._ends, self._clock())
        if count >= MAX_ENGINE_EXITS:
            self._problem = f"it exited {count} times within two minutes. Press “Start the engine again” to retry."
            return False
        try:
            self.host = await start_with_containers(self.host, ready_s=READY_S, die_with_parent=True)
        except (PrivateHostError, OSError) as error:
            self._problem = str(error)
            return False
        return True

    @staticmethod
    async def _notify(listener: Listener | None) -> None:
        if listener is None:
            return
        try:
            await listener()
        except Exception:
            log.exception("the lab could not handle a change of its engine")


async def _exit_of(pid: int) -> None:
    """Waits until the process ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        with suppress(ValueError, OSError):
            loop.remove_reader(descriptor)
        os.close(descriptor)
