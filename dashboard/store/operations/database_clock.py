"""The clock of the database, by which the labs of an installation agree: the clock of a machine may be wrong.

A lab that is an hour ahead would end sessions an hour early, and remove their hosts."""

import time
from collections.abc import Callable

from django.db import connection

from dashboard.store.operations.advisory_lock import is_shared


def read_clock() -> float | None:
    """The time of the database in seconds since the epoch; None if it is a file, which has no clock."""
    if not is_shared():
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])


class DatabaseClock:
    """The time of the database at the last ``synchronize``, plus the time since then on this machine.
    Without a database that has a clock, and before that, it is this machine's."""

    def __init__(self, read: Callable[[], float | None] = read_clock) -> None:
        self._read = read
        #: What must be added to the monotonic clock, which no one sets.
        self._offset: float | None = None

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return time.time() if self._offset is None else time.monotonic() + self._offset

    def synchronize(self) -> None:
        """Reads the database's clock. The answer is taken for the middle of the query."""
        began = time.monotonic()
        now = self._read()
        if now is not None:
            self._offset = now - (began + time.monotonic()) / 2


#: The clock of this process.
shared_clock = DatabaseClock()
