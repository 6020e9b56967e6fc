"""The time of the installation: the clock of the database, since the clock of a machine may be wrong.

Times that are stored in the database or compared with it are by this clock, in labs, web processes and commands. A
machine an hour ahead would otherwise end sessions an hour early. A database in a file is used by one machine, so the
machine's clock is used."""

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
    """The time of the database server in seconds since the epoch; None for a database in a file, which has no clock."""
    if not is_shared():
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


class DatabaseClock:
    """The database's time at the last ``synchronize``, advanced by this machine's monotonic clock. If the database has
    no clock, or it has not been read yet, this machine's time."""

    def __init__(self, read: Callable[[], float | None] = read_clock) -> None:
        self._read = read
        #: The database's time minus this machine's monotonic clock, which is never set.
        self._offset: float | None = None
        #: Whether the last reading was exact.
        self._is_exact = False

    def __call__(self) -> float:
        """Seconds since the epoch. The first call in a thread reads the database's clock."""
        if self._offset is None and not _is_in_loop():
            with suppress(DatabaseError):
                self.synchronize()
        return time.time() if self._offset is None else time.monotonic() + self._offset

    def synchronize(self) -> None:
        """Reads the database's clock. The answer is taken as the time at the middle of the query, so a query that had
        to wait for a connection is repeated once. If the second one waits too, the offset is changed only as far as it
        contradicts the times at which that query began and ended."""
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
            self._offset = now - (began + ended) / 2
        else:
            self._offset = min(max(self._offset, now - ended), now - began)

    async def follow(self, run: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        """Reads the database's clock again and again until cancelled, because a machine's clock drifts, and stops while
        the machine is suspended. ``run`` calls a function in a thread that may query the database."""
        log_once = LogOnce(log, "the clock of the database cannot be read")
        while is_shared():
            await log_once.run(lambda: run(self.synchronize))
            await asyncio.sleep(READ_S if self._is_exact else FIRST_READ_S)


def _is_in_loop() -> bool:
    """Whether this thread runs an event loop, which must not wait for a query."""
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
