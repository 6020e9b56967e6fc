"""Predict, run, check: attempts, unlocked steps and events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.core.workshops.model import Step, Workshop, correct_choice
from dashboard.core.workshops.parser import HEAD, parse_workshop
from dashboard.core.workshops.progress import Event, summarise
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.workshops.step import SharedObservations, StepLockedError, StepRunner
from dashboard.store import workshops as store
from dashboard.store.database import DatabaseThread
from tests.lab.hosts import host_for, private_workshop_host
from tests.lab.training_builders import workshop as built_in
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually, others_run
from tests.support.private_engine import PrivateEngine

pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    HEAD: 'format = 1\ntitle = "W"\nsummary = "S."\n',
    "01-launch.md": """+++
title = "Launch"
run = ["docker run -d --name web nginx"]
hints = ["One.", "Two."]
[predict]
question = "What happens to it?"
choices = ["It runs", "It is gone"]
values = ["running", "gone"]
reading = {kind = "container-status", name = "web"}
[[check]]
kind = "container-running"
name = "web"
+++
Launch it.
""",
    "02-read.md": '+++\ntitle = "Read"\n+++\nRead this.\n',
    "03-look.md": '+++\ntitle = "Look"\n[[check]]\nkind = "container-running"\n+++\nLook.\n',
}


def workshop() -> Workshop:
    loaded = parse_workshop("w", FILES)
    assert loaded.workshop is not None, loaded.problems
    return loaded.workshop


@pytest.fixture
async def runner(fake: FakeEngine, tmp_path: Path) -> AsyncIterator[StepRunner]:
    """A started workshop on a fake engine, with a clock that advances with every call."""
    database = DatabaseThread()
    moments = iter(range(1000, 100_000))
    loaded = workshop()
    await database.run(store.start, "user:1", loaded.slug, loaded.digest, 999.0)
    async with host_for(fake, tmp_path) as host:
        yield StepRunner(
            host,
            database,
            lambda: float(next(moments)),
            "user:1",
            loaded,
            observations=SharedObservations(),
        )
    await asyncio.to_thread(database.close)


async def events_of(runner: StepRunner) -> tuple[Event, ...]:
    events: tuple[Event, ...] = await runner.database.run(store.load_events, "user:1", "w")
    return events


async def test_a_workshop_can_be_done_from_the_first_step_to_the_last(runner: StepRunner) -> None:
    with pytest.raises(StepLockedError, match="when “Launch” is done"):
        await runner.check("read", pressed=True)
    with pytest.raises(StepLockedError, match="Predict first"):
        await runner.run("launch", 0)
    early = await runner.check("launch", pressed=True)
    assert (early.passed, early.record.attempts) == (False, 0), "before the prediction no attempt is counted"
    assert (await runner.predict("launch", 1)).prediction == 1
    assert (await runner.predict("launch", 0)).prediction == 1, "the first one counts"
    missing = await runner.check("launch", pressed=True)
    assert (missing.passed, missing.record.attempts, missing.record.unmet) == (False, 1, True)
    assert "Nothing was launched" in missing.advice
    assert missing.record.failing == "a container named web running"
    assert (await runner.check("launch", pressed=False)).record.attempts == 1, "an automatic check is no attempt"
    assert (await runner.run("launch", 0)).failed == ""
    done = await runner.check("launch", pressed=False)
    assert (done.passed, done.record.truth, done.record.failing) == (True, "running", "")
    assert not (await runner.check("read", pressed=False)).passed, "a text must be marked as read"
    assert (await runner.check("read", pressed=True)).passed
    assert not (await runner.check("look", pressed=False)).passed, (
        "everything held from the start: the text comes first"
    )
    assert (await runner.check("look", pressed=True)).passed
    progress = await runner.database.run(store.load_progress, "user:1", "w")
    assert progress is not None
    assert progress.finished_at > 1000
    kinds = [event.kind for event in await events_of(runner)]
    assert kinds == ["started", "predicted", "predicted", "checked", "did", "passed", "passed", "passed", "finished"]


async def test_a_completed_step_stays_completed_when_it_is_checked_again(runner: StepRunner, fake: FakeEngine) -> None:
    await runner.predict("launch", 0)
    await runner.run("launch", 0)
    assert (await runner.check("launch", pressed=True)).passed
    fake.kill("web")
    back = await runner.check("launch", pressed=True)
    assert back.passed, "what is done stays done"
    assert not back.judgement.ok, "and the current state is shown"
    assert back.record.attempts == 0
    assert "exited with code 137" in back.advice


async def test_the_instructors_gate_holds(runner: StepRunner) -> None:
    runner.until = 1
    await runner.predict("launch", 0)
    await runner.run("launch", 0)
    assert (await runner.check("launch", pressed=True)).passed
    with pytest.raises(StepLockedError):
        await runner.check("read", pressed=True)
    runner.until = None
    assert (await runner.check("read", pressed=True)).passed


async def test_invalid_input_is_refused_and_changes_nothing(runner: StepRunner) -> None:
    for choice in (-1, 2):
        with pytest.raises(ValueError, match="Choose one"):
            await runner.predict("launch", choice)
    await runner.predict("launch", 0)
    for number in (-1, 1):
        with pytest.raises(ValueError, match="no such command"):
            await runner.run("launch", number)
    with pytest.raises(StepLockedError, match="Start the workshop"):
        await runner.check("nowhere", pressed=True)
    await runner.database.run(store.delete_progress, "user:1", "w")
    with pytest.raises(StepLockedError, match="Start the workshop"):
        await runner.check("launch", pressed=True)


async def test_the_number_of_opened_hints_is_recorded(runner: StepRunner) -> None:
    for number in (1, 2, 1, 99, -5):
        await runner.hint("launch", number)
    progress = await runner.database.run(store.load_progress, "user:1", "w")
    assert progress is not None
    assert progress.records["launch"].hints == 2
    assert [event.detail for event in await events_of(runner)][1:] == ["1", "2", "1", "2", "0"]


async def test_automatic_checks_share_an_observation(runner: StepRunner, fake: FakeEngine) -> None:
    await runner.predict("launch", 0)
    fake.hold["containers"] = asyncio.Event()
    fake.calls.clear()
    looking = [asyncio.ensure_future(runner.check("launch", pressed=False)) for _ in range(10)]
    pressed = asyncio.ensure_future(runner.check("launch", pressed=True))
    while fake.calls.count("containers") < 2:
        await others_run()
    fake.hold.pop("containers").set()
    await asyncio.gather(*looking, pressed)
    assert fake.calls.count("containers") == 2, "one for all automatic checks, and one for the pressed one"


async def test_an_unreachable_engine_counts_as_no_attempt(runner: StepRunner, fake: FakeEngine) -> None:
    await runner.predict("launch", 0)
    fake.away = "nobody"
    for pressed in (True, False):
        with pytest.raises(EngineUnreachable):
            await runner.check("launch", pressed=pressed)
    fake.away = ""
    progress = await runner.database.run(store.load_progress, "user:1", "w")
    assert progress is not None
    assert progress.records["launch"].attempts == 0


@pytest.mark.engine
@pytest.mark.parametrize("slug", ["host-network", pytest.param("bridge-and-dns", marks=pytest.mark.slow)])
async def test_a_workshop_can_be_completed_by_its_commands_alone(engine_host: PrivateEngine, slug: str) -> None:
    """The buttons complete each step, and every prediction has a correct choice."""
    database = DatabaseThread()
    found = built_in(slug)
    async with private_workshop_host(engine_host) as host:
        await database.run(store.start, "user:2", found.slug, found.digest, time.time())
        runner = StepRunner(host, database, time.time, "user:2", found)
        for step in found.steps:
            await _complete(runner, step)
        progress = await database.run(store.load_progress, "user:2", found.slug)
    assert progress is not None
    summary = summarise(found, progress.records)
    assert (summary.done, summary.finished_at) == (len(found.steps), progress.finished_at)
    assert summary.asked == sum(1 for step in found.steps if step.predict is not None)
    await asyncio.to_thread(database.close)


async def _complete(runner: StepRunner, step: Step) -> None:
    if step.predict is not None:
        await runner.predict(step.slug, 0)
    for number in range(len(step.run)):
        done = await runner.run(step.slug, number)
        assert done.failed == "", done

    async def is_done() -> bool:
        return (await runner.check(step.slug, pressed=True)).passed

    await eventually(is_done)
    record = (await runner.check(step.slug, pressed=True)).record
    assert step.predict is None or correct_choice(step.predict, record.truth) is not None, (step.slug, record.truth)
