"""Releases the PostgreSQL connection of a request before an async view waits.

The middleware of a request uses a connection in its thread to find the user. An async view queries in other threads and
may wait for the lab. If every request kept its first connection, many requests would hold the whole pool and none would
get a second one.
"""

import inspect
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse


class ReleaseConnectionMiddleware:
    """The last middleware before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on."""
        return self.get_response(request)

    def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Closes the connection; the user is resolved."""
        if inspect.iscoroutinefunction(view) and connection.vendor == "postgresql" and not connection.in_atomic_block:
            connection.close()
