"""A lab behind the pages, as the server's own, on a fake engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dashboard.engine.protocol import Engine
from dashboard.web.service import HubPublisher, service
from tests.benches import Bench, close_bench, open_bench


@asynccontextmanager
async def lab_here(engine: Engine, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """``service`` with a lab on ``engine`` until the block ends."""
    bench = await open_bench(engine, data_dir)
    bench.context.publisher = HubPublisher()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(service, "_lab", bench.lab)
            patch.setattr(service, "_loop", asyncio.get_running_loop())
            yield bench
    finally:
        await close_bench(bench)
