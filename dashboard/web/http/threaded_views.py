"""Slow synchronous views in separate threads; asgiref runs all other synchronous views in one thread."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from dashboard.web.http.database import in_database


def threaded[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, Coroutine[Any, Any, HttpResponseBase]]:
    """The view in its own thread, so that other views do not wait for it."""

    @wraps(view)
    async def run(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        request = args[0]
        assert isinstance(request, HttpRequest)  # noqa: S101 - the first argument of every view
        await request.auser()
        return await in_database(view, *args, **kwargs)

    return run
