"""Releases what a request holds before an async view waits: its turn and its PostgreSQL connection.

An async view may wait for the lab. Meanwhile other requests of its address take their turns; requests in async views
have a limit of their own, since these views query and render, too (``web.http.turns``). The middleware of a request
uses a connection in its thread to find the user, and an async view queries in other threads. If every request kept its
first connection, many requests would hold the whole pool and none would get a second one.
"""

import inspect
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse

from dashboard.web.http.turns import BEGIN_VIEW


def close_connection() -> None:
    """Closes the PostgreSQL connection of this thread."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()


class WaitingViewMiddleware:
    """The last middleware before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    async def process_view(self, request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Closes the connection before an async view, ends the turn and waits until the view may begin; the user is
        resolved."""
        if not inspect.iscoroutinefunction(view):
            return
        await sync_to_async(close_connection)()
        if begin_view := getattr(request, "scope", {}).get(BEGIN_VIEW):
            await begin_view()
