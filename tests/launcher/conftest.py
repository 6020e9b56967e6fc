from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.fake_machine import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Debian as root, with everything that the commands need but an engine."""
    with tempfile.TemporaryDirectory(prefix="nm") as folder:
        yield Machine(Path(folder))


@pytest.fixture
def desk() -> Iterator[Machine]:
    """The same machine for an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="nm") as folder:
        yield Machine(Path(folder), uid=1000)
