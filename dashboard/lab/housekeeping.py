"""Deletes old data and old rate limits at intervals while the server runs."""

import asyncio
import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connections

from dashboard.store.log_once import LogOnce
from dashboard.store.operations import rate_limits
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.pruning import prune
from dashboard.store.operations.retention import delete_over_budget

log = logging.getLogger(__name__)
#: Seconds from the start of the server to the first deletion of old data, and between two deletions.
FIRST_S, EVERY_S = 600.0, 3600.0
#: Seconds between two deletions of rate limits.
LIMITS_S = 60.0
DAY_S = 86_400.0


def delete_expired(days: float, max_journals_bytes: int) -> str:
    """Deletes what ended more than ``days`` days ago, such as measurements. If ``days`` is 0, this is skipped. Then
    deletes the oldest ended experiments until all journals together have at most ``max_journals_bytes`` bytes, unless
    that is 0. Returns a sentence about what was deleted, empty if nothing was."""
    pruned = prune(days * DAY_S, shrink=False) if days > 0 else None
    old = pruned.runs + pruned.others.rows if pruned is not None else 0
    large = delete_over_budget(max_journals_bytes)
    parts = [f"items that ended more than {days:g} days ago: {old}"] if old else []
    parts += [f"oldest experiments, because the journals were too large: {large}"] if large else []
    return f"Deleted {'; '.join(parts)}." if parts else ""


def _delete_expired() -> None:
    if deleted := delete_expired(settings.RETENTION_DAYS, settings.MAX_JOURNALS_BYTES):
        log.warning("%s", deleted)


def _closing(job: Callable[[], None]) -> None:
    try:
        job()
    finally:
        connections.close_all()


async def _every(job: Callable[[], None], first_s: float, every_s: float) -> None:
    log_once = LogOnce(log, "old data could not be deleted")
    await asyncio.sleep(first_s)
    while True:
        await log_once.run(lambda: asyncio.to_thread(_closing, job))
        await asyncio.sleep(every_s)


async def run_housekeeping() -> None:
    """Every hour, runs ``delete_expired``. Every minute, deletes rate limits that are no longer needed. Both run in
    threads. Ends only when it is cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_every(_delete_expired, FIRST_S, EVERY_S))
        group.create_task(_every(lambda: rate_limits.delete_old(shared_clock()), LIMITS_S, LIMITS_S))
