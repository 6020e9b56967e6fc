"""Allows one write transaction at a time in this process on SQLite. Without this lock, writers poll for SQLite's lock,
and some of them time out under contention.

PostgreSQL locks rows and does not need it. Measured with 500 participants who join at a rate of 33 per second: without
this lock, 67 of them failed with "database is locked" after 20 s.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import connection, transaction

_lock = threading.RLock()


@contextmanager
def writing() -> Iterator[None]:
    """Context manager for a transaction. On SQLite, first waits until no other thread of this process is within
    ``writing()``."""
    with _lock if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
        yield
