"""Threads for queries."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from dashboard.configuration import database_connections
from dashboard.store.database import FEED_THREAD, PAGE_WAIT_S, limit_waiting
from dashboard.store.telemetry import telemetry
from dashboard.web.http import database, turn_queue
from dashboard.web.http.database import (
    KEPT_CONNECTIONS,
    close_feed_thread,
    provide_threads,
    to_db_thread,
    to_feed_thread,
)
from dashboard.web.http.turn_queue import ADDRESS
from dashboard.web.http.turns import RequestGuard
from tests.support.polling import eventually


async def test_views_of_an_address_that_hang_leave_threads_for_others() -> None:
    provide_threads()
    goes_on = threading.Event()
    hanging = [asyncio.create_task(to_db_thread(goes_on.wait)) for _ in range(ADDRESS.turns + ADDRESS.late)]
    try:
        assert await asyncio.wait_for(to_db_thread(lambda: "a query"), 20) == "a query"
    finally:
        goes_on.set()
        await asyncio.gather(*hanging)


class HangingQueries:
    """An application in which each request has a query that hangs until the test lets it end."""

    def __init__(self) -> None:
        self.begun = 0
        self.goes_on = threading.Event()
        self._lock = threading.Lock()

    def has_begun(self, count: int) -> bool:
        return self.begun == count

    def _hang(self) -> None:
        with self._lock:
            self.begun += 1
        self.goes_on.wait()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await to_db_thread(self._hang)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_requests_of_several_addresses_that_hang_leave_connections_for_feeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "connection", SimpleNamespace(vendor="postgresql"))
    monkeypatch.setattr(turn_queue, "TURN_S", 0.001)
    provide_threads()
    queries = HangingQueries()
    guard = RequestGuard(queries, of_cookie=ADDRESS)

    async def send(_message: Any) -> None:
        return

    async def request(address: str) -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        await guard({"type": "http", "client": (address, 1), "headers": []}, receive, send)

    count = 3 * (ADDRESS.turns + ADDRESS.late)
    requests = [asyncio.create_task(request(f"192.0.2.{number % 3}")) for number in range(count)]
    try:
        addresses = guard._addresses.values
        await eventually(lambda: sum(address.begun for address in addresses()) == count)
        await eventually(partial(queries.has_begun, database_connections() - KEPT_CONNECTIONS))
        assert await asyncio.wait_for(to_db_thread(lambda: "a feed"), 20) == "a feed"
        assert queries.has_begun(database_connections() - KEPT_CONNECTIONS)
    finally:
        queries.goes_on.set()
        await asyncio.gather(*requests)
    assert queries.has_begun(count)


def connection_of_thread() -> object:
    connection.ensure_connection()
    return connection.connection


@pytest.mark.skipif(connection.vendor != "sqlite", reason="connections to PostgreSQL come from a pool")
@pytest.mark.django_db(transaction=True)
async def test_queries_of_feeds_reuse_the_connection_to_sqlite_until_it_is_closed() -> None:
    close_feed_thread()
    try:
        first = await to_feed_thread(connection_of_thread)
        assert await to_feed_thread(connection_of_thread) is first
        close_feed_thread()
        assert await to_feed_thread(connection_of_thread) is not first
    finally:
        close_feed_thread()


def busy_timeout_ms() -> object:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return cursor.fetchone()[0]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="connections to PostgreSQL come from a pool")
@pytest.mark.django_db(transaction=True)
async def test_queries_of_feeds_wait_as_pages_do_and_are_not_calls_of_the_lab() -> None:
    close_feed_thread()
    connection_created.connect(limit_waiting)
    calls = telemetry.metrics().database_s
    try:
        assert await to_feed_thread(busy_timeout_ms) == PAGE_WAIT_S * 1000
        assert telemetry.metrics().database_s == calls
    finally:
        connection_created.disconnect(limit_waiting)
        close_feed_thread()


async def test_queries_of_feeds_use_the_pool_of_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "connection", SimpleNamespace(vendor="postgresql"))
    threads = {await to_feed_thread(lambda: threading.current_thread().name) for _ in range(3)}
    assert not any(name.startswith(FEED_THREAD) for name in threads)
