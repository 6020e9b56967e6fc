"""Runs database queries for code in the event loop, and limits the database connections of requests."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse

from dashboard.configuration import database_connections
from dashboard.store.database import FEED_THREAD, DatabaseThread
from dashboard.web.http.turn_queue import current_turn

#: The number of threads for queries and threaded views. Python's default is six on two cores, fewer than the requests
#: of a single address may use (``web.http.turn_queue``): requests of other addresses and feeds would have to wait.
THREADS = 64
#: PostgreSQL connections that are reserved for websockets, their feeds and background tasks.
KEPT_CONNECTIONS = 3


def provide_threads() -> None:
    """Gives the running event loop a default executor with ``THREADS`` threads, which ``to_db_thread`` uses."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="netmodes-pages"))


@cache
def request_threads() -> ThreadPoolExecutor:
    """Returns the thread pool in which requests query PostgreSQL.

    It has fewer threads than the process has connections. Even if requests occupy all its threads, some connections
    remain for everything else.
    """
    count = max(1, database_connections() - KEPT_CONNECTIONS)
    return ThreadPoolExecutor(count, thread_name_prefix="netmodes-requests")


async def to_db_thread[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls ``function`` in a worker thread that has a usable database connection, and returns its result.

    With PostgreSQL, calls during a request use ``request_threads``.
    """
    turn = current_turn.get()
    is_limited = turn is not None and not turn.is_over and connection.vendor == "postgresql"
    executor = request_threads() if is_limited else None
    result: T = await database_sync_to_async(function, thread_sensitive=False, executor=executor)(*args, **kwargs)
    return result


@cache
def _feed_thread() -> DatabaseThread:
    return DatabaseThread(FEED_THREAD)


async def to_feed_thread[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls ``function``, a short query of a feed, in a worker thread, and returns its result.

    With SQLite, all feeds share one thread, which keeps its connection: opening the file takes longer than such a
    query. With PostgreSQL, connections come from a pool, so this is ``to_db_thread``.
    """
    if connection.vendor == "sqlite":
        return await _feed_thread().run(function, *args, **kwargs)
    return await to_db_thread(function, *args, **kwargs)


def close_feed_thread() -> None:
    """Ends the thread of ``to_feed_thread``, if it was used. A later call starts another."""
    if _feed_thread.cache_info().currsize:
        _feed_thread().close()
        _feed_thread.cache_clear()


def close_connection() -> None:
    """Closes this thread's connection to PostgreSQL, unless a transaction is open. A connection to SQLite stays
    open."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()


class ConnectionMiddleware:
    """Closes the PostgreSQL connection of the request's thread before an async view. It must be the last middleware.

    Earlier middleware has opened this connection to load the user. The async view queries in other threads, over other
    connections, and may wait for the lab in between. If requests kept their first connections, many requests would
    occupy the whole pool, and none could get a second connection.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on unchanged."""
        return self.get_response(request)

    async def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Closes the database connection if the view is async. By then, the user has been loaded."""
        if inspect.iscoroutinefunction(view):
            await sync_to_async(close_connection)()
