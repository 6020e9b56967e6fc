"""Decorators that run slow synchronous views in worker threads.

Without them, asgiref runs all synchronous views in a single thread.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate

from django.http import HttpRequest, HttpResponseBase

from dashboard.web.http.database import to_db_thread


def threaded[**P](view: Callable[P, HttpResponseBase]) -> Callable[P, Coroutine[Any, Any, HttpResponseBase]]:
    """Decorator: runs a synchronous view in a worker thread, so that other views do not wait for it."""

    @wraps(view)
    async def run(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        request = args[0]
        assert isinstance(request, HttpRequest)  # noqa: S101 - the first argument of every view
        await request.auser()
        return await to_db_thread(view, *args, **kwargs)

    return run


class ClientGoneError(Exception):
    """The client disconnected before the response was complete."""


#: A function that raises ClientGoneError if the client of the request has disconnected.
type Check = Callable[[], None]


async def run_cancellable[T](work: Callable[[Check], T]) -> T:
    """Runs ``work`` in a worker thread and returns its result.

    ``work`` receives a function ``check``, which it must call regularly. If the client has disconnected, ``check``
    raises ClientGoneError, which ends the work.
    """
    gone = threading.Event()

    def check() -> None:
        if gone.is_set():
            raise ClientGoneError

    def run() -> T | None:
        try:
            return work(check)
        except ClientGoneError:
            return None

    try:
        result = await to_db_thread(run)
    except asyncio.CancelledError:
        gone.set()
        raise
    assert result is not None  # noqa: S101 - only without a client
    return result


def cancellable[**P](
    view: Callable[Concatenate[HttpRequest, Check, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]:
    """Decorator like ``threaded``, for a view that takes a ``Check`` as its second argument.

    If the client disconnects, the next call of the ``Check`` ends the view.
    """

    @wraps(view)
    async def run(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        await request.auser()
        return await run_cancellable(lambda check: view(request, check, *args, **kwargs))

    return run
