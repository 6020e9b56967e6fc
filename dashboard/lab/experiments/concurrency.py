"""Concurrent work of which every part runs to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def gather_all(*work: Awaitable[object]) -> None:
    """Waits for all, then raises the first error, if there was one; ``asyncio.gather`` would raise it at once."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
