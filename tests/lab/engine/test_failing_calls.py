"""Calls of an engine and of a database that fail in ways that only a fake can be made to do.

In each case the experiment shows the problem, no data is lost, and the lab recovers by itself.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from dashboard.core.experiments.journal import Entry, replay
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Check, ExperimentHead, Phase
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab import reconciler
from dashboard.lab.experiments import cleanup, driver, journal_writer
from dashboard.lab.experiments.columns.other_host import OtherHost
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, healed, troubled
from tests.support.polling import DEADLINE_S, eventually, others_run
from tests.support.specs import make_spec


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)
    monkeypatch.setattr(journal_writer, "RETRY_S", (0.01,))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "call",
    ["containers", "networks", "image", "create_container", "start_container", "inspect_container", "create_network"],
)
async def test_every_kind_of_call_may_fail(fake_lab: LabHarness, fake: FakeEngine, call: str) -> None:
    fake.refuse[call] = EngineUnreachable(f"nobody answers {call}", 503)
    identity = await fake_lab.launch("host", "user-bridge")
    head = await troubled(fake_lab, identity)
    assert head.problem == f"nobody answers {call}"
    del fake.refuse[call]
    await fake_lab.reaches(identity, Phase.RUNNING)
    await healed(fake_lab, identity)
    assert len(fake.made) == 2
    await fake_lab.stop(identity)
    assert fake.made == {}


@pytest.mark.usefixtures("impatient")
async def test_a_launch_whose_cleanup_fails_ends_later(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.exits["nginx"] = (1, ("no configuration",))
    fake.refuse["networks"] = EngineUnreachable("nobody answers", 503)
    identity = await fake_lab.launch("host")
    assert (await troubled(fake_lab, identity)).phase is Phase.LAUNCHING
    del fake.refuse["networks"]
    await fake_lab.reaches(identity, Phase.FAILED)
    assert fake.made == {}


@pytest.mark.usefixtures("impatient")
async def test_a_launch_whose_clients_cannot_be_observed_ends_later(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe, failures = OtherHost.observe, iter(range(1))

    async def fail_once(other: OtherHost) -> None:
        if next(failures, None) is not None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        await observe(other)

    monkeypatch.setattr(OtherHost, "observe", fail_once)
    identity = await fake_lab.launch("host")
    await fake_lab.reaches(identity, Phase.RUNNING)
    assert next(failures, None) is None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", ["containers", "networks"])
async def test_an_engine_that_answers_500_is_shown_and_leaves_nothing(
    fake_lab: LabHarness, fake: FakeEngine, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    fake.refuse[call] = EngineError("The Engine answered with status 500.", 500)
    identity = await fake_lab.launch("host", "user-bridge")
    assert (await troubled(fake_lab, identity)).problem == "The Engine answered with status 500."
    del fake.refuse[call]
    await fake_lab.reaches(identity, Phase.RUNNING)
    fake.refuse[call] = EngineError("The Engine answered with status 500.", 500)
    await fake_lab.want(identity, Wanted.STOPPED)
    await troubled(fake_lab, identity)
    del fake.refuse[call]
    assert all(check.ok for check in (await fake_lab.reaches(identity, Phase.STOPPED)).proof)
    assert fake.made == {}
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("call", ["containers", "networks", "remove_container", "remove_network"])
async def test_a_stop_without_an_engine_is_done_later(fake_lab: LabHarness, fake: FakeEngine, call: str) -> None:
    identity = await fake_lab.running("host", "user-bridge")
    fake.refuse[call] = EngineUnreachable("gone", 503)
    await fake_lab.want(identity, Wanted.STOPPED)
    assert (await troubled(fake_lab, identity)).problem == "gone"
    del fake.refuse[call]
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert fake.made == {}


async def _shown_seq(lab: LabHarness, identity: str) -> int:
    return (await lab.database.run(Experiment.objects.get, pk=identity)).shown_seq


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("restart", [False, True])
async def test_a_repeated_stop_shows_the_state_before_the_first_one(
    fake_lab: LabHarness, fake: FakeEngine, *, restart: bool
) -> None:
    identity = await fake_lab.running("host", "user-bridge")
    await fake_lab.driver(identity).settled()
    fake.refuse["remove_network"] = EngineUnreachable("gone", 503)
    await fake_lab.want(identity, Wanted.STOPPED)
    await troubled(fake_lab, identity)
    if restart:
        await fake_lab.restart()
    del fake.refuse["remove_network"]
    await fake_lab.reaches(identity, Phase.STOPPED)
    requests = [entry.seq for entry in await fake_lab.entries(identity) if entry.text == "Stop requested"]
    assert requests == [await _shown_seq(fake_lab, identity) + 1]


async def test_a_second_stop_because_of_leftovers_shows_the_state_before_the_first_one(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("user-bridge")
    verify, late = cleanup.verify_cleanup, iter((f"nm-{identity}",))

    async def create_late(*arguments: Any) -> tuple[Check, ...]:
        """Checks the cleanup. After the first check, the Engine carries out a request that had timed out."""
        checks = await verify(*arguments)
        for name in late:
            await fake.create_network(name, "bridge", fake_lab.context.labels(identity), {})
        return checks

    monkeypatch.setattr(driver, "verify_cleanup", create_late)
    fake.hold["remove_network"] = asyncio.Event()
    await fake_lab.want(identity, Wanted.STOPPED)
    await eventually(lambda: "remove_network" in fake.calls)
    passes = fake_lab.lab._passes
    await eventually(lambda: passes.under_way(identity) == 1)  # that of the launch has ended
    fake_lab.lab.wake()
    await eventually(lambda: passes.under_way(identity) == 2)
    fake.hold.pop("remove_network").set()
    await eventually(lambda: not fake_lab.lab._tasks)
    requests = [entry.seq for entry in await fake_lab.entries(identity) if entry.text == "Stop requested"]
    assert len(requests) == 2
    assert await _shown_seq(fake_lab, identity) == requests[0] - 1


@pytest.mark.usefixtures("impatient")
async def test_the_row_of_a_failed_experiment_is_written_again_if_that_failed(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, failures = experiment_store.save_head, iter(range(1))

    def fail_once(experiment: str, head: ExperimentHead, *more: Any, **options: Any) -> None:
        if head.phase is Phase.FAILED and next(failures, None) is not None:
            raise OperationalError("database is locked")
        save(experiment, head, *more, **options)

    monkeypatch.setattr(experiment_store, "save_head", fail_once)
    fake.refuse["create_container"] = EngineError("invalid reference format", 400)
    identity = await fake_lab.launch("host")

    async def failed() -> bool:
        return (await fake_lab.record(identity)).phase is Phase.FAILED

    await eventually(failed)
    assert next(failures, None) is None
    assert await _shown_seq(fake_lab, identity) == (await fake_lab.entries(identity))[-1].seq


@pytest.mark.usefixtures("impatient")
async def test_a_failed_experiment_that_is_launched_again_without_an_engine_runs_later(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.refuse["create_container"] = EngineError("port is already allocated", 500)
    identity = await fake_lab.launch("host")
    await fake_lab.reaches(identity, Phase.FAILED)
    await eventually(lambda: fake_lab.lab.driver_of(identity) is None)
    lost = EngineUnreachable("The engine of the private host exited.", 503)

    async def wait(driver: ExperimentDriver) -> None:
        driver.on_engine_lost(str(lost))

    with monkeypatch.context() as patch:
        patch.setattr(fake_lab.lab._engine, "wait", wait)
        fake.refuse = {"info": lost}
        await fake_lab.want(identity, Wanted.RUNNING, again=True)
        assert (await troubled(fake_lab, identity)).problem == str(lost)
        await eventually(lambda: not fake_lab.lab._tasks)
        assert (await fake_lab.record(identity)).phase is Phase.WAITING
    fake.refuse.clear()
    fake_lab.lab.wake()
    assert (await fake_lab.reaches(identity, Phase.RUNNING)).problem == ""


@pytest.mark.usefixtures("impatient")
async def test_a_lost_event_stream_is_shown_at_once_and_missed_events_are_found(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("host", "host")
    fake.lose("The Docker Engine closed its event stream.")
    assert (await troubled(fake_lab, identity)).problem == "The Docker Engine closed its event stream."
    gone = next(one for one in fake.made.values() if one.name.endswith("-host-2"))
    del fake.made[gone.id]
    fake.come_back()
    await fake_lab.ends_as(identity, "host-2", ArmStatus.LOST)
    assert (await healed(fake_lab, identity)).phase is Phase.RUNNING


async def test_arms_that_ended_unseen_are_read_at_the_same_time(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("none", "bridge", "user-bridge")
    for key, facts in fake.made.items():
        fake.made[key] = replace(facts, running=False, status="exited", pid=0, exit_code=137)
    asked = fake.calls.count("inspect_container")
    fake.hold["inspect_container"] = asyncio.Event()
    fake_lab.lab.wake()
    await eventually(lambda: fake.calls.count("inspect_container") == asked + 3)
    fake.hold.pop("inspect_container").set()
    await fake_lab.reaches(identity, Phase.FAILED)


async def test_passes_that_wait_for_a_check_share_it(fake_lab: LabHarness, fake: FakeEngine) -> None:
    await fake_lab.running("host", "none")
    checks = fake.calls.count("containers")
    fake.hold["containers"] = asyncio.Event()
    fake_lab.lab.wake()
    await eventually(lambda: fake.calls.count("containers") == checks + 1)
    for _ in range(5):
        fake_lab.lab.wake()
        await asyncio.wait_for(fake_lab.database.run(int), DEADLINE_S)
        await others_run()
    fake.hold.pop("containers").set()
    await eventually(lambda: not fake_lab.lab._tasks)
    # The first check, and one for all wake-ups that came while it ran; the lab's own pass may add one.
    assert checks + 1 < fake.calls.count("containers") <= checks + 3


async def test_an_event_stream_lost_during_a_pass_is_shown_after_the_pass(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("host")
    fake.hold["containers"] = asyncio.Event()
    asked = fake.calls.count("containers")
    fake_lab.lab.wake()
    await eventually(lambda: fake.calls.count("containers") > asked)
    fake.emit("stream", "lost", reason="The Docker Engine closed its event stream.")
    await troubled(fake_lab, identity)
    fake.hold.pop("containers").set()
    driver = fake_lab.driver(identity)
    await driver.settled()
    assert driver.troubled, "the pass that was under way does not say that the Engine is back"
    await healed(fake_lab, identity)


@pytest.mark.usefixtures("impatient")
async def test_an_event_that_fails_does_not_stop_the_event_stream(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("host")
    run = fake_lab.driver(identity)
    with monkeypatch.context() as patch:
        patch.setattr(type(run), "on_engine_event", lambda *_: 1 / 0)
        fake.emit("network", "connect", container="x")
        await eventually(lambda: len(fake._subscribers) == 0 or fake.calls.count("info") > 2)
    await eventually(lambda: len(fake._subscribers) == 1)
    fake.kill(container_name(identity, "host"), 9)
    await fake_lab.ends_as(identity, "host", ArmStatus.EXITED)


class Stubborn:
    """A database that refuses some writes of the journal."""

    def __init__(self, failures: int, sentence: str) -> None:
        self.left = failures
        self.sentence = sentence
        self._append = journal_store.append

    def append(self, experiment: str, entries: Sequence[Entry], replaced: Sequence[int]) -> None:
        if self.left > 0:
            self.left -= 1
            raise OperationalError(self.sentence)
        self._append(experiment, entries, replaced)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sentence", ["database is locked", "database or disk is full", "disk I/O error"])
async def test_a_journal_that_cannot_be_written_is_shown_and_loses_nothing(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    stubborn = Stubborn(7, sentence)
    monkeypatch.setattr(journal_store, "append", stubborn.append)
    identity = await fake_lab.running("host", "host")
    run = fake_lab.driver(identity)
    await run.settled()
    assert stubborn.left == 0
    assert f"The journal cannot be written: {sentence}. Trying again." in fake_lab.publisher.troubles
    assert fake_lab.publisher.troubles[-1] == ""
    entries = await fake_lab.entries(identity)
    numbers = [entry.seq for entry in entries]
    assert numbers == sorted(set(numbers))
    assert replay(entries) == run.view


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("function", ["save_head", "remember_container", "load_unsettled", "view", "load"])
async def test_a_locked_database_only_delays(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    store = journal_store if function == "view" else experiment_store
    real = getattr(store, function)
    left = iter(range(4))

    def locked(*arguments: object, **options: object) -> object:
        if next(left, None) is not None:
            raise OperationalError("database is locked")
        return real(*arguments, **options)

    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"))
    with monkeypatch.context() as patch:
        patch.setattr(store, function, locked)
        fake_lab.lab.wake()
        if function in {"save_head", "remember_container"}:
            await eventually(lambda: next(left, None) is None)
    await fake_lab.reaches(identity, Phase.RUNNING)

    async def shown() -> bool:
        record = await fake_lab.database.run(experiment_store.load, identity)
        return record is not None and record.phase is Phase.RUNNING

    await eventually(shown)
    assert len(fake.made) == 1
    await fake_lab.stop(identity)
    assert fake.made == {}


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("set_wanted", OperationalError("database or disk is full")),
        ("load_unsettled", DatabaseError("database disk image is malformed")),
    ],
)
async def test_ctrl_c_without_a_database_leaves_no_container(
    fake_lab: LabHarness,
    fake: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    function: str,
    error: Exception,
) -> None:
    await fake_lab.running("host", "user-bridge")
    assert fake.made

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(experiment_store, function, fail)
        assert await fake_lab.lab.stop_all() == 1
    assert fake.made == {}
    assert [net for net in fake.nets if net not in {"bridge", "host", "none"}] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"The database cannot be used ({error}). Removing containers without recording it; experiments: 1."
    ]
    assert not any(record.exc_info for record in caplog.records)
