"""Fixtures for tests of commands, each in a separate process and data folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.private_engine import PrivateEngine, share_lab_image
from tests.support.terminal import Terminal


def used_before(folder: Path, kept: Path) -> Path:
    """A copy of the data folder ``kept`` for one test, so that the migration, which takes seconds, runs only once."""
    shutil.copytree(kept, folder)
    return folder


@pytest.fixture
def terminal(engine_host: PrivateEngine, tmp_path: Path, kept: Path) -> Iterator[Terminal]:
    """A terminal with the suite's engine, which must be empty afterwards."""
    folder = used_before(tmp_path / "data", kept)
    share_lab_image(folder)
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": engine_host.endpoint}, folder)
    yield made
    made.close()
    engine_host.leave_nothing()


@pytest.fixture
def nowhere(tmp_path: Path, kept: Path) -> Iterator[Terminal]:
    """A terminal without an engine."""
    folder = used_before(tmp_path / "data", kept)
    missing = f"unix://{tmp_path}/docker.sock"
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": missing}, folder)
    yield made
    made.close()
