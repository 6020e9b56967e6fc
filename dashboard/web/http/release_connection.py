"""Gives a connection to PostgreSQL back before a request waits for something else.

A request has a thread of its own, which asks who is there; an async view asks the database in other threads, and may
wait for the lab. If every request held its first connection meanwhile, a crowd would hold them all and nobody get a
second.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse


class LendingMiddleware:
    """The last one before the view."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing yet."""
        return self.get_response(request)

    def process_view(self, _request: HttpRequest, view: Callable[..., Any], *_arguments: Any) -> None:
        """Who is there is known now."""
        if inspect.iscoroutinefunction(view) and connection.vendor == "postgresql" and not connection.in_atomic_block:
            connection.close()
