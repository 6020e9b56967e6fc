"""One writer at a time in this process: PostgreSQL locks rows, SQLite lets writers poll for its lock, and of a crowd
that polls some do not get it within any time-out.

Measured with 500 people who join at 33 a second: without this 67 of them failed with "database is locked" after 20 s.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import connection, transaction

_turn = threading.RLock()


@contextmanager
def writing() -> Iterator[None]:
    """A transaction; with SQLite once nobody else in this process has one that a crowd may ask for."""
    with _turn if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
        yield
