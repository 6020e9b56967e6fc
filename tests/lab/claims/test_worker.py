"""Queued runs of claims: executed one at a time, followed, cancelled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError

from dashboard.core.claims.model import Claim, Judgement, Topic, holds
from dashboard.core.claims.testbed import Testbed
from dashboard.core.reports.model import ClaimVerdict
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.claims import worker as claim_worker
from dashboard.lab.reaper import reap
from dashboard.store import claim_runs
from dashboard.store.claim_runs import RunSummary
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, fail_first_calls
from tests.support.polling import DEADLINE_S, eventually


def claim_of(name: str, observe: Callable[[Testbed], Any]) -> Claim:
    def judge(observed: Any) -> Judgement:
        return holds(f"observed: {observed}")

    return Claim(name, Topic.BRIDGE, "It is so.", "here", observe, judge)


@pytest.fixture
def launched() -> asyncio.Event:
    """Set by a claim that has launched a container and waits."""
    return asyncio.Event()


@pytest.fixture(autouse=True)
def _claims(monkeypatch: pytest.MonkeyPatch, launched: asyncio.Event, fake: FakeEngine) -> None:
    async def quick(testbed: Testbed) -> str:
        return (await testbed.run("docker run -d IMAGE")).status

    async def waits(testbed: Testbed) -> None:
        await testbed.run("docker run -d IMAGE")
        launched.set()
        await asyncio.Event().wait()

    fake.add_image("netmodes-lab:1")
    monkeypatch.setattr(claim_worker, "all_claims", lambda: (claim_of("quick", quick), claim_of("waits", waits)))


async def queue(lab_harness: LabHarness, *claims: str) -> str:
    run = await lab_harness.database.run(claim_runs.create_run, claims)
    lab_harness.lab.wake()
    return run


@asynccontextmanager
async def run_that_waits_for_the_lock(lab_harness: LabHarness) -> AsyncIterator[str]:
    """Holds the worker's lock, as a run on another host does; yields a run that waits for it."""
    worker = lab_harness.lab._claim_worker
    assert worker is not None
    async with worker._lock:
        run = await queue(lab_harness, "quick")
        await eventually(lambda: worker._task is not None)
        yield run


async def wait_for_state(lab_harness: LabHarness, run: str, state: str) -> RunSummary:
    async def found() -> RunSummary | None:
        now = await lab_harness.database.run(claim_runs.load_run, run)
        return now if now is not None and now.state == state else None

    reached: RunSummary = await eventually(found)
    return reached


async def test_a_queued_run_is_executed_and_leaves_nothing(fake_lab: LabHarness, fake: FakeEngine) -> None:
    first, second = await queue(fake_lab, "quick"), await queue(fake_lab, "quick", "no-such-any-more")
    found = await wait_for_state(fake_lab, first, "finished")
    assert (found.count.holds, found.engines) == (1, ("Docker Engine 26.1.5 (fake)",))
    await wait_for_state(fake_lab, second, "finished")
    outcomes = await fake_lab.database.run(claim_runs.outcomes, second)
    assert [one.executed.verdict if one.executed else None for one in outcomes] == [ClaimVerdict.HOLDS, None]
    assert fake.made == {}


async def test_a_run_is_cancelled_on_request_and_its_results_are_kept(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event
) -> None:
    run = await queue(fake_lab, "quick", "waits")
    await launched.wait()
    other = await queue(fake_lab, "quick")
    assert await fake_lab.database.run(claim_runs.request_cancel, other)
    assert await fake_lab.database.run(claim_runs.request_cancel, run)
    found = await wait_for_state(fake_lab, run, "cancelled")
    assert fake.made == {}
    assert found.asked == 2
    assert (await wait_for_state(fake_lab, other, "cancelled")).done == 0


async def test_a_queued_run_is_cancelled_while_another_is_executed(
    fake_lab: LabHarness, launched: asyncio.Event
) -> None:
    running = await queue(fake_lab, "waits")
    await launched.wait()
    queued = await queue(fake_lab, "quick")
    assert await fake_lab.database.run(claim_runs.request_cancel, queued)
    fake_lab.lab.wake()
    await wait_for_state(fake_lab, queued, "cancelled")
    await wait_for_state(fake_lab, running, "running")


async def test_a_run_that_waits_for_a_run_on_another_host_is_cancelled(fake_lab: LabHarness) -> None:
    async with run_that_waits_for_the_lock(fake_lab) as run:
        assert await fake_lab.database.run(claim_runs.request_cancel, run)
        fake_lab.lab.wake()
        await wait_for_state(fake_lab, run, "cancelled")
    await wait_for_state(fake_lab, await queue(fake_lab, "quick"), "finished")
    assert (await wait_for_state(fake_lab, run, "cancelled")).done == 0


