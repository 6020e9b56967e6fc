"""Fixtures that every part of the suite may use, and the suite in several processes (tests/support/workers.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dashboard import configuration
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from tests.support import workers
from tests.support.private_engine import PrivateEngine, private_engine, share_lab_image


def pytest_configure(config: pytest.Config) -> None:
    """Sets up the process: its signals, and in a worker a machine of its own."""
    workers.restore_interrupts()
    if workers.is_worker(config):
        workers.own_network()
    else:
        workers.allow_time_to_clean_up()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means."""
    return workers.worker_count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Before the workers start."""
    workers.own_folders(specs, configuration.data_dir())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.Scheduler | None:
    """Ours, unless another one was asked for with ``--dist``."""
    return workers.Scheduler(config, log) if config.getoption("dist") == "load" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """In a worker, whatever ends the run early is followed by an orderly end."""
    try:
        return (yield)
    except KeyboardInterrupt:
        if workers.is_worker(session.config):
            workers.clean_up_in_peace()
        raise


@pytest.fixture(scope="session")
def engine_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """One private host for the whole run, or for each worker, with the lab image loaded and tagged ``nginx``."""
    with private_engine(tmp_path_factory.mktemp("engine-host")) as host:
        yield host


@pytest.fixture(scope="session")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder for hosts of classes: their template is made in it once for the whole run, or for each worker."""
    folder = tmp_path_factory.mktemp("class")
    share_lab_image(folder)
    yield folder
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
async def engine(engine_host: PrivateEngine) -> AsyncIterator[DockerEngine]:
    """A connection of its own to the suite's engine."""
    connection = DockerEngine(engine_host.endpoint)
    yield connection
    await connection.close()
