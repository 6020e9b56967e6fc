"""The reconciler makes the real state the wanted one. A restart is one more pass; foreign objects are not touched."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import STARTING, ArmStatus, LaunchStep, Phase
from dashboard.lab import reconciler
from dashboard.lab.experiments import driver as experiment
from dashboard.models import Report
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from dashboard.store.reports import saved as saved_reports
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually, others_run
from tests.support.reports import make_file
from tests.support.specs import make_spec


def _config(lab_harness: LabHarness, experiment: str) -> dict[str, object]:
    return {
        "Image": "nginx",
        "Labels": lab_harness.context.labels(experiment, "one"),
        "Hostname": "",
        "HostConfig": {"NetworkMode": "none", "PortBindings": {}},
    }


async def test_the_next_pass_handles_a_missed_event(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "PASS_S", 0.1)
    identity = await fake_lab.running("host", "host")
    gone = next(one for one in fake.made.values() if one.name.endswith("-host-2"))
    del fake.made[gone.id]
    await fake_lab.ends_as(identity, "host-2", ArmStatus.LOST)


async def test_many_passes_change_nothing(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host")
    run = fake_lab.driver(identity)
    await run.settled()
    record = await fake_lab.record(identity)
    before, made = await fake_lab.entries(identity), dict(fake.made)
    for _ in range(5):
        await run.settle(record)
    assert await fake_lab.entries(identity) == before
    assert fake.made == made


async def test_an_experiment_of_a_living_command_is_left_to_it(fake_lab: LabHarness, fake: FakeEngine) -> None:
    mine = experiment_store.this_process()
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"), None, mine)
    other = await fake_lab.running("host")
    assert fake_lab.lab.driver_of(identity) is None
    assert [one.name for one in fake.made.values()] == [container_name(other, "host")]
    assert await fake_lab.lab.stop_all() == 1
    record = await fake_lab.record(identity)
    assert record.wanted is Wanted.RUNNING


async def test_an_experiment_of_a_command_that_died_is_taken_over(fake_lab: LabHarness) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await child.wait()
    for driver in (f"{child.pid}:1.00", "1:1.00", "nonsense", ":"):
        identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"), None, driver)
        fake_lab.lab.wake()
        await fake_lab.reaches(identity, Phase.RUNNING)


async def test_a_launch_that_hangs_can_be_stopped(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.hold["create_container"] = asyncio.Event()
    identity = await fake_lab.launch("host", "host", "host")
    await eventually(lambda: fake.calls.count("create_container") == 3)
    await fake_lab.want(identity, Wanted.STOPPED)
    fake.hold.pop("create_container").set()
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert fake.made == {}


async def test_a_stop_does_not_wait_for_an_image(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.hold["image"] = asyncio.Event()  # for ever, as a pull over a slow line
    identity = await fake_lab.launch("host", "bridge")
    await eventually(lambda: "image" in fake.calls)
    await fake_lab.want(identity, Wanted.STOPPED)
    await fake_lab.reaches(identity, Phase.STOPPED)
    assert "create_container" not in fake.calls


async def test_a_stop_before_the_images_are_prepared_does_not_wait_for_them(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, entered, go_on = experiment.ExperimentDriver._begin, asyncio.Event(), asyncio.Event()

    async def slow(driver: experiment.ExperimentDriver, record: experiment_store.Record) -> None:
        await begin(driver, record)
        entered.set()
        await go_on.wait()

    monkeypatch.setattr(experiment.ExperimentDriver, "_begin", slow)
    fake.hold["image"] = asyncio.Event()  # for ever, as a pull over a slow line
    identity = await fake_lab.launch("host")
    await asyncio.wait_for(entered.wait(), 20)
    await fake_lab.want(identity, Wanted.STOPPED)
    driver = fake_lab.driver(identity)
    await eventually(lambda: driver._stopping)
    go_on.set()
    await fake_lab.reaches(identity, Phase.STOPPED)
    assert "image" not in fake.calls


async def test_a_launch_records_its_steps(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.hold = {call: asyncio.Event() for call in ("create_network", "create_container", "start_container")}
    identity = await fake_lab.launch("user-bridge")

    async def step() -> tuple[str, LaunchStep | None]:
        columns = {column.key: column for column in (await fake_lab.view(identity)).columns}
        column = columns.get("user-bridge")
        return ("", None) if column is None else (str(column.status), column.step)

    async def reaches(status: str, expected: LaunchStep | None) -> None:
        async def is_reached() -> bool:
            return await step() == (status, expected)

        await eventually(is_reached)

    await reaches("waiting", LaunchStep.NETWORK)
    fake.hold.pop("create_network").set()
    await reaches("waiting", LaunchStep.CREATE)
    fake.hold.pop("create_container").set()
    await reaches("created", None)
    fake.hold["inspect_container"] = asyncio.Event()
    fake.hold.pop("start_container").set()
    await reaches("created", LaunchStep.READ)
    fake.hold.pop("inspect_container").set()
    await reaches("running", None)


async def test_no_container_is_made_after_a_stop(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.hold["image"] = asyncio.Event()
    identity = await fake_lab.launch("host", "host")
    await eventually(lambda: "image" in fake.calls)
    run = fake_lab.driver(identity)
    await fake_lab.want(identity, Wanted.STOPPED)
    await eventually(lambda: run._stopping)
    fake.hold.pop("image").set()
    await fake_lab.reaches(identity, Phase.STOPPED)
    assert "create_container" not in fake.calls


async def test_stop_and_launch_again_at_once_is_a_new_round(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host")
    first = next(iter(fake.made))
    await fake_lab.want(identity, Wanted.STOPPED)
    await fake_lab.want(identity, Wanted.RUNNING, again=True)
    await fake_lab.want(identity, Wanted.RUNNING, again=True)

    async def third() -> bool:
        head = (await fake_lab.view(identity)).head
        return head is not None and (head.round, head.phase) == (3, Phase.RUNNING)

    await eventually(third)
    assert len(fake.made) == 1
    assert first not in fake.made


async def test_an_arm_that_starts_while_it_is_launched_again_runs_in_the_new_round(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.hold["start_container"] = asyncio.Event()
    identity = await fake_lab.launch("host")
    await eventually(lambda: "start_container" in fake.calls)
    await fake_lab.database.run(experiment_store.set_wanted, identity, Wanted.RUNNING, again=True)
    fake.hold.pop("start_container").set()  # before the lab knows of the new round
    assert (await fake_lab.reaches(identity, Phase.RUNNING)).round == 1
    fake_lab.lab.wake()

    async def second() -> bool:
        head = (await fake_lab.view(identity)).head
        return head is not None and head.round == 2 and head.phase not in STARTING

    await eventually(second)
    assert (await fake_lab.column(identity, "host")).status is ArmStatus.RUNNING


async def test_a_round_that_is_no_longer_wanted_is_not_launched(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host", "none")
    driver = fake_lab.driver(identity)
    created = fake.calls.count("create_container")
    fake.hold["remove_container"] = asyncio.Event()
    await fake_lab.want(identity, Wanted.STOPPED)
    await eventually(lambda: "remove_container" in fake.calls)
    # The pass that stops it has the lock: the next two wait with the records that they have read.
    await fake_lab.want(identity, Wanted.RUNNING, again=True)
    await eventually(lambda: driver._newest.round == 2)
    await fake_lab.want(identity, Wanted.REMOVED)
    await eventually(lambda: driver._newest.wanted is Wanted.REMOVED)
    fake.hold.pop("remove_container").set()
    await eventually(lambda: fake_lab.lab.driver_of(identity) is None)
    assert fake.calls.count("create_container") == created
    assert fake.made == {}


async def test_stop_all_counts_and_is_bounded_in_time(fake_lab: LabHarness, fake: FakeEngine) -> None:
    for _ in range(3):
        await fake_lab.running("host")
    fake.hold["remove_container"] = asyncio.Event()
    assert await fake_lab.lab.stop_all(deadline_s=0.2) == 3
    assert len(fake.made) == 3
    fake.hold.pop("remove_container").set()
    assert await fake_lab.lab.stop_all() == 3
    assert fake.made == {}


async def test_reconciler_passes_during_a_removal_do_not_recreate_the_experiment(
    fake_lab: LabHarness, fake: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    identity = await fake_lab.running("host", "none")
    fake.hold["remove_container"] = asyncio.Event()
    await fake_lab.want(identity, Wanted.REMOVED)
    for _ in range(20):
        fake_lab.lab.wake()
        await others_run()
    fake.hold.pop("remove_container").set()

    async def gone() -> bool:
        fake_lab.lab.wake()
        return await fake_lab.database.run(experiment_store.load, identity) is None

    await eventually(gone)
    await eventually(lambda: fake_lab.lab.driver_of(identity) is None)
    assert fake.made == {}
    assert caplog.records == []


async def test_closing_does_not_wait_for_a_disk_that_is_full(fake_lab: LabHarness) -> None:
    identity = await fake_lab.running("host")

    def append(*_: object) -> None:
        raise OperationalError("database or disk is full")

    with pytest.MonkeyPatch.context() as full:
        full.setattr(journal_store, "append", append)
        full.setattr(reconciler, "CANCEL_S", 0.2)
        full.setattr(experiment, "FLUSH_TIMEOUT_S", 0.2)
        await fake_lab.want(identity, Wanted.STOPPED)
        await eventually(lambda: any("disk is full" in one for one in fake_lab.publisher.troubles))
        async with asyncio.timeout(20):
            await fake_lab.lab.close()


async def test_every_pass_purges_reports_that_were_deleted_long_ago(fake_lab: LabHarness) -> None:
    report = await fake_lab.database.run(saved_reports.import_file, make_file())
    await fake_lab.database.run(saved_reports.delete, report)
    await fake_lab.database.run(Report.objects.update, deleted_at=timezone.now() - timedelta(days=31))
    fake_lab.lab.wake()

    async def is_gone() -> bool:
        return not await fake_lab.database.run(Report.objects.exists)

    await eventually(is_gone)


async def test_an_experiment_that_has_ended_keeps_no_entries_in_memory(fake_lab: LabHarness, fake: FakeEngine) -> None:
    """Before the fix, each experiment that had ended kept up to 512 entries: 2.6 MB a minute at modest load."""
    identity = await fake_lab.running("host", "none")
    assert recent_entries.recent(identity, 0)
    await fake_lab.stop(identity)
    await eventually(lambda: recent_entries.recent(identity, 0) is None)
    assert await fake_lab.entries(identity)


async def test_a_launch_while_the_ended_round_is_closed_has_one_driver(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("host")
    entered, go_on = asyncio.Event(), asyncio.Event()
    close = experiment.ExperimentDriver.close

    async def slow(driver: experiment.ExperimentDriver) -> None:
        entered.set()
        await go_on.wait()
        await close(driver)

    monkeypatch.setattr(experiment.ExperimentDriver, "close", slow)
    await fake_lab.want(identity, Wanted.STOPPED)
    await asyncio.wait_for(entered.wait(), 20)
    await fake_lab.want(identity, Wanted.RUNNING, again=True)
    await eventually(lambda: fake_lab.lab._passes.under_way(identity) > 1)
    go_on.set()
    await fake_lab.reaches(identity, Phase.RUNNING)
    fake_lab.lab.wake()
    driver = await eventually(lambda: fake_lab.lab.driver_of(identity))
    await asyncio.wait_for(driver.settled(), 20)
    entries = await fake_lab.entries(identity)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert replay(entries) == driver.view
    assert not [trouble for trouble in fake_lab.publisher.troubles if trouble]
