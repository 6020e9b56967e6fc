"""A PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.bench.operations.postgres_nats import Postgres, temporary_folder


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this module's tests."""
    with temporary_folder() as folder, Postgres(folder) as running:
        yield running
