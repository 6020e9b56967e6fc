"""A lab on an engine that a module starts as its fixture ``host``."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.engine.docker_engine import DockerEngine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.private_engine import PrivateEngine


@pytest.fixture
async def lab(host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that is stopped at the end, and leaves nothing on the engine."""
    async with open_lab_harness(DockerEngine(host.endpoint, timeout_s=30), tmp_path) as made:
        yield made
    host.leave_nothing()
