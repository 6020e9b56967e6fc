"""Queries of a lab run one at a time."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import dj_database_url
import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import ConnectionHandler

from dashboard import configuration
from dashboard.bench.operations.postgres_nats import Postgres, temporary_folder
from dashboard.store import database as database_module
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
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
        journal_store.newest([experiment])
        running -= 1

    await asyncio.gather(*(database.run(work) for _ in range(30)))
    assert most == 1
    with pytest.raises(ZeroDivisionError):
        await database.run(lambda: 1 / 0)
    await asyncio.to_thread(database.close)


async def test_a_connection_is_checked_after_a_pause_or_an_error_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, connection, checks = (
        SimpleNamespace(now=100.0),
        SimpleNamespace(vendor="postgresql", errors_occurred=False, connection=None),
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


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with temporary_folder() as folder, Postgres(folder) as running:
        yield running


def _use(url: str) -> None:
    """Makes this URL the default database of this thread, with a pool of its own, as in a lab."""
    settings = dict(dj_database_url.parse(url))
    configuration.configure_pool(settings)
    connections["default"] = ConnectionHandler({"default": {}, "lab": settings})["lab"]


def _leave() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL


def _pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.engine
async def test_a_connection_ends_ten_seconds_after_the_network_has_gone(postgres: Postgres) -> None:
    def option() -> int:
        with socket.socket(fileno=os.dup(connection.connection.fileno())) as opened:
            return opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    database = DatabaseThread()
    await database.run(_use, postgres.url)
    await database.run(_pid)
    assert await database.run(option) == 10_000, "milliseconds, tcp(7)"
    await database.run(_leave)
    await asyncio.to_thread(database.close)


@pytest.mark.engine
async def test_a_connection_that_the_server_has_just_closed_is_replaced(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "FRESH_S", 60.0)
    database = DatabaseThread()
    await database.run(_use, postgres.url)
    first = await database.run(_pid)
    assert await database.run(_pid) == first
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [first])  # returns when the connection has ended
    assert await database.run(_pid) != first
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    assert await database.run(_pid)
    await database.run(_leave)
    await asyncio.to_thread(database.close)
