"""Writes the journal of one experiment: commits its entries to the database in batches, then announces them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress

from django.db import Error as DatabaseError
from django.db import IntegrityError

from dashboard.core.experiments.budget.pace import Limits, Pace, new_pace
from dashboard.core.experiments.budget.queue import JournalQueue
from dashboard.core.experiments.journal import Cause, Entry, Facts, View
from dashboard.core.experiments.messages import STARTING
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.database import DatabaseThread
from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)
RETRY_S = (0.05, 0.2, 1.0, 2.0)
#: Seconds between two writes of the open entry, which merges changes, and seconds without a change until it becomes
#: final.
REPLACE_S, CALM_S = 1.0, 3.0
#: Seconds between two writes during a launch. Each write costs processor time here and in every process that shows the
#: experiment, and the containers need that time to start.
LAUNCH_S = 0.2
#: How many seconds ``close`` waits if the last write failed.
FAILING_S = 1.0


class Publisher:
    """Announces changes to the processes that show experiments. ``send`` is called with the kind of a change and its
    arguments. By default, nothing is sent. This default is for commands, which have no pages.

    Announcements may be lost: receivers read the data from the database.
    """

    def __init__(self, send: Callable[..., None] = lambda *_wakeup: None) -> None:
        self._send = send

    def wake(self, experiment: str) -> None:
        """Announces that an experiment has new journal entries."""
        self._send("experiment", experiment)

    def measured(self, run: str) -> None:
        """Announces that a measurement has new results."""
        self._send("run", run)

    def trouble(self, experiment: str, problem: str) -> None:
        """Announces the reason why an experiment's journal cannot be written. An empty ``problem`` means that it can be
        written again."""
        self._send("trouble", experiment, problem)


class JournalWriter:
    """The only writer of an experiment's journal. It commits entries in batches in the background, so ``view`` may be
    ahead of the database."""

    def __init__(
        self,
        experiment: str,
        view: View,
        database: DatabaseThread,
        publisher: Publisher,
        clock: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self.experiment = experiment
        self._queue = JournalQueue(view, pace or new_pace(Limits(), time.monotonic()))
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._replaced_at = self._committed_at = -math.inf
        self._calm: asyncio.TimerHandle | None = None
        self._flushes = 0
        self._failures = 0
        #: Number and time of each entry in a failed write. The write may have been committed, and only its response
        #: lost.
        self._tried: set[tuple[int, float]] = set()
        #: The numbers of the entries in ``_tried`` that were found in the database. The next write replaces them.
        self._written: tuple[int, ...] = ()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def view(self) -> View:
        """The experiment after the newest entry, which need not be committed yet."""
        return self._queue.view

    def append(
        self, cause: Cause, facts: Facts, text: str = "", about: tuple[str, ...] = (), *, quiet: bool = False
    ) -> Entry:
        """Records the change ``facts`` in a new entry, and returns the entry that contains the change.

        If changes exceed the journal's budget, the change is merged into the open entry instead (see ``end_merge``).
        The entry is committed in the background; ``flush`` waits for that. ``text`` is shown in the timeline. ``about``
        contains the keys of the columns that the entry changes or mentions.

        ``quiet`` is true if the change concerns no container of the experiment. Such a change is always merged: it
        updates the state but is not shown as an event.
        """
        before = self._queue.appended
        entry = self._queue.append(self._clock(), time.monotonic(), cause, facts, text, about, quiet=quiet)
        telemetry.entries_appended += self._queue.appended - before
        if self._calm is not None:
            self._calm.cancel()
            self._calm = None
        if self._queue.is_flooded:
            self._calm = asyncio.get_running_loop().call_later(CALM_S, self.end_merge)
        self._start()
        return entry

    def end_merge(self) -> None:
        """Makes the open entry final, so that later changes get an entry of their own. An entry is open while it
        collects changes that are beyond the journal's budget or concern no container of the experiment."""
        self._queue.end_merge(self._clock(), time.monotonic())
        self._start()

    def _start(self) -> None:
        self._hurry.set()
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def flush(self) -> None:
        """Waits until all entries are committed."""
        self._flushes += 1
        self._hurry.set()
        try:
            while self._task is not None and not self._task.done():
                await asyncio.shield(self._task)
        finally:
            self._flushes -= 1

    async def close(self, timeout_s: float) -> None:
        """Waits up to ``timeout_s`` seconds until all entries are committed, then drops the others. If they were
        written later, they could have the same numbers as entries of the next writer."""
        if self._calm is not None:
            self._calm.cancel()
        self.end_merge()
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, FAILING_S) if self._failures else timeout_s):
                await self.flush()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
            telemetry.entries_given_up += self._queue.drop()

    async def _is_gone(self) -> bool:
        """Returns whether the experiment no longer exists; False if the database does not answer."""
        try:
            return await self._database.run(experiment_store.load, self.experiment) is None
        except DatabaseError:
            return False

    async def _find_written(self, after: int) -> tuple[int, ...]:
        """Returns the numbers of the entries that this writer has committed although the write reported a failure.
        Considers only numbers above ``after``."""
        try:
            entries = await self._database.run(journal_store.entries, self.experiment, after)
        except DatabaseError:
            return ()
        return tuple(entry.seq for entry in entries if (entry.seq, entry.at) in self._tried)

    async def _wait_for_work(self) -> bool:
        """Returns False if there is nothing to write. Otherwise waits until a batch is due, and returns True."""
        while self._queue.has_final or self._queue.has_open:
            left = self._due_at() - time.monotonic()
            if left <= 0 or self._flushes:
                return True
            self._hurry.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()
        return False

    def _due_at(self) -> float:
        """Returns when the next batch is due, in seconds of the monotonic clock; 0 if it is due at once."""
        if not self._queue.has_final:
            return self._replaced_at + REPLACE_S
        head = self._queue.view.head
        return self._committed_at + LAUNCH_S if head is not None and head.phase in STARTING else 0.0

    async def _write(self) -> None:
        while await self._wait_for_work():
            batch = self._queue.next_batch()
            replaced = (*batch.replaced, *self._written)
            try:
                await self._database.run(journal_store.append, self.experiment, batch.entries, replaced)
            except DatabaseError as error:
                self._queue.failed(batch)
                if isinstance(error, IntegrityError):
                    if await self._is_gone():
                        telemetry.entries_given_up += self._queue.drop()
                        return
                    self._written = await self._find_written(batch.entries[0].seq - 1)
                else:
                    self._tried.update((entry.seq, entry.at) for entry in batch.entries)
                # For example, the disk is full or the database locked. All entries stay in the queue and are written
                # again.
                if self._failures == 0:
                    log.error("the journal of experiment %s cannot be written: %s", self.experiment, error)  # noqa: TRY400
                self._publisher.trouble(self.experiment, f"The journal cannot be written: {error}. Trying again.")
                await asyncio.sleep(RETRY_S[min(self._failures, len(RETRY_S) - 1)])
                self._failures += 1
                telemetry.write_failures += 1
                continue
            if self._failures:
                self._publisher.trouble(self.experiment, "")
                self._failures = 0
                self._tried.clear()
                self._written = ()
            now = time.monotonic()
            for one in batch.waiting:
                telemetry.commit_s.add(now - one.appended_at)
            self._committed_at = now
            if batch.open is not None:
                self._replaced_at = now
            telemetry.entries_written += self._queue.committed(batch)
            self._publisher.wake(self.experiment)
