"""The wait for the removal of a container that was started with ``--rm``."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.engine import removal
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.engine.removal import wait_removed
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually

ABSENT = "0" * 64


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


async def test_a_container_that_does_not_exist_is_removed(fake: FakeEngine) -> None:
    await wait_removed(fake, ABSENT)
    assert fake.calls == ["inspect_container"]


async def test_a_refusal_other_than_404_is_no_removal(fake: FakeEngine) -> None:
    fake.refuse["inspect_container"] = EngineError("the database is locked", 500)
    waiting = asyncio.create_task(wait_removed(fake, ABSENT))
    await eventually(lambda: fake.calls.count("inspect_container") > 1)
    assert not waiting.done()
    del fake.refuse["inspect_container"]
    await waiting


async def test_the_wait_is_bounded(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "REMOVAL_S", 0.05)
    fake.refuse["inspect_container"] = EngineError("the database is locked", 500)
    await wait_removed(fake, ABSENT)


async def test_an_engine_that_does_not_answer_is_an_error(fake: FakeEngine) -> None:
    fake.away = "nobody there"
    with pytest.raises(EngineUnreachable):
        await wait_removed(fake, ABSENT)
