"""What the commands' tests share: each runs as its own process, in a data folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.management.terminal import Terminal
from tests.private_engine import PrivateEngine


@pytest.fixture
def terminal(engine_host: PrivateEngine, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal whose engine is the suite's; nothing stays on it."""
    folder = tmp_path / "data"
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": engine_host.endpoint}, folder)
    yield made
    made.close()
    containers = engine_host.docker("ps", "-aq").split()
    networks = engine_host.docker("network", "ls", "-q", "--filter", "type=custom").split()
    if containers:
        engine_host.docker("rm", "-f", "-v", *containers)
    if networks:
        engine_host.docker("network", "rm", *networks)
    assert not containers, f"containers stay: {containers}"
    assert not networks, f"networks stay: {networks}"


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal from which no engine answers."""
    folder = tmp_path / "data"
    missing = f"unix://{tmp_path}/docker.sock"
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": missing}, folder)
    yield made
    made.close()
