"""``up`` of root: what its lab does before it serves. Processes: test_served_pages.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from dashboard.management.pages import lab_and_pages
from dashboard.store.database import LAB_WAIT_S, DatabaseThread, limit_waiting


class Pages:
    """A web process that ends at once."""

    def start(self) -> None:
        pass

    async def run(self, _server: object, on_ready: Callable[[], None]) -> None:
        on_ready()

    async def stop(self) -> None:
        pass


@pytest.mark.django_db(transaction=True)
async def test_the_lab_waits_for_other_writers_as_long_as_any_lab_and_limits_its_garbage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[int] = []

    def read_wait() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            waits.append(cursor.fetchone()[0])

    class Lab:
        """A supervisor that only reads how long its thread waits for the database."""

        def __init__(self, _publisher: object) -> None:
            pass

        async def open_lab(self, _folder: Path, _say: Any) -> None:
            thread = DatabaseThread()
            await thread.run(read_wait)
            thread.close()

        async def close_lab(self, _say: Any) -> None:
            pass

    monkeypatch.setattr(lab_and_pages, "Supervisor", Lab)
    ready: list[str] = []
    monkeypatch.setattr(lab_and_pages, "limit_garbage", lambda: ready.append("limited"))
    try:
        await lab_and_pages.run_lab_and_pages(tmp_path, Pages(), print, lambda: ready.append("ready"))  # type: ignore[arg-type]
    finally:
        connection_created.disconnect(limit_waiting)
    assert ready == ["limited", "ready"]
    assert waits == [LAB_WAIT_S * 1000]
