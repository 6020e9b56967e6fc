"""Fixtures of experiments on several machines."""

from __future__ import annotations

import pytest
from channels.db import database_sync_to_async

from tests.web.experiments.machines.experiment import create


@pytest.fixture
def whole() -> str:
    return create()


@pytest.fixture
async def shown() -> str:
    identity: str = await database_sync_to_async(create)()
    return identity
