"""Replaces the engine of a private host by a function that starts its containers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from dashboard.lab.engine import restart


def start_containers_with(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[str], object], calls: list[object] | None = None
) -> None:
    """Makes hosts that are started again start their containers with ``start``, which may raise. ``calls`` gets the
    endpoint of each connection, and "closed" at its end."""
    calls = [] if calls is None else calls

    @asynccontextmanager
    async def connect(endpoint: str, **_options: object) -> AsyncIterator[SimpleNamespace]:
        async def start_container(identity: str) -> None:
            start(identity)

        calls.append(endpoint)
        yield SimpleNamespace(start_container=start_container)
        calls.append("closed")

    monkeypatch.setattr(restart, "DockerEngine", connect)
