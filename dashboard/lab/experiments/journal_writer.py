"""Writes one experiment's journal: numbers entries, commits them in batches, then tells."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from django.db import Error as DatabaseError
from django.db import IntegrityError

from dashboard.core.experiments.journal import Cause, Entry, Facts, View, advance
from dashboard.store import experiments as experiment_store
from dashboard.store.database import DatabaseThread
from dashboard.store.telemetry import counted

log = logging.getLogger(__name__)
RETRY_S = (0.05, 0.2, 1.0, 2.0)


class Publisher(Protocol):
    """Wakes whoever shows experiments; what it says may be lost, the database is the truth."""

    def wake(self, experiment: str) -> None:
        """There are new entries."""
        ...

    def measured(self, run: str) -> None:
        """There is something new of a measurement."""
        ...

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal itself cannot be written (or, with empty text, can be again)."""
        ...


class JournalWriter:
    """The only writer of one experiment's entries. ``view`` runs ahead of the database by at most one batch."""

    def __init__(
        self, experiment: str, view: View, database: DatabaseThread, publisher: Publisher, clock: Callable[[], float]
    ) -> None:
        self.experiment = experiment
        self.view = view
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._queue: list[Entry] = []
        self._since: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def append(self, cause: Cause, facts: Facts, text: str = "", about: tuple[str, ...] = ()) -> Entry:
        """Adds an entry; it is committed soon (``flush`` waits for that)."""
        entry = Entry(self.view.seq + 1, self._clock(), cause, facts, text, about)
        self.view = advance(self.view, entry)
        self._queue.append(entry)
        self._since.append(time.monotonic())
        counted.entries_appended += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())
        return entry

    async def flush(self) -> None:
        """Returns when everything appended so far is committed."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def close(self, patience_s: float) -> None:
        """Commits what can be committed in so many seconds, then writes no more.

        A writer that went on trying would meet the numbers of the one that comes after it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self.flush()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
            counted.entries_given_up += len(self._queue)

    async def _is_gone(self) -> bool:
        """Whether the experiment was removed meanwhile: nobody will ask what became of it."""
        try:
            return await self._database.run(experiment_store.load, self.experiment) is None
        except DatabaseError:
            return False

    async def _write(self) -> None:
        failures = 0
        while self._queue:
            batch = list(self._queue)
            try:
                await self._database.run(experiment_store.append, self.experiment, batch)
            except DatabaseError as error:
                if isinstance(error, IntegrityError) and await self._is_gone():
                    counted.entries_given_up += len(self._queue)
                    self._queue.clear()
                    self._since.clear()
                    return
                # Disk full or locked: nothing is acknowledged, everything is kept and tried again.
                if failures == 0:
                    log.error("journal of %s cannot be written: %s", self.experiment, error)  # noqa: TRY400
                self._publisher.trouble(self.experiment, f"The journal cannot be written: {error}. It is tried again.")
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
                counted.write_failures += 1
                continue
            if failures:
                self._publisher.trouble(self.experiment, "")
                failures = 0
            now = time.monotonic()
            for since in self._since[: len(batch)]:
                counted.commit_s.add(now - since)
            del self._queue[: len(batch)], self._since[: len(batch)]
            counted.entries_written += len(batch)
            self._publisher.wake(self.experiment)