async def test_a_run_that_was_cancelled_while_it_waited_is_not_executed(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation precedes the next pass of the lab."""
    executed: list[str] = []
    monkeypatch.setattr(claim_runs, "mark_running", executed.append)
    async with run_that_waits_for_the_lock(fake_lab) as run:
        assert await fake_lab.database.run(claim_runs.request_cancel, run)
    await wait_for_state(fake_lab, run, "cancelled")
    assert executed == []


async def test_containers_of_a_live_run_are_not_reaped(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event
) -> None:
    await queue(fake_lab, "waits")
    await launched.wait()
    assert (await reap(fake_lab.context)).removed == ()
    assert len(fake.made) == 1


async def test_a_server_that_stops_cancels_its_run(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event
) -> None:
    run = await queue(fake_lab, "waits")
    await launched.wait()
    await fake_lab.lab.stop_all()
    await wait_for_state(fake_lab, run, "cancelled")
    assert fake.made == {}


async def test_a_server_that_stops_leaves_the_next_run_in_the_queue(
    fake_lab: LabHarness, launched: asyncio.Event
) -> None:
    await queue(fake_lab, "waits")
    await launched.wait()
    queued = await queue(fake_lab, "quick")
    await fake_lab.lab.stop_all()
    stopped_at = fake_lab.context.clock()
    fake_lab.lab.wake()
    await eventually(lambda: fake_lab.lab.heartbeat().status.passed_at > stopped_at)
    await wait_for_state(fake_lab, queued, "waiting")


async def test_an_unreachable_engine_fails_the_run_with_the_reason(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.refuse["image"] = EngineUnreachable("It hangs.", 503)
    run = await queue(fake_lab, "quick")
    assert (await wait_for_state(fake_lab, run, "failed")).problem == "It hangs."


async def test_a_run_continues_while_the_database_does_not_tell_whether_it_is_cancelled(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_worker, "CANCEL_POLL_S", 0.01)
    run = await queue(fake_lab, "waits")
    await launched.wait()
    left = fail_first_calls(monkeypatch, claim_runs, "is_cancelled", OperationalError("database is locked"))
    await eventually(lambda: not left())
    assert len(fake.made) == 1
    assert await fake_lab.database.run(claim_runs.request_cancel, run)
    await wait_for_state(fake_lab, run, "cancelled")
    assert fake.made == {}


async def test_results_are_stored_when_the_database_answers_again(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.store.database.RETRY_S", 0.0)
    for name in ("record_state", "finish"):
        fail_first_calls(monkeypatch, claim_runs, name, OperationalError("server closed the connection unexpectedly"))
    found = await wait_for_state(fake_lab, await queue(fake_lab, "quick"), "finished")
    assert (found.done, found.count.holds) == (1, 1)


async def test_a_run_whose_end_was_not_stored_is_marked_as_failed_and_the_next_one_starts(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_worker, "LAST_WRITES_S", 0.0)
    fail_first_calls(monkeypatch, claim_runs, "finish", OperationalError("server closed the connection unexpectedly"))
    first, second = await queue(fake_lab, "quick"), await queue(fake_lab, "quick")
    assert "database" in (await wait_for_state(fake_lab, first, "failed")).problem
    await wait_for_state(fake_lab, second, "finished")


async def test_results_that_cannot_be_stored_fail_the_run(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_first_calls(monkeypatch, claim_runs, "record_state", ProgrammingError("no such column"))
    found = await wait_for_state(fake_lab, await queue(fake_lab, "quick"), "failed")
    assert found.problem == "no such column"


async def test_a_run_that_cannot_be_followed_leaves_nothing(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await queue(fake_lab, "waits")
    await launched.wait()
    fail_first_calls(monkeypatch, claim_runs, "is_cancelled", ProgrammingError("no such column"))
    assert (await wait_for_state(fake_lab, run, "failed")).problem == "no such column"
    assert fake.made == {}


async def test_a_server_that_stops_does_not_wait_for_its_database(
    fake_lab: LabHarness, fake: FakeEngine, launched: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await queue(fake_lab, "waits")
    await launched.wait()
    fail_first_calls(monkeypatch, claim_runs, "finish", OperationalError("the database does not answer"), math.inf)
    await fake_lab.lab.close()
    assert fake.made == {}
    found = await fake_lab.database.run(claim_runs.load_run, run)
    assert found is not None
    assert found.state == "running"


async def test_a_server_that_stops_does_not_wait_until_results_are_stored(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.store.database.RETRY_S", 0.01)
    monkeypatch.setattr(claim_worker, "LAST_WRITES_S", math.inf)
    ended = asyncio.Event()
    end = claim_worker._ProgressWriter.end

    def note_end(writer: claim_worker._ProgressWriter) -> None:
        end(writer)
        ended.set()

    monkeypatch.setattr(claim_worker._ProgressWriter, "end", note_end)
    for name in ("record_state", "finish"):
        fail_first_calls(monkeypatch, claim_runs, name, OperationalError("the database does not answer"), math.inf)
    await queue(fake_lab, "quick")
    await ended.wait()
    async with asyncio.timeout(DEADLINE_S):
        await fake_lab.lab.close()
