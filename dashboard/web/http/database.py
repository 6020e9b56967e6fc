"""Database queries from code that runs in the event loop, and connections of requests with async views."""

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
from dashboard.web.http.turn_queue import current_turn

#: Threads for queries and threaded views. Python's default is six on two cores, fewer than the requests of one address
#: may use (``web.http.turn_queue``); the others, and the feeds of websockets, would wait for them.
THREADS = 64
#: Connections to PostgreSQL that queries of requests in threads leave to websockets, their feeds and background tasks.
KEPT_CONNECTIONS = 3


def provide_threads() -> None:
    """Gives the running loop ``THREADS`` threads for ``to_db_thread``."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="netmodes-pages"))


@cache
def request_threads() -> ThreadPoolExecutor:
    """The threads for requests if the database is PostgreSQL: fewer than it has connections. Requests that hang, from
    any number of addresses, then leave connections for everything else."""
    count = max(1, database_connections() - KEPT_CONNECTIONS)
    return ThreadPoolExecutor(count, thread_name_prefix="netmodes-requests")


async def to_db_thread[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``function``, called in a worker thread with a Django connection that is still usable."""
    turn = current_turn.get()
    is_limited = turn is not None and not turn.is_over and connection.vendor == "postgresql"
    executor = request_threads() if is_limited else None
    result: T = await database_sync_to_async(function, thread_sensitive=False, executor=executor)(*args, **kwargs)
    return result


def close_connection() -> None:
    """Closes the PostgreSQL connection of this thread."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()


class ConnectionMiddleware:
    """The last middleware before the view. It closes the PostgreSQL connection of the request before an async view.

    To find the user, middleware uses a connection in the request's thread; an async view, which may wait for the lab,
    queries in other threads. If every request kept its first connection, many requests would hold the whole pool and
    none would get a second one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    async def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Closes the connection before an async view; the user has already been resolved."""
        if inspect.iscoroutinefunction(view):
            await sync_to_async(close_connection)()
