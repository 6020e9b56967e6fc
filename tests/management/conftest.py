"""What the commands' tests share: each runs as its own process, in a data folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.management.terminal import Terminal
from tests.support.private_engine import PrivateEngine, share_lab_image


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a data folder has that was used before: the database as this version needs it, and nothing in it."""
    folder = tmp_path_factory.mktemp("kept")
    done = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder)}, folder).run("migrate", "-v", "0")
    assert done.code == 0, done.err
    return folder


def used_before(folder: Path, kept: Path) -> Path:
    """A data folder for one test: what takes seconds was done once for all."""
    shutil.copytree(kept, folder, symlinks=True, ignore=shutil.ignore_patterns("secret.key"))
    return folder


@pytest.fixture
def terminal(engine_host: PrivateEngine, tmp_path: Path, kept: Path) -> Iterator[Terminal]:
    """A terminal whose engine is the suite's; nothing stays on it."""
    folder = used_before(tmp_path / "data", kept)
    share_lab_image(folder)
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": engine_host.endpoint}, folder)
    yield made
    made.close()
    engine_host.leave_nothing()


@pytest.fixture
def nowhere(tmp_path: Path, kept: Path) -> Iterator[Terminal]:
    """A terminal from which no engine answers."""
    folder = used_before(tmp_path / "data", kept)
    missing = f"unix://{tmp_path}/docker.sock"
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": missing}, folder)
    yield made
    made.close()
