"""Threads for queries."""

from __future__ import annotations

import asyncio
import threading

from dashboard.web.http.database import in_database, provide_threads
from dashboard.web.http.turn_queue import ADDRESS


async def test_views_of_an_address_that_hang_leave_threads_for_others() -> None:
    provide_threads()
    goes_on = threading.Event()
    hanging = [asyncio.create_task(in_database(goes_on.wait)) for _ in range(ADDRESS.turns + ADDRESS.late)]
    try:
        assert await asyncio.wait_for(in_database(lambda: "a query"), 5) == "a query"
    finally:
        goes_on.set()
        await asyncio.gather(*hanging)
