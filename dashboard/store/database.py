"""The thread in which a lab queries the database."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections, connection, connections

from dashboard.store.telemetry import telemetry


class DatabaseThread:
    """Runs functions of the store, one at a time, in its own thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-database")

    async def run[**P, T](self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``function``; database errors propagate."""

        def call() -> T:
            # A server may have closed the connection since the last call; a file cannot, and reopening costs 1 ms.
            if connection.vendor != "sqlite":
                close_old_connections()
            return function(*args, **kwargs)

        began = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            telemetry.database_s.add(time.monotonic() - began)

    def close(self) -> None:
        """Closes the thread and its connection."""
        self._pool.submit(connections.close_all).result(5)
        self._pool.shutdown()
