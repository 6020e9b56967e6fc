"""A lab asked through the database, on SQLite and without Redis: everything is found by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls, rpc
from dashboard.lab.remote.rpc import Question
from dashboard.lab.remote.rpc_server import TeamLab
from dashboard.lab.remote.wakeups import Wakes
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.store.operations import rpc_queue
from dashboard.web.operations.remote_lab import FarLab, in_database
from tests.fakes import FakeEngine
from tests.lab_harness import LabHarness, close_lab_harness, open_lab_harness
from tests.polling import eventually


@pytest.fixture
async def lab_harness(tmp_path: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    made = await open_lab_harness(FakeEngine(), tmp_path)
    yield made
    await close_lab_harness(made)


@pytest.fixture
async def team(lab_harness: LabHarness) -> AsyncIterator[TeamLab]:
    keeper = Supervisor(lab_harness.publisher)
    keeper._lab, keeper._loop = lab_harness.lab, asyncio.get_running_loop()
    made = TeamLab(keeper, Wakes(), lambda: None)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def far(transactional_db: None) -> AsyncIterator[FarLab]:
    made = FarLab(Wakes())
    await made.start()
    yield made
    await made.close()


def question(function: Any) -> Question:
    found = rpc.question_of(function)
    assert found is not None
    return found


async def test_without_a_lab_every_question_is_refused_at_once(far: FarLab) -> None:
    with pytest.raises(LabUnavailableError, match="No lab has been here yet"):
        await far.ask(question(experiment_calls.doctor), "")
    assert far.facts.engine is None
    assert far.heart() is None


async def test_facts_and_answers_come_from_afar(team: TeamLab, far: FarLab, lab_harness: LabHarness) -> None:
    await eventually(lambda: far.facts.engine)
    assert far.facts.engine == lab_harness.context.ref
    heart = far.heart()
    assert heart is not None
    assert heart.vitals.engine == "26.1.5"
    found = await far.ask(question(experiment_calls.surroundings), "")
    assert {mode.mode for mode in found.modes} >= {"host", "bridge"}
    with pytest.raises(NotRunningError, match="launch it again"):
        await far.ask(question(actions.try_ways), "", "nothing")
    with pytest.raises(LabUnavailableError):
        await far.ask(question(experiment_calls.capacity), "")
    with pytest.raises(NotRunningError):
        await far.ask(question(actions.inspect), "", "nothing", "machine", "hosts")


async def test_an_output_comes_in_pieces_and_ends_when_nobody_reads(
    team: TeamLab, far: FarLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def endless(_lab: Lab, experiment: str, column: str, command: str, name: str = "") -> Any:
        async def pieces() -> AsyncIterator[str]:
            try:
                number = 0
                while True:
                    number += 1
                    yield f"{experiment} {number}\n"
                    await asyncio.sleep(0.01)
            finally:
                ended.set()

        return pieces()

    await eventually(lambda: far.facts.engine)
    inspect = question(actions.inspect)
    monkeypatch.setitem(rpc.QUESTIONS, inspect.name, _standing_in(inspect, endless))
    output = await far.ask(inspect, "", "abc", "machine", "hosts")
    read = ""
    async with aclosing(output):
        async for text in output:
            read += text
            if "abc 20\n" in read:
                break
    assert read.startswith("abc 1\nabc 2\n")
    await asyncio.wait_for(ended.wait(), 5)


def _standing_in(question: Question, function: Any) -> Question:
    """The same question, answered by something else."""
    made = Question(question.function)
    _ = made.streams, made._arguments, made._hints
    made.__dict__["function"] = function  # after what its signature says was read
    return made


async def test_a_lab_that_falls_silent_is_away_and_its_questions_end(
    team: TeamLab, far: FarLab, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.core.operations.deployment.AWAY_S", 0.3)
    await eventually(lambda: far.facts.engine)
    for task in team._loops:
        task.cancel()  # as if it had been killed
    with pytest.raises(LabUnavailableError, match="does not answer"):
        await far.ask(question(experiment_calls.doctor), "")
    assert far.facts.engine is None


async def test_the_last_word_of_a_lab_counts_at_once(team: TeamLab, far: FarLab) -> None:
    await eventually(lambda: far.facts.engine)
    await team.close()
    await eventually(lambda: far.facts.engine is None)
    beat = await in_database(rpc_queue.newest_beat)
    assert beat is not None
    assert beat.number == 0
