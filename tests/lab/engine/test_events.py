"""dashboard.lab.engine.events; test_faults.py loses real engines, test_keeper.py starts them again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dashboard.lab.engine import events as module
from dashboard.lab.engine.events import EngineEvents
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import RecordingPublisher, close_context, make_context
from tests.support.polling import eventually

pytestmark = pytest.mark.django_db(transaction=True)


async def test_an_engine_that_is_back_is_read_again_and_wakes_the_lab(tmp_path: Path) -> None:
    engine = FakeEngine()
    context = make_context(engine, make_info(), tmp_path, RecordingPublisher(), "x")
    woken: list[bool] = []
    events = EngineEvents(context, {}, lambda: woken.append(True))
    events.watch.lost()
    engine.facts = make_info(version="28.5.2")
    await events.on_back()
    assert (context.info.version, events.watch.answers, woken) == ("28.5.2", True, [True])
    engine.away = "gone"
    events.watch.lost()
    await events.on_back()
    assert (events.watch.answers, woken) == (False, [True])
    await close_context(context)


async def test_an_engine_that_hung_is_back_within_a_second_after_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = FakeEngine()
    context = make_context(engine, make_info(), tmp_path, RecordingPublisher(), "x")
    events = EngineEvents(context, {}, lambda: None)
    events.watch.lost()
    engine.away = "it hangs"
    pings: list[bool] = []
    ping = engine.ping

    async def counted() -> None:
        pings.append(True)
        await ping()

    monkeypatch.setattr(engine, "ping", counted)
    # The ordinary pause would be longer than this test.
    monkeypatch.setattr(module, "PING_S", 3600.0)
    task = asyncio.ensure_future(events.ping())
    await eventually(lambda: len(pings) >= 2)
    assert not events.watch.answers
    engine.away = ""
    await eventually(lambda: events.watch.answers)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await close_context(context)


async def test_the_end_of_an_engine_that_is_not_kept_is_ignored(tmp_path: Path) -> None:
    context = make_context(FakeEngine(), make_info(), tmp_path, RecordingPublisher(), "x")
    events = EngineEvents(context, {}, lambda: None)
    await events.on_ended()
    assert events.watch.answers
    await close_context(context)
