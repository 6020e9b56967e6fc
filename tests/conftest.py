"""Fixtures that every part of the suite may use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from dashboard.engine.docker_engine import DockerEngine
from tests.private_engine import PrivateEngine, private_engine


@pytest.fixture(scope="session")
def engine_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """One private host for the whole run, with the lab image loaded and tagged ``nginx``."""
    with private_engine(tmp_path_factory.mktemp("engine-host")) as host:
        yield host


@pytest.fixture
async def engine(engine_host: PrivateEngine) -> AsyncIterator[DockerEngine]:
    """A connection of its own to the suite's engine."""
    connection = DockerEngine(engine_host.endpoint)
    yield connection
    await connection.close()
