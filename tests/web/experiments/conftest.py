"""Fixtures of the tests of experiments: a hub, an experiment in the database, and an engine that does not answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from channels.db import database_sync_to_async

from dashboard.engine.protocol import EngineUnreachable
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.service import service
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


@pytest.fixture
def silent_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each question about an experiment fail, as if the engine of its private host did not answer."""

    async def ask_about(*_arguments: object) -> None:
        raise EngineUnreachable("The engine did not answer within 5 s.")

    monkeypatch.setattr(service, "ask_about", ask_about)
