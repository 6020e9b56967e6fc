"""Logs only the first of consecutive failures of a job."""

import logging
from collections.abc import Awaitable, Callable


class LogOnce:
    """Runs a job that may fail. Of consecutive failures, only the first is logged."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        self._log, self._message = log, message
        self._failed = False

    async def run(self, job: Callable[[], Awaitable[None]]) -> bool:
        """Runs the job once. Returns False if it failed; its exception does not propagate."""
        try:
            await job()
        except Exception as error:  # noqa: BLE001 - for example an unavailable database; the caller tries again
            if not self._failed:
                self._log.warning("%s: %s", self._message, error)
            self._failed = True
        else:
            self._failed = False
        return not self._failed
