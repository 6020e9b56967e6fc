"""Locks of PostgreSQL that are held as long as a connection exists. They ensure that each machine has one lab, and that
one process at a time migrates the database or changes the swarm. With SQLite, the migration lock is a lock on the data
folder, and there are no others.

The locks of labs are advisory locks. The PostgreSQL role of any machine may take them, and so delay another lab. The
locks for migrations and for the swarm are table locks, which such a role cannot take. Otherwise a machine could prevent
an owner from ending the swarm.
"""

import fcntl
import os
import secrets
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

#: Two arbitrary numbers that nothing else in this database uses.
LAB, MIGRATION = 0x6E6D_0001, 0x6E6D_0002
#: This lock mode conflicts with itself, but blocks no reads or writes of the table.
_LOCK_MIGRATIONS = "LOCK TABLE django_migrations IN SHARE UPDATE EXCLUSIVE MODE"
#: The same mode, on a table that nothing else locks.
_LOCK_SWARM = "LOCK TABLE django_content_type IN SHARE UPDATE EXCLUSIVE MODE"
#: PostgreSQL ends the swarm's lock after this many seconds if the web process has lost its network and cannot release
#: it.
SWARM_S = 900
RETRY_S = 0.5
_WAITING = "Waiting until another process has migrated the database."
#: A database that does not answer within this time is treated as lost. A lab must notice that before another may take
#: over (``core.operations.deployment.UNAVAILABLE_S``).
ANSWER_S = 3


def lab_of(machine: str | None) -> int:
    """The number of the advisory lock for the lab of a machine. None is the installation's own machine."""
    return LAB if machine is None else LAB << 32 | zlib.crc32(machine.encode())


def is_shared() -> bool:
    """Whether several machines can use this database. True for PostgreSQL."""
    return connection.vendor == "postgresql"


def _connect(**more: Any) -> Any:
    """Opens a separate connection, outside the pool and without statement timeouts. ``more`` are further connection
    parameters. Raises OperationalError if the connection fails."""
    import psycopg

    parameters = connection.get_connection_params()
    parameters |= {
        "options": "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0",
        "autocommit": True,
        **more,
    }
    try:
        return psycopg.connect(**parameters)
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error


@contextmanager
def _answer_timeout(connected: Any) -> Iterator[None]:
    """Context manager that shuts down the connection if the block takes longer than ``ANSWER_S``. The statement in the
    block then fails. Without this, it would wait for a server that has lost its network, because such a server cannot
    even end the connection."""
    with socket.socket(fileno=os.dup(connected.fileno())) as copy:

        def shut_down() -> None:
            with suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(ANSWER_S, shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


class AdvisoryLock:
    """An advisory lock with a database connection of its own; if the connection ends, so does the lock. The methods
    block for a few seconds at most: call them in a thread."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._name = f"netmodes-lock-{secrets.token_hex(8)}"
        self._connection: Any = None
        #: When the lock was taken, by the clock of the database.
        self.since = 0.0

    def acquire(self) -> bool:
        """Tries once to take the lock. Returns False if another process holds it. Raises OperationalError if the
        database does not answer.

        First ends earlier connections of this object on the server, because one that lost its network may still hold
        the lock.
        """
        import psycopg

        self.release()
        connected = _connect(application_name=self._name, connect_timeout=ANSWER_S)
        try:
            with _answer_timeout(connected):
                connected.execute(
                    "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
                    "WHERE application_name = %s AND pid <> pg_backend_pid()",
                    [self._name],
                )
                taken = "SELECT pg_try_advisory_lock(%s), extract(epoch FROM clock_timestamp())::float8"
                row = connected.execute(taken, [self._number]).fetchone()
        except psycopg.Error as error:
            connected.close()
            raise OperationalError(str(error)) from error
        if not row[0]:
            connected.close()
            return False
        self._connection, self.since = connected, row[1]
        return True

    def holds(self) -> bool:
        """Whether this object holds the lock. If the connection was lost, tries to take the lock again. Raises
        OperationalError if the database does not answer."""
        import psycopg

        if self._connection is not None:
            with suppress(psycopg.Error, OSError), _answer_timeout(self._connection):
                self._connection.execute("SELECT 1")
                return True
        return self.acquire()

    def release(self) -> None:
        """Releases the lock, if it is held."""
        connected, self._connection = self._connection, None
        if connected is not None:
            connected.close()


class SwarmLock:
    """A table lock for the web process that changes the swarm of machines. With SQLite, ``acquire`` always succeeds,
    because the installation has one machine. The methods block: call them in a thread."""

    def __init__(self) -> None:
        self._connection: Any = None

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Takes the lock. Returns False if another process still holds it after ``wait_s`` seconds. Raises
        OperationalError if the database does not answer."""
        if not is_shared():
            return True
        import psycopg

        connected = _connect(autocommit=False, connect_timeout=ANSWER_S)
        try:
            connected.execute(f"SET idle_in_transaction_session_timeout = {SWARM_S * 1000}")
            connected.execute(f"SET lock_timeout = {int(wait_s * 1000)}")
            connected.execute(_LOCK_SWARM if wait_s else f"{_LOCK_SWARM} NOWAIT")
        except psycopg.errors.LockNotAvailable:
            connected.close()
            return False
        except psycopg.Error as error:
            connected.close()
            raise OperationalError(str(error)) from error
        self._connection = connected
        return True

    def release(self) -> None:
        """Releases the lock, if it is held."""
        connected, self._connection = self._connection, None
        if connected is not None:
            connected.close()


@contextmanager
def migration_lock(say: Callable[[str], None]) -> Iterator[None]:
    """Context manager that holds the migration lock. First waits until other processes have finished migrating; ``say``
    receives a message if it has to wait."""
    if not is_shared():
        with _data_folder_lock(say):
            yield
        return
    import psycopg

    with closing(_connect()) as connected:
        _create_migrations_table(connected)
        with connected.transaction():
            try:
                with connected.transaction():
                    connected.execute(f"{_LOCK_MIGRATIONS} NOWAIT")
            except psycopg.errors.LockNotAvailable:
                say(_WAITING)
                connected.execute(_LOCK_MIGRATIONS)
            yield


@contextmanager
def _data_folder_lock(say: Callable[[str], None]) -> Iterator[None]:
    """Context manager that locks the data folder (flock(2)). SQLite's file is not locked itself, because closing it
    would release SQLite's own locks. ``say`` receives a message if it has to wait."""
    folder = os.open(settings.DATA_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(_WAITING)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)  # closing is not enough while a child process has a copy
        os.close(folder)


def _create_migrations_table(connected: Any) -> None:
    """If the database is empty, creates the table ``django_migrations``, which ``migration_lock`` locks. An advisory
    lock is enough for this: no machine has joined the installation yet, so no machine's role can hold the lock."""
    exists = "SELECT to_regclass('django_migrations') IS NOT NULL"
    if not connected.execute(exists).fetchone()[0]:
        with connected.transaction():
            connected.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION])
            if not connected.execute(exists).fetchone()[0]:
                MigrationRecorder(connection).ensure_schema()


def wait_for_database(timeout_s: float, say: Callable[[str], None]) -> None:
    """Waits until the database server answers. ``say`` receives a message if it has to wait. Raises OperationalError
    after ``timeout_s`` seconds. Does nothing on SQLite."""
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
    """Context manager that disables the statement and lock timeouts of this thread's connection. Does nothing on
    SQLite."""
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
