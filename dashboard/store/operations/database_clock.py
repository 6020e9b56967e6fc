"""The time of the installation: the clock of the database, since the clock of a machine may be wrong.

Labs, web processes and commands use it for all times that are stored in the database or compared with stored times. On
a machine whose clock is an hour ahead, sessions would otherwise end an hour early. With SQLite, one machine uses the
database, and its clock is the clock of the installation.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from django.db import DatabaseError, connection

from dashboard.store.log_once import LogOnce
from dashboard.store.operations.advisory_lock import is_shared

log = logging.getLogger(__name__)
#: Seconds between two readings of the database's clock: after an exact one, and after one that was not exact.
READ_S, FIRST_READ_S = 30.0, 1.0
#: A reading is exact if its query took at most this long; a longer one has waited for a connection.
MAX_QUERY_S = 0.5


def read_clock() -> float | None:
    """The time of the database server in seconds since the epoch; None for SQLite, which has no clock."""
    if not is_shared():
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


class DatabaseClock:
    """A clock that shows the database's time. ``synchronize`` sets it, and this machine's monotonic clock advances it.
    Before it is set, and always with SQLite, it shows this machine's time."""

    def __init__(self, read: Callable[[], float | None] = read_clock) -> None:
        self._read = read
        #: The database's time minus this machine's monotonic clock, which is never set.
        self._offset: float | None = None
        #: Whether the last reading was exact.
        self._is_exact = False

    def __call__(self) -> float:
        """The current time in seconds since the epoch. If the database's clock has not been read yet, reads it first,
        except in a thread with an event loop, which the query would block."""
        if self._offset is None and not _is_in_loop():
            with suppress(DatabaseError):
                self.synchronize()
        return time.time() if self._offset is None else time.monotonic() + self._offset

    def synchronize(self) -> None:
        """Sets this clock from the database's clock. Does nothing with SQLite.

        A query that takes longer than ``MAX_QUERY_S`` had to wait for a connection, and is repeated once. If the second
        query is as slow, its time is inexact, and this clock is corrected only as far as necessary.
        """
        for _ in range(2):
            began = time.monotonic()
            now = self._read()
            ended = time.monotonic()
            self._is_exact = ended - began < MAX_QUERY_S
            if self._is_exact:
                break
        if now is None:
            return
        if self._is_exact or self._offset is None:
            # The returned time is assumed to be that of the middle of the query.
            self._offset = now - (began + ended) / 2
        else:
            # Only so far that the returned time lies between the start and the end of the query.
            self._offset = min(max(self._offset, now - ended), now - began)

    async def follow(self, run: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        """Reads the database's clock periodically until cancelled. This machine's own clock drifts, and it does not
        advance while the machine is suspended. ``run`` receives the function that reads the clock, and must call it in
        a thread that may query the database. Returns at once with SQLite."""
        log_once = LogOnce(log, "the clock of the database cannot be read")
        while is_shared():
            await log_once.run(lambda: run(self.synchronize))
            await asyncio.sleep(READ_S if self._is_exact else FIRST_READ_S)


def _is_in_loop() -> bool:
    """Whether this thread runs an event loop, which a query must not block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


#: The clock of this process.
shared_clock = DatabaseClock()


def shared_now() -> datetime:
    """The time of ``shared_clock`` as a datetime in UTC."""
    return datetime.fromtimestamp(shared_clock(), UTC)
