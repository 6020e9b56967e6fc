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


async def eventually(condition: Callable[[], Any | Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """The first truthy value of ``condition``; AssertionError after ``deadline_s`` seconds."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {inspect.getsource(condition).strip()}")
        await asyncio.to_thread(select.select, [], [], [], 0.02)


class _Turn:
    def __await__(self) -> Generator[None]:
        yield


async def others_run() -> None:
    """Returns after one iteration of the event loop, when all ready callbacks have run."""
    await _Turn()


def until(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """``eventually`` for synchronous code."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {inspect.getsource(condition).strip()}")
        select.select([], [], [], 0.02)
