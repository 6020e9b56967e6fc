"""Runs of claims that are wanted: driven one at a time, followed, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, holds
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.claims import worker as claim_worker
from dashboard.lab.reaper import reap
from dashboard.store import claim_runs
from dashboard.store.claim_runs import Described
from tests.fakes import FakeEngine
from tests.lab_harness import LabHarness
from tests.polling import eventually


def claim_of(name: str, observe: Callable[[Stage], Any]) -> Claim:
    def judge(seen: Any) -> Judgement:
        return holds(f"seen: {seen}")

    return Claim(name, Topic.BRIDGE, "It is so.", "here", observe, judge)


@pytest.fixture
def held() -> asyncio.Event:
    """Set by a claim that has launched something and waits."""
    return asyncio.Event()


@pytest.fixture(autouse=True)
def _claims(monkeypatch: pytest.MonkeyPatch, held: asyncio.Event, fake: FakeEngine) -> None:
    async def quick(stage: Stage) -> str:
        return (await stage.run("docker run -d IMAGE")).status

    async def waits(stage: Stage) -> None:
        await stage.run("docker run -d IMAGE")
        held.set()
        await asyncio.Event().wait()

    fake.add_image("netmodes-lab:1")
    monkeypatch.setattr(claim_worker, "all_claims", lambda: (claim_of("quick", quick), claim_of("waits", waits)))


async def want(lab_harness: LabHarness, *claims: str) -> str:
    run = await lab_harness.database.run(claim_runs.create_run, claims)
    lab_harness.lab.wake()
    return run


async def reaches(lab_harness: LabHarness, run: str, state: str) -> Described:
    async def found() -> Described | None:
        now = await lab_harness.database.run(claim_runs.describe, run)
        return now if now is not None and now.state == state else None

    reached: Described = await eventually(found)
    return reached


async def test_a_run_that_is_wanted_is_executed_and_leaves_nothing(quick: LabHarness, fake: FakeEngine) -> None:
    first, second = await want(quick, "quick"), await want(quick, "quick", "no-such-any-more")
    found = await reaches(quick, first, "finished")
    assert (found.count.holds, found.engines) == (1, ("Docker Engine 26.1.5 (fake)",))
    await reaches(quick, second, "finished")
    outcomes = await quick.database.run(claim_runs.outcomes, second)
    assert [one.executed.verdict if one.executed else None for one in outcomes] == [ClaimVerdict.HOLDS, None]
    assert fake.made == {}


async def test_a_run_is_ended_when_somebody_asks_and_what_it_found_is_kept(
    quick: LabHarness, fake: FakeEngine, held: asyncio.Event
) -> None:
    run = await want(quick, "quick", "waits")
    await held.wait()
    other = await want(quick, "quick")
    assert await quick.database.run(claim_runs.want_cancelled, other)
    assert await quick.database.run(claim_runs.want_cancelled, run)
    found = await reaches(quick, run, "cancelled")
    assert fake.made == {}
    assert found.asked == 2
    assert (await reaches(quick, other, "cancelled")).done == 0


async def test_containers_of_a_run_are_nobodys_to_remove_while_it_lives(
    quick: LabHarness, fake: FakeEngine, held: asyncio.Event
) -> None:
    await want(quick, "waits")
    await held.wait()
    assert (await reap(quick.context)).removed == ()
    assert len(fake.made) == 1


async def test_a_server_that_stops_ends_its_run(quick: LabHarness, fake: FakeEngine, held: asyncio.Event) -> None:
    run = await want(quick, "waits")
    await held.wait()
    await quick.lab.stop_all()
    await reaches(quick, run, "cancelled")
    assert fake.made == {}


async def test_an_engine_that_does_not_answer_fails_the_run_with_its_sentence(
    quick: LabHarness, fake: FakeEngine
) -> None:
    fake.refuse["image"] = EngineUnreachable("It hangs.", 503)
    run = await want(quick, "quick")
    assert (await reaches(quick, run, "failed")).problem == "It hangs."
