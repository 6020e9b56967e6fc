"""Queries of a lab run one at a time."""

from __future__ import annotations

import asyncio

import pytest

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
