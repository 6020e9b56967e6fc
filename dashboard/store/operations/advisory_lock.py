"""Locks that PostgreSQL keeps for as long as a connection lives: one lab per database, one migration at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, OperationalError, connection

#: Any two numbers that nothing else in this database uses.
LAB, MIGRATION = 0x6E6D_0001, 0x6E6D_0002
WAIT_STEP_S = 0.5


def is_shared() -> bool:
    """Whether this database can be used by several machines."""
    return connection.vendor == "postgresql"


def _connect() -> Any:
    """A connection of its own, past the pool, that no time-out ends. OperationalError."""
    import psycopg

    parameters = connection.get_connection_params()
    parameters |= {"options": "-c statement_timeout=0 -c lock_timeout=0", "autocommit": True}
    try:
        return psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error


class Advisory:
    """Held while the connection stands. The calls block: use them in a thread."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._connection: Any = None

    def acquire(self) -> bool:
        """Whether it is ours now. OperationalError without a database."""
        self.release()
        opened = _connect()
        row = opened.execute("SELECT pg_try_advisory_lock(%s)", [self._number]).fetchone()
        if not row[0]:
            opened.close()
            return False
        self._connection = opened
        return True

    def holds(self) -> bool:
        """Whether it is still ours, taken again after the database was away; OperationalError while it is."""
        import psycopg

        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.execute("SELECT 1")
                return True
        return self.acquire()

    def release(self) -> None:
        """Lets it go."""
        opened, self._connection = self._connection, None
        if opened is not None:
            opened.close()


@contextmanager
def one_at_a_time(number: int) -> Iterator[None]:
    """Waits until nobody else on any machine is in here; does nothing where the database is a file."""
    if not is_shared():
        yield
        return
    opened = _connect()
    try:
        opened.execute("SELECT pg_advisory_lock(%s)", [number])
        yield
    finally:
        opened.close()


def wait_for_database(patience_s: float, say: Callable[[str], None]) -> None:
    """Returns once a database of another machine answers; OperationalError if it does not in time."""
    if not is_shared():
        return
    end, said = time.monotonic() + patience_s, False
    while True:
        try:
            _connect().close()
        except OperationalError:
            if time.monotonic() > end:
                raise
            if not said:
                say("Waiting for the database.")
            said = True
            time.sleep(WAIT_STEP_S)
        else:
            return


@contextmanager
def without_timeout() -> Iterator[None]:
    """Statements of this thread may take their time."""
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
