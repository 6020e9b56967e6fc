"""Deletes old data while the server runs."""

import asyncio
import logging

from django.conf import settings
from django.db import DatabaseError, connections

from dashboard.store.operations import rate_limits
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.pruning import prune
from dashboard.store.operations.retention import delete_over_budget

log = logging.getLogger(__name__)
#: After the start of the server, and between two runs.
FIRST_S, EVERY_S = 600.0, 3600.0
DAY_S = 86_400.0


def tidy(days: float, max_journals_bytes: int) -> str:
    """Deletes data that ended more than ``days`` ago (0: none), and the oldest ended experiments while all journals
    together exceed the maximum. Returns a sentence, empty if nothing was deleted. Rate limits that are full again are
    deleted as well."""
    rate_limits.delete_old(shared_clock())
    pruned = prune(days * DAY_S, shrink=False) if days > 0 else None
    old = pruned.runs + pruned.others.rows if pruned is not None else 0
    large = delete_over_budget(max_journals_bytes)
    parts = [f"items that ended more than {days:g} days ago: {old}"] if old else []
    parts += [f"oldest experiments, because the journals were too large: {large}"] if large else []
    return f"Deleted {'; '.join(parts)}." if parts else ""


def _tidy() -> None:
    try:
        if told := tidy(settings.RETENTION_DAYS, settings.MAX_JOURNALS_BYTES):
            log.warning("%s", told)
    except DatabaseError as error:
        log.warning("old data could not be deleted: %s", error)
    finally:
        connections.close_all()


async def keep_tidy() -> None:
    """Runs ``tidy`` every hour, in a thread of its own."""
    await asyncio.sleep(FIRST_S)
    while True:
        await asyncio.to_thread(_tidy)
        await asyncio.sleep(EVERY_S)
