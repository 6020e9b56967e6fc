"""Queries of a lab run one at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from dashboard.store import database as database_module
from dashboard.store import experiments as experiment_store
from dashboard.store.database import DatabaseThread
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)


async def test_queries_of_one_lab_never_overlap() -> None:
    database = DatabaseThread()
    experiment = await database.run(experiment_store.create_experiment, make_spec("host"))
    running = 0
    most = 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        experiment_store.newest([experiment])
        running -= 1

    await asyncio.gather(*(database.run(work) for _ in range(30)))
    assert most == 1
    with pytest.raises(ZeroDivisionError):
        await database.run(lambda: 1 / 0)
    await asyncio.to_thread(database.close)


async def test_a_connection_is_checked_after_a_pause_or_an_error_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, connection, checks = (
        SimpleNamespace(now=100.0),
        SimpleNamespace(vendor="postgresql", errors_occurred=False),
        [],
    )
    monkeypatch.setattr(database_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(database_module, "connection", connection)
    monkeypatch.setattr(database_module, "close_old_connections", lambda: checks.append(clock.now))
    database = DatabaseThread()
    for clock.now in (100.0, 100.5, 101.4, 102.4, 102.5):
        await database.run(int)
    assert checks == [100.0, 102.4]
    connection.errors_occurred = True
    await database.run(int)
    assert checks == [100.0, 102.4, 102.5]
    connection.vendor = "sqlite"
    clock.now = 200.0
    await database.run(int)
    assert checks == [100.0, 102.4, 102.5]
    await asyncio.to_thread(database.close)
