"""An outage is said when it begins, and once."""

from __future__ import annotations

import logging

import pytest

from dashboard.store.log_once import Outage


async def test_each_outage_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("here"), "no database")
    fails = iter((True, True, False, True))

    async def job() -> None:
        if next(fails):
            raise OSError("refused")

    said = []
    for _ in range(4):
        await outage.tried(job)
        said.append(len(caplog.records))
    assert said == [1, 1, 1, 2]
    assert caplog.messages[0] == "no database: refused"
