"""Reduces the memory of the server: configures the allocator of the C library and Python's garbage collector."""

import ctypes
import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

#: Parameters of mallopt(3), from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
ARENAS = 2
THRESHOLD_BYTES = 128 << 10
#: After how many collections of a generation the next one is collected, too. Python's default is 10. The heap keeps the
#: largest size that waiting garbage has required.
COLLECTIONS = 5, 0
#: The number of strings to intern: more than the free entries of the table of interned strings when the lab has
#: started.
STRINGS = 50_000
#: PyDLL keeps the interpreter's lock during calls: they take less than a millisecond.
_libc = ctypes.PyDLL(None)


def limit_heap() -> None:
    """Makes glibc return free memory to the kernel. Call it before any thread starts.

    The number of arenas is limited. By default, threads get up to eight for each core. Each request has a thread of its
    own, so every arena would grow to what the largest page needs.

    Two thresholds are fixed at glibc's initial values. M_MMAP_THRESHOLD is the size from which a block gets a mapping
    of its own. M_TRIM_THRESHOLD is the free space at which the heap shrinks. By default, glibc raises both when a
    mapped block of up to 32 MB is freed. Large blocks then come from the heap, which does not shrink while any small
    block is above them.

    The launcher sets GLIBC_TUNABLES, so that glibc keeps no freed blocks for each thread. The setting stays in effect
    for this process and its forks. The variable is removed here, so that programs started by these processes do not
    inherit it.
    """
    os.environ.pop("GLIBC_TUNABLES", None)
    with suppress(AttributeError):  # another C library
        mallopt = _libc.mallopt
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, THRESHOLD_BYTES)


def limit_garbage() -> None:
    """Makes Python collect the garbage of all generations more often. Call it at the end of the start-up: objects that
    exist by then are excluded, so a collection takes a few milliseconds.

    A page leaves cycles behind that hold everything that it showed, because Django's contexts refer to themselves. A
    removed experiment leaves cycles in the lab. By default, Python collects the oldest generation only when the number
    of its new objects exceeds a quarter of the objects that survived the last full collection. The objects of all
    imported modules are among these survivors. So up to 50 MB of pages would remain in memory.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # counts the objects that are not excluded
    first, _second, _third = gc.get_threshold()
    gc.set_threshold(first, *COLLECTIONS)
    gc.callbacks.append(return_pages)


def grow_string_table() -> None:
    """Makes Python's table of interned strings grow at the start of a lab, so that the lab's memory does not rise by 2
    MB after about a hundred launches.

    Each interned string takes an entry of the table, even if it is soon freed. pathlib interns all parts of a path,
    such as process ids. When no entry is left, Python replaces the table by one with room for three times the strings
    that exist at that moment. After this growth, replacements have the same size, because the number of strings stays
    the same.

    Does nothing on Python 3.12, which frees no interned strings (github.com/python/cpython/issues/113993).
    """
    if sys.version_info >= (3, 13):
        for number in range(STRINGS):
            sys.intern(f"netmodes {number}")


def return_pages(phase: str, collection: Mapping[str, int]) -> None:
    """Returns the free pages of the heap to the kernel after a collection of older objects. A callback for
    ``gc.callbacks``. By itself, glibc returns only the free space at the end of the heap, not the free space between
    blocks."""
    if phase == "stop" and collection["generation"]:
        with suppress(AttributeError):  # another C library
            _libc.malloc_trim(0)
