"""What needs the database and is done again and again: while the database is away, that is said once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable


class Outage:
    """Tries a job; whatever it raises is logged when it was well before, and not again until it is well again."""

    def __init__(self, log: logging.Logger, complaint: str) -> None:
        self._log, self._complaint = log, complaint
        self._lasts = False

    async def tried(self, job: Callable[[], Awaitable[None]]) -> None:
        """Once. Raises nothing but what ends the task."""
        try:
            await job()
            self._lasts = False
        except Exception as error:  # noqa: BLE001 - the database may be away: it is tried again
            if not self._lasts:
                self._log.warning("%s: %s", self._complaint, error)
            self._lasts = True
