"""Advisory locks of PostgreSQL, held while a connection lives: one lab per machine, one migration at a time."""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, OperationalError, connection

#: Two arbitrary numbers that nothing else in this database uses.
LAB, MIGRATION = 0x6E6D_0001, 0x6E6D_0002
RETRY_S = 0.5


def lab_of(machine: str | None) -> int:
    """The number of the lock of a machine's lab."""
    return LAB if machine is None else LAB << 32 | zlib.crc32(machine.encode())


def is_shared() -> bool:
    """Whether several machines can use this database."""
    return connection.vendor == "postgresql"


def _connect() -> Any:
    """A separate connection, outside the pool and without timeouts. Raises OperationalError."""
    import psycopg

    parameters = connection.get_connection_params()
    parameters |= {"options": "-c statement_timeout=0 -c lock_timeout=0", "autocommit": True}
    try:
        return psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error


class AdvisoryLock:
    """A lock that ends with its connection. Its methods block: call them in a thread."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._connection: Any = None

    def acquire(self) -> bool:
        """Tries to take the lock; False if another connection holds it. OperationalError without a database."""
        self.release()
        connected = _connect()
        row = connected.execute("SELECT pg_try_advisory_lock(%s)", [self._number]).fetchone()
        if not row[0]:
            connected.close()
            return False
        self._connection = connected
        return True

    def holds(self) -> bool:
        """Whether the lock is held, taken again after a lost connection; OperationalError without a database."""
        import psycopg

        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.execute("SELECT 1")
                return True
        return self.acquire()

    def release(self) -> None:
        """Releases the lock."""
        connected, self._connection = self._connection, None
        if connected is not None:
            connected.close()


@contextmanager
def exclusive_lock(number: int) -> Iterator[None]:
    """Waits for the lock and holds it; does nothing on SQLite."""
    if not is_shared():
        yield
        return
    connected = _connect()
    try:
        connected.execute("SELECT pg_advisory_lock(%s)", [number])
        yield
    finally:
        connected.close()


def wait_for_database(timeout_s: float, say: Callable[[str], None]) -> None:
    """Waits until a database server answers; OperationalError after the timeout."""
    if not is_shared():
        return
    end, announced = time.monotonic() + timeout_s, False
    while True:
        try:
            _connect().close()
        except OperationalError:
            if time.monotonic() > end:
                raise
            if not announced:
                say("Waiting for the database.")
            announced = True
            time.sleep(RETRY_S)
        else:
            return


@contextmanager
def without_timeout() -> Iterator[None]:
    """Suspends the timeouts for statements of this thread."""
    if not is_shared():
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout; RESET lock_timeout")
        connection.close()
