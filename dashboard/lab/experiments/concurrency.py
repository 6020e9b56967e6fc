"""Helpers for concurrent work: waiting for several awaitables or for a shared task, starting requests that overlap only
if they are slow, and counting the passes over an experiment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager


async def gather_all(*work: Awaitable[object]) -> None:
    """Waits until all awaitables have ended, then raises the first error, if any. ``asyncio.gather`` would raise it
    before the others have ended."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def result_of[T](task: asyncio.Future[T]) -> T:
    """Waits for a task that several callers may share, and returns its result. If the caller is cancelled, the task
    continues, and its error is ignored."""
    # Not asyncio.shield: from Python 3.14 on, it would log the task's error even if another caller handles it.
    if not task.done():
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([task])
    return task.result()


async def run_staggered[T](work: Iterable[Callable[[], Awaitable[T]]], pause_s: float) -> list[T]:
    """Calls the functions in order and returns all results. Each function is called when the call before it has ended,
    or ``pause_s`` seconds after that call began, whichever is earlier."""
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
    """Counts the passes that a lab is making over each experiment. While one of these passes closes the experiment's
    driver, new passes over the experiment wait."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._closing: dict[str, asyncio.Event] = {}

    @contextmanager
    def counted(self, experiment: str) -> Iterator[None]:
        """Counts a pass over the experiment while the body of the ``with`` statement runs."""
        self._under_way[experiment] += 1
        try:
            yield
        finally:
            self._under_way[experiment] -= 1
            self._under_way += Counter()  # removes counts of 0

    def under_way(self, experiment: str) -> int:
        """Returns the number of current passes over an experiment."""
        return self._under_way[experiment]

    @contextmanager
    def closing(self, experiment: str) -> Iterator[None]:
        """While the body of the ``with`` statement runs, new passes over the experiment wait in ``until_closed``."""
        closed = self._closing[experiment] = asyncio.Event()
        try:
            yield
        finally:
            del self._closing[experiment]
            closed.set()

    async def until_closed(self, experiment: str) -> None:
        """Waits while a pass is closing the experiment's driver."""
        if experiment in self._closing:
            await self._closing[experiment].wait()
