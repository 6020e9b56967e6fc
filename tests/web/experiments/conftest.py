"""Fixtures of the tests of experiments: a hub, and an experiment in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.db import database_sync_to_async

from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import ExperimentHub
from tests.support.specs import make_spec


@pytest.fixture
async def hub() -> AsyncIterator[ExperimentHub]:
    made = ExperimentHub()
    yield made
    await made.close()


@pytest.fixture
async def identity() -> str:
    made: str = await database_sync_to_async(experiment_store.create_experiment)(
        make_spec("host", "bridge", "user-bridge")
    )
    return made
