"""Consecutive failures are logged once."""

from __future__ import annotations

import logging

import pytest

from dashboard.store.log_once import LogOnce


async def test_only_the_first_of_consecutive_failures_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log_once = LogOnce(logging.getLogger("here"), "no database")
    fails = iter((True, True, False, True))

    async def job() -> None:
        if next(fails):
            raise OSError("refused")

    logged, succeeded = [], []
    for _ in range(4):
        succeeded.append(await log_once.run(job))
        logged.append(len(caplog.records))
    assert logged == [1, 1, 1, 2]
    assert succeeded == [False, False, True, False]
    assert caplog.messages[0] == "no database: refused"
