"""Releases what a request holds before an async view waits: its turn and its PostgreSQL connection.

An async view may wait for the lab. Meanwhile other requests of its address take their turns (``web.http.turns``). The
middleware of a request uses a connection in its thread to find the user, and an async view queries in other threads. If
every request kept its first connection, many requests would hold the whole pool and none would get a second one.
"""

import inspect
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

from dashboard.web.http.turns import END_TURN


class WaitingViewMiddleware:
    """The last middleware before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Ends the turn and closes the connection before an async view; the user is resolved."""
        if not inspect.iscoroutinefunction(view):
            return
        if end_turn := getattr(request, "scope", {}).get(END_TURN):
            end_turn()
        if connection.vendor == "postgresql" and not connection.in_atomic_block:
            connection.close()
