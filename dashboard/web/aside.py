"""Views that take seconds, in threads of their own: all other synchronous views share one thread (asgiref)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate

from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponseBase

type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
type AsyncView[**P] = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]


def aside[**P](view: View[P]) -> AsyncView[P]:
    """The same view, but nobody else waits for it."""

    @wraps(view)
    async def run(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        await request.auser()
        return await database_sync_to_async(view, thread_sensitive=False)(request, *args, **kwargs)

    return run
