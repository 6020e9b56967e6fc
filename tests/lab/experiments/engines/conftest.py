"""A lab on an engine that a module starts as its fixture ``host``."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.engine.docker_engine import DockerEngine
from tests.support.lab_harness import LabHarness, close_lab_harness, open_lab_harness
from tests.support.private_engine import PrivateEngine


@pytest.fixture
async def lab(host: PrivateEngine, tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab that is stopped and cleaned up at the end."""
    made = await open_lab_harness(DockerEngine(host.endpoint, timeout_s=30), tmp_path)
    yield made
    await close_lab_harness(made)
