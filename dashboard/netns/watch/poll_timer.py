"""Polls all watches of an event loop with one timer, in turn, so that many of them never block the loop."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol
from weakref import WeakKeyDictionary

_SLICE_S = 0.001


class Pollable(Protocol):
    """An object that ``PollTimer`` polls. ``due`` is the loop time of the next poll; ``poll`` advances it."""

    due: float

    def poll(self, now: float) -> None:
        """Polls once. Must be short and must not raise."""


class PollTimer:
    """The timer of one event loop. It polls its members, ``Pollable`` objects, and runs as long as it has any."""

    _timers: WeakKeyDictionary[asyncio.AbstractEventLoop, PollTimer] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._members: dict[Pollable, None] = {}
        self._timer: asyncio.Handle | None = None

    @classmethod
    def of_loop(cls) -> PollTimer:
        """Returns the timer of the running loop."""
        loop = asyncio.get_running_loop()
        return cls._timers.setdefault(loop, cls())

    def add(self, member: Pollable) -> None:
        """Adds ``member``, which is polled for the first time when it is ``due``."""
        self._members[member] = None
        self._schedule()

    def remove(self, member: Pollable) -> None:
        """Removes ``member``. The timer stops with the last member."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        """Sets the timer to the time at which the next member is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._members:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(min(member.due for member in self._members), self._poll_due)

    def _poll_due(self) -> None:
        """Polls the members that are due. Once this has taken a millisecond, other callbacks of the loop run before the
        remaining members are polled."""
        loop = asyncio.get_running_loop()
        self._timer = None
        started = now = loop.time()
        for member in tuple(self._members):
            if member.due <= now and member in self._members:
                member.poll(now)
                now = loop.time()
                if now - started > _SLICE_S:
                    self._timer = loop.call_soon(self._poll_due)
                    return
        self._schedule()


def next_turn(now: float, period_s: float) -> float:
    """Returns the next multiple of ``period_s`` after ``now``, so that members with equal periods are polled
    together."""
    return (math.floor(now / period_s) + 1) * period_s
