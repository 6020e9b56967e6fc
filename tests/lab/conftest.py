"""Fixtures of the lab's tests: a lab on the suite's engine or a fake one, and a check for leftovers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.watch_pool import WatchPool
from tests.netns.namespaces import Netns
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.private_engine import PrivateEngine, nothing_stays

__all__ = ["nothing_stays"]


@pytest.fixture
async def lab_harness(engine_host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that runs on the suite's engine; stopped and cleaned up at the end."""
    async with open_lab_harness(DockerEngine(engine_host.endpoint), tmp_path) as made:
        made.skips_missing_modes = True
        yield made


@pytest.fixture
async def any_lab(any_host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that runs on the suite's engine, then one on the newest; stopped and cleaned up at the end."""
    async with open_lab_harness(DockerEngine(any_host.endpoint), tmp_path) as made:
        made.skips_missing_modes = True
        yield made
    any_host.leave_nothing()


@pytest.fixture
def fake() -> FakeEngine:
    """An engine in memory."""
    return FakeEngine()


@pytest.fixture
async def fake_lab(fake: FakeEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that runs on ``fake``."""
    async with open_lab_harness(fake, tmp_path) as made:
        yield made


@pytest.fixture
def netns() -> Iterator[Netns]:
    """A network namespace."""
    made = Netns()
    yield made
    made.close()


@pytest.fixture
async def pool() -> AsyncIterator[WatchPool]:
    """Watches of namespaces."""
    made = WatchPool()
    yield made
    await made.close()
