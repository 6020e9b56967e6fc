"""Docker hosts for workshops: the suite's private host, or a fake one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dashboard.core.workshops.observation import Observation
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import Engine
from dashboard.lab.watch_pool import WatchPool
from dashboard.lab.workshops.snapshot import WorkshopHost, observe_host
from tests.support.private_engine import PrivateEngine

LABELS = {"dev.netmodes.installation": "test", "dev.netmodes.workshop": "yes"}


@asynccontextmanager
async def host_for(engine: Engine, data_dir: Path, **more: Any) -> AsyncIterator[WorkshopHost]:
    """The host of an engine; its watches are closed at the end."""
    watches = WatchPool()
    fields: dict[str, Any] = {"pid": (await engine.info()).pid, "private": True, "labels": LABELS}
    try:
        yield WorkshopHost(engine=engine, data_dir=data_dir, watches=watches, **(fields | more))
    finally:
        await watches.close()


@asynccontextmanager
async def private_workshop_host(engine_host: PrivateEngine) -> AsyncIterator[WorkshopHost]:
    """The suite's private host."""
    engine = DockerEngine(engine_host.endpoint)
    try:
        async with host_for(engine, engine_host.data_dir) as host:
            yield host
    finally:
        await engine.close()


async def observe(host: WorkshopHost, *ports: int, lookups: tuple[str, ...] = ()) -> Observation:
    """The current observation."""
    return await observe_host(host, time.time(), lookups, ports)
