"""Concurrent work: waiting for all parts or for a shared task, starting parts so that only slow ones overlap, and
counting passes over an experiment, the last of which closes it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager


async def gather_all(*work: Awaitable[object]) -> None:
    """Waits for all parts, then raises the first error, if any; ``asyncio.gather`` would raise it at once."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def result_of[T](task: asyncio.Future[T]) -> T:
    """The result of a task that continues if the caller is cancelled. In that case its error is dropped: from Python
    3.14 on ``asyncio.shield`` would log it, even if another caller handles it."""
    if not task.done():
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([task])
    return task.result()


async def run_staggered[T](work: Iterable[Callable[[], Awaitable[T]]], pause_s: float) -> list[T]:
    """Starts each part when the previous one has ended or after the pause, whichever is first. Returns all results."""
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
    """The current passes over each experiment. While one closes the experiment, others wait."""

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
            self._under_way += Counter()  # drops what is 0

    def under_way(self, experiment: str) -> int:
        """The number of current passes over an experiment."""
        return self._under_way[experiment]

    @contextmanager
    def closing(self, experiment: str) -> Iterator[None]:
        """Lets passes that begin during the block wait for its end."""
        closed = self._closing[experiment] = asyncio.Event()
        try:
            yield
        finally:
            del self._closing[experiment]
            closed.set()

    async def until_closed(self, experiment: str) -> None:
        """Waits while the experiment is being closed."""
        if experiment in self._closing:
            await self._closing[experiment].wait()
