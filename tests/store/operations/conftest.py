"""A PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.bench.operations.postgres_nats import Postgres, postgres_server, temporary_folder


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this module's tests."""
    with temporary_folder() as folder, postgres_server(folder) as running:
        yield running
