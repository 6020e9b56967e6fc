"""A lab on a fake engine behind the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dashboard.engine.protocol import Engine
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.web.service import service, wake_hubs
from tests.support.lab_harness import LabHarness, open_lab_harness


@asynccontextmanager
async def lab_here(engine: Engine, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LabHarness]:
    """``service`` with a lab on ``engine`` until the block ends."""
    async with open_lab_harness(engine, data_dir) as lab_harness:
        lab_harness.context.publisher = Publisher(wake_hubs)
        with monkeypatch.context() as patch:
            patch.setattr(service, "_lab", lab_harness.lab)
            patch.setattr(service, "_loop", asyncio.get_running_loop())
            yield lab_harness
