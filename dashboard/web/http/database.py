"""Database queries from code that runs in the event loop."""

from collections.abc import Callable

from channels.db import database_sync_to_async


async def in_database[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``function``, called in a worker thread with a Django connection that is still usable."""
    result: T = await database_sync_to_async(function, thread_sensitive=False)(*args, **kwargs)
    return result
