"""Waiting with a deadline instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import select
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

#: Long, because other tests may hold the cores; shorter than the lab's periodic pass (30 s), which would hide that an
#: event was missed.
DEADLINE_S = 20.0
#: The shortest and longest pause between two attempts.
MIN_PAUSE_S, MAX_PAUSE_S = 0.02, 0.25


def pause_s(waited_s: float) -> float:
    """The pause before the next attempt: a tenth of the time waited so far, within the limits. An attempt may be a
    request that keeps the server busy; so no wait becomes more than a tenth longer."""
    return min(max(MIN_PAUSE_S, waited_s / 10), MAX_PAUSE_S)


def _describe(condition: Callable[[], Any]) -> str:
    """The source of a condition; its repr if it has no source, as a ``partial``."""
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)


async def eventually(condition: Callable[[], Any | Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """The first truthy value of ``condition``; AssertionError after ``deadline_s`` seconds."""
    start = time.monotonic()
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        waited_s = time.monotonic() - start
        if waited_s > deadline_s:
            raise AssertionError(f"not within {deadline_s} s: {_describe(condition)}")
        await asyncio.to_thread(select.select, [], [], [], pause_s(waited_s))


class _Turn:
    def __await__(self) -> Generator[None]:
        yield


async def others_run() -> None:
    """Returns after one iteration of the event loop, when all ready callbacks have run."""
    await _Turn()


def until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """``eventually`` for synchronous code."""
    start = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited_s = time.monotonic() - start
        if waited_s > deadline_s:
            raise AssertionError(f"not within {deadline_s} s: {_describe(condition)}")
        select.select([], [], [], pause_s(waited_s))
