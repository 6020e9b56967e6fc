"""Runs database queries in a thread of their own: those of a lab, and those of the feeds of pages."""

import asyncio
import logging
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from dashboard.store.telemetry import telemetry

log = logging.getLogger(__name__)
#: The exceptions of a database that does not answer now, such as PostgreSQL during a restart.
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError)
#: The names of these threads.
LAB_THREAD, FEED_THREAD = "lab-database", "feed-database"
#: A connection that was used within these seconds is reused without a check, because a check takes as long as a query.
FRESH_S = 1.0
#: How long a page and a lab wait for another process that writes to SQLite's file. A page then shows the reason; the
#: lab tries again. A command waits as long as ``SQLITE_OPTIONS`` sets.
PAGE_WAIT_S, LAB_WAIT_S = 2.5, 5.0
#: The interval between two attempts to call a function while the database does not answer.
RETRY_S = 1.0
#: How many seconds the end of a measurement or of a run of claims waits for a database that does not answer.
LAST_WRITES_S = 30.0


def limit_waiting(connection: BaseDatabaseWrapper, **_options: object) -> None:
    """Sets how long a new connection waits for other writers of SQLite's file: ``LAB_WAIT_S`` in a lab's database
    thread, otherwise ``PAGE_WAIT_S``. A receiver of the signal ``connection_created``."""
    if connection.vendor == "sqlite":
        wait_s = LAB_WAIT_S if threading.current_thread().name.startswith(LAB_THREAD) else PAGE_WAIT_S
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {wait_s * 1000:.0f}")


def _has_received() -> bool:
    """Whether the server has closed this thread's connection, or has sent data since the last query. Such data may be
    the server's message that it is about to close the connection. False without a connection."""
    opened = connection.connection
    if opened is None:
        return False
    if opened.closed:
        return True
    received = select.poll()
    received.register(opened.fileno(), select.POLLIN)
    return bool(received.poll(0))


class DatabaseThread:
    """Runs functions of the store in one thread of its own, one function at a time. ``name`` is the name of the thread.
    The durations of calls in a lab's thread are added to ``telemetry.database_s``."""

    def __init__(self, name: str = LAB_THREAD) -> None:
        self._is_lab = name == LAB_THREAD
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._used_at = 0.0

    def _check_connection(self) -> None:
        """Replaces this thread's connection if the server may have closed it since the last call. Does nothing on
        SQLite: it has no server, and reopening the file takes 1 ms."""
        if connection.vendor == "sqlite":
            return
        is_old = time.monotonic() >= self._used_at + FRESH_S
        if is_old or connection.errors_occurred or _has_received():
            close_old_connections()

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls ``function`` in the thread after earlier calls have ended, and returns its result. Exceptions
        propagate."""

        def call() -> T:
            self._check_connection()
            try:
                return function(*args, **kwargs)
            finally:
                self._used_at = time.monotonic()

        began = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            if self._is_lab:
                telemetry.database_s.add(time.monotonic() - began)

    async def run_or[**P, T](self, default: T, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like ``run``, but returns ``default`` if the database does not answer."""
        try:
            return await self.run(function, *args, **kwargs)
        except DATABASE_UNAVAILABLE:
            return default

    async def retry[**P, T](
        self,
        deadline: Callable[[], float],
        task: asyncio.Task[Any] | None,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Calls ``function`` as ``run`` does, and repeats the call while the database does not answer.

        Raises one of ``DATABASE_UNAVAILABLE`` at ``deadline()``, a time of ``time.monotonic``, which may change
        meanwhile, or once ``task`` is cancelled: a server that stops does not wait for its database.
        """
        while True:
            try:
                return await self.run(function, *args, **kwargs)
            except DATABASE_UNAVAILABLE as error:
                if time.monotonic() >= deadline() or (task is not None and task.cancelling() > 0):
                    raise
                log.warning("the database does not answer: %s; trying again", error)
                await asyncio.sleep(RETRY_S)

    def close(self) -> None:
        """Closes the connection and ends the thread. Waits at most ``LAB_WAIT_S`` for earlier calls, which may be
        waiting for a database lock that another process holds."""
        closing = self._pool.submit(connections.close_all)
        with suppress(TimeoutError):
            closing.result(LAB_WAIT_S)
        self._pool.shutdown(wait=closing.done())
