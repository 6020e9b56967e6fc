"""One timer for all watches of a loop: they poll in turn, and a crowd of them never blocks the loop."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol
from weakref import WeakKeyDictionary

_SLICE_S = 0.001


class Beating(Protocol):
    """Something to be polled. ``due`` is the loop's time of its next turn, which ``beat`` moves on."""

    due: float

    def beat(self, now: float) -> None:
        """Takes its turn; must be short and must not raise."""


class Pulse:
    """The shared timer of one event loop: it runs as long as somebody is due."""

    _pulses: WeakKeyDictionary[asyncio.AbstractEventLoop, Pulse] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._members: dict[Beating, None] = {}
        self._timer: asyncio.Handle | None = None

    @classmethod
    def of_loop(cls) -> Pulse:
        """The pulse of the running loop."""
        loop = asyncio.get_running_loop()
        return cls._pulses.setdefault(loop, cls())

    def add(self, member: Beating) -> None:
        """Polls ``member`` from its ``due`` on."""
        self._members[member] = None
        self._rest()

    def remove(self, member: Beating) -> None:
        """Forgets ``member``; the timer ends with the last one."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        """Sleeps until the next member is due, anew if one came that is due earlier."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._members:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(min(member.due for member in self._members), self._beat)

    def _beat(self) -> None:
        """Polls who is due, for a millisecond at most before other callbacks have their turn."""
        loop = asyncio.get_running_loop()
        self._timer = None
        started = now = loop.time()
        for member in tuple(self._members):
            if member.due <= now and member in self._members:
                member.beat(now)
                now = loop.time()
                if now - started > _SLICE_S:
                    self._timer = loop.call_soon(self._beat)
                    return
        self._rest()


def next_turn(now: float, period_s: float) -> float:
    """The next multiple of the period after ``now``: equal periods share their wake-ups."""
    return (math.floor(now / period_s) + 1) * period_s
