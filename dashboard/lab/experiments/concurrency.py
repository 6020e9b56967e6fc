"""Helpers for concurrent work: waiting for all parts or for a shared task, starting parts so that only slow ones
overlap, and counting the passes over an experiment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager


async def gather_all(*work: Awaitable[object]) -> None:
    """Waits until all parts have ended, then raises the first error, if any. ``asyncio.gather`` would raise it before
    the other parts have ended."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def result_of[T](task: asyncio.Future[T]) -> T:
    """Waits for a task and returns its result. If the caller is cancelled, the task continues, and its error is
    ignored: from Python 3.14 on ``asyncio.shield`` would log it, even if another caller handles it."""
    if not task.done():
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([task])
    return task.result()


async def run_staggered[T](work: Iterable[Callable[[], Awaitable[T]]], pause_s: float) -> list[T]:
    """Starts each part when the previous one has ended, or ``pause_s`` seconds after its start, whichever is first.
    Returns all results."""
    tasks: list[asyncio.Future[T]] = []
    try:
        for start in work:
            tasks.append(asyncio.ensure_future(start()))
            await asyncio.wait(tasks[-1:], timeout=pause_s)
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


class Passes:
    """Counts the passes that currently run over each experiment. While one pass closes an experiment, new ones wait."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._closing: dict[str, asyncio.Event] = {}

    @contextmanager
    def counted(self, experiment: str) -> Iterator[None]:
        """Counts one pass during the block."""
        self._under_way[experiment] += 1
        try:
            yield
        finally:
            self._under_way[experiment] -= 1
            self._under_way += Counter()  # removes counts of 0

    def under_way(self, experiment: str) -> int:
        """The number of current passes over an experiment."""
        return self._under_way[experiment]

    @contextmanager
    def closing(self, experiment: str) -> Iterator[None]:
        """During the block, passes that begin wait in ``until_closed``."""
        closed = self._closing[experiment] = asyncio.Event()
        try:
            yield
        finally:
            del self._closing[experiment]
            closed.set()

    async def until_closed(self, experiment: str) -> None:
        """Waits while a pass is closing the experiment."""
        if experiment in self._closing:
            await self._closing[experiment].wait()
