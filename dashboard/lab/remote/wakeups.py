"""Wake-ups between processes, over the channel layer. They may be lost: the database is the truth, and whoever hears
them looks at it now and then anyway.

A wake-up is a kind and what it is about, all texts. What is sent while another message is under way goes as one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)

#: The layer of the settings that reaches other processes. Another than that of the websockets: each of those listens to
#: its own, and who listens to one layer waits for all others that do.
LAYER = "wakes"
#: Who listens: every web process, and the lab.
WEB, LAB = "web", "lab"
#: Wake-ups may have been lost: look at everything.
ALL = ("all",)
SEND_S = 2.0
RETRY_S = 1.0
REJOIN_S = 5.0
MOST_WAITING = 5000

Wakeup = tuple[str, ...]


def is_set_up() -> bool:
    """Whether other processes can be woken at all."""
    return bool(settings.REDIS_URL)


class WakeupChannel:
    """Sends and hears. Without Redis it does neither."""

    def __init__(self) -> None:
        self._me = secrets.token_hex(6)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, dict[Wakeup, None]] = {}
        self._some = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.problem = ""
        #: How many could not be handed on.
        self.dropped = 0

    async def open(self, own: Collection[str], heard: Callable[[Wakeup], None]) -> None:
        """Begins to listen to these groups, and to send."""
        self._loop = asyncio.get_running_loop()
        if not is_set_up():
            return
        self._some = asyncio.Event()
        self._tasks = [
            self._loop.create_task(self._listen(tuple(own), heard), name="wakes-in"),
            self._loop.create_task(self._send(), name="wakes-out"),
        ]

    async def close(self) -> None:
        """Ends; what was not sent yet is sent first, if that can be done at once."""
        if self._tasks and self._some.is_set():
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._loop = None

    def send(self, group: str, *wake: str) -> None:
        """WakeupChannel everybody else in a group; from any thread, and never waits."""
        if self._loop is not None and self._tasks and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, group, wake)

    def _put(self, group: str, wake: Wakeup) -> None:
        waiting = self._waiting.setdefault(group, {})
        if len(waiting) >= MOST_WAITING:
            waiting.clear()
            wake = ALL
        waiting[wake] = None
        self._some.set()

    async def _send(self) -> None:
        layer: Any = get_channel_layer(LAYER)  # type: ignore[no-untyped-call]  # channels ships no types
        while True:
            await self._some.wait()
            self._some.clear()
            waiting, self._waiting = self._waiting, {}
            for group, wakes in waiting.items():
                message = {"type": "wake", "by": self._me, "wakes": [list(one) for one in wakes]}
                try:
                    async with asyncio.timeout(SEND_S):
                        await layer.group_send(f"netmodes-{group}", message)
                except Exception as error:  # noqa: BLE001 - whatever the client raises: wake-ups may be lost
                    self.dropped += len(wakes)
                    telemetry.wakeups["dropped"] += len(wakes)
                    self._trouble(error)

    async def _listen(self, own: tuple[str, ...], heard: Callable[[Wakeup], None]) -> None:
        layer: Any = get_channel_layer(LAYER)  # type: ignore[no-untyped-call]  # channels ships no types
        while True:
            staying = None
            try:
                channel = await layer.new_channel("netmodes")
                async with asyncio.timeout(SEND_S):
                    await self._join(layer, own, channel)
                self._well()
                heard(ALL)
                staying = asyncio.get_running_loop().create_task(self._stay(layer, own, channel))
                while True:
                    message = await layer.receive(channel)
                    if message.get("by") == self._me:
                        continue
                    for wake in message.get("wakes", ()):
                        self._hear(heard, tuple(str(part) for part in wake))
            except Exception as error:  # noqa: BLE001 - whatever the client raises: it is listened to again
                self._trouble(error)
            finally:
                if staying is not None:
                    staying.cancel()
            await asyncio.sleep(RETRY_S)

    async def _stay(self, layer: Any, own: tuple[str, ...], channel: str) -> None:
        """A Redis that lost its memory has lost who listens."""
        while True:
            await asyncio.sleep(REJOIN_S)
            try:
                async with asyncio.timeout(SEND_S):
                    await self._join(layer, own, channel)
                self._well()
            except Exception as error:  # noqa: BLE001 - as above
                self._trouble(error)

    async def _join(self, layer: Any, own: tuple[str, ...], channel: str) -> None:
        for group in own:
            await layer.group_add(f"netmodes-{group}", channel)

    def _hear(self, heard: Callable[[Wakeup], None], wake: Wakeup) -> None:
        try:
            heard(wake)
        except Exception:
            log.exception("a wake-up was not understood: %s", wake[:1])

    def _trouble(self, error: Exception) -> None:
        if not self.problem:
            log.warning("Redis does not answer (%s): pages follow more slowly until it does", error or type(error))
        self.problem = f"Redis does not answer: {error or type(error).__name__}"

    def _well(self) -> None:
        if self.problem:
            log.warning("Redis answers again")
        self.problem = ""


class WakeupPublisher:
    """What the journal and measurements say, told to the web processes."""

    def __init__(self, wakes: WakeupChannel) -> None:
        self._wakes = wakes

    def wake(self, experiment: str) -> None:
        """There are new entries."""
        self._wakes.send(WEB, "experiment", experiment)

    def measured(self, run: str) -> None:
        """There is something new of a measurement."""
        self._wakes.send(WEB, "run", run)

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal cannot be written."""
        self._wakes.send(WEB, "trouble", experiment, problem)
