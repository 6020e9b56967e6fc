"""Views that take seconds, in threads of their own: all other synchronous views share one thread (asgiref)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponseBase


def aside[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, Coroutine[Any, Any, HttpResponseBase]]:
    """The same view, but nobody else waits for it."""

    @wraps(view)
    async def run(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        request = args[0]
        assert isinstance(request, HttpRequest)  # noqa: S101  what every view begins with
        await request.auser()
        response: HttpResponseBase = await database_sync_to_async(view, thread_sensitive=False)(*args, **kwargs)
        return response

    return run
