"""Wake-ups between processes over the channel layer.

They may be lost: the database has the truth, and receivers also poll it. A wake-up is a kind and its arguments, all
strings. Wake-ups are batched while a send is in flight.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)

#: A channel layer of its own, apart from that of the websockets: a slow consumer of one layer delays the others.
LAYER = "wakes"
#: The groups: all web processes, and the lab.
WEB, LAB = "web", "lab"
#: Wake-ups may have been lost: check everything.
ALL = ("all",)
SEND_TIMEOUT_S = 2.0
RETRY_S = 1.0
REJOIN_S = 5.0
MAX_PENDING = 5000

Wakeup = tuple[str, ...]


def is_set_up() -> bool:
    """Whether other processes can be woken."""
    return bool(settings.REDIS_URL)


class WakeupChannel:
    """Sends and receives wake-ups. Without Redis it does neither."""

    def __init__(self) -> None:
        self._sender = secrets.token_hex(6)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[str, dict[Wakeup, None]] = {}
        self._has_pending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.problem = ""
        #: The number of wake-ups that could not be sent.
        self.dropped = 0

    async def open(self, groups: Collection[str], receive: Callable[[Wakeup], None]) -> None:
        """Starts to listen to these groups, and to send."""
        self._loop = asyncio.get_running_loop()
        if not is_set_up():
            return
        self._has_pending = asyncio.Event()
        self._tasks = [
            self._loop.create_task(self._listen(tuple(groups), receive), name="wakeups-in"),
            self._loop.create_task(self._send(), name="wakeups-out"),
        ]

    async def close(self) -> None:
        """Stops after a moment for what is still pending."""
        if self._tasks and self._has_pending.is_set():
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._loop = None

    def send(self, group: str, *wakeup: str) -> None:
        """Wakes the other processes of a group. From any thread, without waiting."""
        if self._loop is not None and self._tasks and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, group, wakeup)

    def _put(self, group: str, wakeup: Wakeup) -> None:
        pending = self._pending.setdefault(group, {})
        if len(pending) >= MAX_PENDING:
            pending.clear()
            wakeup = ALL
        pending[wakeup] = None
        self._has_pending.set()

    async def _send(self) -> None:
        layer: Any = get_channel_layer(LAYER)  # type: ignore[no-untyped-call]  # channels ships no types
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            pending, self._pending = self._pending, {}
            for group, wakeups in pending.items():
                message = {"type": "wake", "by": self._sender, "wakes": [list(wakeup) for wakeup in wakeups]}
                try:
                    async with asyncio.timeout(SEND_TIMEOUT_S):
                        await layer.group_send(f"netmodes-{group}", message)
                except Exception as error:  # noqa: BLE001 - any error of the client: wake-ups may be lost
                    self.dropped += len(wakeups)
                    telemetry.wakeups["dropped"] += len(wakeups)
                    self._record_problem(error)

    async def _listen(self, groups: tuple[str, ...], receive: Callable[[Wakeup], None]) -> None:
        layer: Any = get_channel_layer(LAYER)  # type: ignore[no-untyped-call]  # channels ships no types
        while True:
            rejoining = None
            try:
                channel = await layer.new_channel("netmodes")
                await self._join(layer, groups, channel)
                receive(ALL)
                rejoining = asyncio.get_running_loop().create_task(self._rejoin(layer, groups, channel))
                while True:
                    message = await layer.receive(channel)
                    if message.get("by") == self._sender:
                        continue
                    for wakeup in message.get("wakes", ()):
                        self._deliver(receive, tuple(str(part) for part in wakeup))
            except Exception as error:  # noqa: BLE001 - any error of the client: try again
                self._record_problem(error)
            finally:
                if rejoining is not None:
                    rejoining.cancel()
            await asyncio.sleep(RETRY_S)

    async def _rejoin(self, layer: Any, groups: tuple[str, ...], channel: str) -> None:
        """Joins the groups again and again: a Redis that lost its memory has lost the members."""
        while True:
            await asyncio.sleep(REJOIN_S)
            try:
                await self._join(layer, groups, channel)
            except Exception as error:  # noqa: BLE001 - as above
                self._record_problem(error)

    async def _join(self, layer: Any, groups: tuple[str, ...], channel: str) -> None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            for group in groups:
                await layer.group_add(f"netmodes-{group}", channel)
        if self.problem:
            log.warning("Redis answers again")
        self.problem = ""

    def _deliver(self, receive: Callable[[Wakeup], None], wakeup: Wakeup) -> None:
        try:
            receive(wakeup)
        except Exception:
            log.exception("cannot handle a wake-up: %s", wakeup[:1])

    def _record_problem(self, error: Exception) -> None:
        if not self.problem:
            log.warning("Redis does not answer (%s): pages update more slowly until it does", error or type(error))
        self.problem = f"Redis does not answer: {error or type(error).__name__}"


class WakeupPublisher:
    """Wakes web processes when the journal or a measurement has something new."""

    def __init__(self, wakeups: WakeupChannel) -> None:
        self._wakeups = wakeups

    def wake(self, experiment: str) -> None:
        """Announces new entries in the journal of an experiment."""
        self._wakeups.send(WEB, "experiment", experiment)

    def measured(self, run: str) -> None:
        """A measurement has new results."""
        self._wakeups.send(WEB, "run", run)

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal of an experiment cannot be written."""
        self._wakeups.send(WEB, "trouble", experiment, problem)
