"""The allocator of the C library."""

import ctypes
from contextlib import suppress

#: The parameter of mallopt(3) for the number of arenas, from glibc's malloc.h.
M_ARENA_MAX = -8
ARENAS = 2


def limit_arenas() -> None:
    """Lets all threads share ``ARENAS`` arenas. glibc gives threads up to eight for each core, and each request has a
    thread of its own: every arena would grow to what the largest page needs. Call it before any thread starts."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
