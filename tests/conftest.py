"""Fixtures that every part of the suite may use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.engine import private_host
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.lab_image import lab_image_archive
from tests.private_engine import CACHE, PrivateEngine, private_engine


@pytest.fixture(scope="session")
def engine_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """One private host for the whole run, with the lab image loaded and tagged ``nginx``."""
    with private_engine(tmp_path_factory.mktemp("engine-host")) as host:
        yield host


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder for hosts of classes: their template is made in it once for the whole run."""
    folder = tmp_path_factory.mktemp("class")
    archive = lab_image_archive(CACHE)
    (folder / "cache").mkdir()
    (folder / "cache" / archive.name).symlink_to(archive)
    yield folder
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
async def engine(engine_host: PrivateEngine) -> AsyncIterator[DockerEngine]:
    """A connection of its own to the suite's engine."""
    connection = DockerEngine(engine_host.endpoint)
    yield connection
    await connection.close()
