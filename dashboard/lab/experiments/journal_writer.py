"""Writes one experiment's journal: numbers entries, commits them in batches, then publishes."""

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
from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)
RETRY_S = (0.05, 0.2, 1.0, 2.0)


class Publisher(Protocol):
    """Wakes every process that shows experiments. Messages may be lost: the database is authoritative."""

    def wake(self, experiment: str) -> None:
        """An experiment has new entries."""
        ...

    def measured(self, run: str) -> None:
        """A measurement has new results."""
        ...

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal cannot be written; with an empty text: it can be written again."""
        ...


class JournalWriter:
    """The only writer of one experiment's entries. ``view`` is ahead of the database by at most one batch."""

    def __init__(
        self, experiment: str, view: View, database: DatabaseThread, publisher: Publisher, clock: Callable[[], float]
    ) -> None:
        self.experiment = experiment
        self.view = view
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._queue: list[Entry] = []
        self._appended_at: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def append(self, cause: Cause, facts: Facts, text: str = "", about: tuple[str, ...] = ()) -> Entry:
        """Appends an entry, which is committed in the background; ``flush`` waits for it."""
        entry = Entry(self.view.seq + 1, self._clock(), cause, facts, text, about)
        self.view = advance(self.view, entry)
        self._queue.append(entry)
        self._appended_at.append(time.monotonic())
        telemetry.entries_appended += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())
        return entry

    async def flush(self) -> None:
        """Waits until all entries are committed."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def close(self, timeout_s: float) -> None:
        """Commits what it can within ``timeout_s``, then stops: entries that were written later could have the
        numbers of the next writer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
            telemetry.entries_given_up += len(self._queue)

    async def _is_gone(self) -> bool:
        """Whether the experiment was removed in the meantime."""
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
                    telemetry.entries_given_up += len(self._queue)
                    self._queue.clear()
                    self._appended_at.clear()
                    return
                # Disk full or database locked: nothing is acknowledged; all entries are kept and written again.
                if failures == 0:
                    log.error("journal of %s cannot be written: %s", self.experiment, error)  # noqa: TRY400
                self._publisher.trouble(self.experiment, f"The journal cannot be written: {error}. Trying again.")
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
                telemetry.write_failures += 1
                continue
            if failures:
                self._publisher.trouble(self.experiment, "")
                failures = 0
            now = time.monotonic()
            for appended_at in self._appended_at[: len(batch)]:
                telemetry.commit_s.add(now - appended_at)
            del self._queue[: len(batch)], self._appended_at[: len(batch)]
            telemetry.entries_written += len(batch)
            self._publisher.wake(self.experiment)
