"""The memory of the server: the allocator of the C library, and Python's garbage collector."""

import ctypes
import gc
from contextlib import suppress

#: The parameter of mallopt(3) for the number of arenas, from glibc's malloc.h.
M_ARENA_MAX = -8
ARENAS = 2
#: Collections of a generation before the next one is collected too. Python's default is 10.
COLLECTIONS = 5, 2


def limit_arenas() -> None:
    """Lets all threads share ``ARENAS`` arenas. glibc gives threads up to eight for each core, and each request has a
    thread of its own: every arena would grow to what the largest page needs. Call it before any thread starts."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def limit_garbage() -> None:
    """Collects garbage of all generations more often. A page leaves cycles behind, which hold everything that it showed
    (Django's contexts refer to themselves), and Python waits until the old garbage is a quarter of all objects: up to
    50 MB of pages would pile up. What exists now is excluded, so a collection takes few milliseconds. Call it when the
    process has started."""
    gc.collect()
    gc.freeze()
    gc.collect()  # counts the objects that are not excluded
    first, _second, _third = gc.get_threshold()
    gc.set_threshold(first, *COLLECTIONS)
