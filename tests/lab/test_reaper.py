"""Objects that belong to no running process are removed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.operations.machines import MachineFacts
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts import registry as records
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import Lan
from dashboard.engine.protocol import EngineError
from dashboard.lab import reaper
from dashboard.lab.context import LABEL_EXPERIMENT
from dashboard.lab.experiments.columns import other_host
from dashboard.lab.experiments.columns.other_host import LABEL_CLIENT
from dashboard.lab.lab_lock import LabBusyError, LabLock
from dashboard.lab.reaper import Reaped, reap, reap_everything, reap_hosts
from dashboard.models import Experiment, Report
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.experiments import Record
from dashboard.store.operations.advisory_lock import lab_of
from dashboard.store.reports import saved
from dashboard.store.reports.saved import delete, import_file
from tests.core.machine_scenes import make_head
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.reports import make_file
from tests.support.specs import make_spec


async def test_experiments_that_a_dead_server_left_are_removed_and_marked_stopped(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("host", "user-bridge")
    await fake_lab.lab.close()
    reaped = await reap(fake_lab.context)
    assert len(reaped.removed) == 3
    assert (reaped.kept, reaped.refused) == ((), ())
    assert fake.made == {}
    view = await fake_lab.view(identity)
    assert view.head is not None
    assert (view.head.phase, view.head.notice) == (Phase.STOPPED, "Removed by reap.")
    assert {one.status for one in view.columns if one.container} == {ArmStatus.GONE}
    assert await fake_lab.database.run(experiment_store.load_unsettled) == ()
    assert (await reap(fake_lab.context)).removed == ()


async def test_a_round_that_no_lab_has_begun_ends_with_its_experiment(fake_lab: LabHarness) -> None:
    """Otherwise the experiment would be shown as waiting for a lab."""
    identity = await fake_lab.running("host")
    await fake_lab.lab.close()
    await fake_lab.database.run(lambda: experiment_store.set_wanted(identity, Wanted.RUNNING, again=True))
    await reap(fake_lab.context)
    head, record = (await fake_lab.view(identity)).head, await fake_lab.record(identity)
    assert head is not None
    assert (head.phase, head.round, record.round) == (Phase.STOPPED, 2, 2)


async def test_a_launch_that_is_requested_during_a_cleanup_does_not_end(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("host")
    await fake_lab.lab.close()
    request_end = experiment_store.request_end

    def request_end_and_launch(experiment: str) -> Record | None:
        record = request_end(experiment)
        experiment_store.save_head(experiment, make_head(experiment, Phase.STOPPED))
        experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)
        return record

    monkeypatch.setattr(experiment_store, "request_end", request_end_and_launch)
    await reap(fake_lab.context)
    head, record = (await fake_lab.view(identity)).head, await fake_lab.record(identity)
    assert head is not None
    assert (head.round, record.round, record.wanted, record.phase) == (1, 2, Wanted.RUNNING, Phase.WAITING)


async def test_experiments_of_a_living_server_are_kept(fake_lab: LabHarness, fake: FakeEngine) -> None:
    identity = await fake_lab.running("host")
    lock = LabLock(fake_lab.context.data_dir)
    lock.acquire()
    reaped = await reap(fake_lab.context)
    lock.release()
    assert reaped.removed == ()
    assert reaped.kept == (f"experiment {identity} (nginx on port 80)",)
    assert len(fake.made) == 1


async def test_with_postgresql_experiments_of_a_lab_elsewhere_are_kept(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab has another data folder or runs on another machine, as may a command beside it."""
    events: list[str] = []
    is_free = False

    class Lock:
        """The lock of this machine's lab in PostgreSQL."""

        def __init__(self, number: int) -> None:
            assert number == lab_of(None)

        def acquire(self) -> bool:
            events.append("acquire")
            return is_free

        def release(self) -> None:
            events.append("release")

    monkeypatch.setattr(reaper, "is_shared", lambda: True)
    monkeypatch.setattr(reaper, "AdvisoryLock", Lock)
    await fake_lab.running("host")
    await fake_lab.lab.close()
    await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"), None, "1:1.00")
    reaped = await reap(fake_lab.context)
    assert (reaped.removed, len(reaped.kept), len(fake.made)) == ((), 2, 1)
    assert events == ["acquire", "release"]
    is_free = True
    reaped = await reap(fake_lab.context)
    assert (len(reaped.removed), reaped.kept, fake.made) == (1, (), {})
    lock = LabLock(fake_lab.context.data_dir)
    lock.acquire()  # it was released
    lock.release()


async def test_containers_of_another_machine_on_the_same_engine_are_kept(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    """As on a machine whose web process has a data folder of its own beside that of the lab that has joined."""
    await fake_lab.lab.close()
    await fake_lab.database.run(machines.register, "lab2", {}, MachineFacts())
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"), machine="lab2")
    config = {"Image": "nginx", "HostConfig": {"NetworkMode": "bridge", "PortBindings": {}}}
    await fake.create_container("web", config | {"Labels": fake_lab.context.labels(identity)})
    assert (await reap(fake_lab.context)).removed == ()
    assert (await fake_lab.record(identity)).wanted is Wanted.RUNNING
    with override_settings(MACHINE="lab2"):
        assert (await reap(fake_lab.context)).removed == ("container web",)


async def test_experiments_of_a_living_command_are_kept(fake_lab: LabHarness, fake: FakeEngine) -> None:
    await fake_lab.lab.close()
    mine = await fake_lab.database.run(
        experiment_store.create_experiment, make_spec("host"), None, experiment_store.this_process()
    )
    dead = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"), None, "1:1.00")
    reaped = await reap(fake_lab.context)
    assert [line.split()[1] for line in reaped.kept] == [mine]
    assert {one.id for one in await fake_lab.database.run(experiment_store.load_unsettled)} >= {mine}
    record = await fake_lab.record(dead)
    assert (record.wanted, record.driver) == (Wanted.STOPPED, "")
    await fake_lab.database.run(experiment_store.set_wanted, mine, Wanted.STOPPED)


async def test_containers_that_cannot_be_removed_are_reported(fake_lab: LabHarness, fake: FakeEngine) -> None:
    await fake_lab.running("host")
    await fake_lab.lab.close()
    fake.refuse["remove_container"] = EngineError("removal in progress elsewhere", 409)
    reaped = await reap(fake_lab.context)
    assert reaped.removed == ()
    assert reaped.refused[0].endswith(": removal in progress elsewhere")
    del fake.refuse["remove_container"]
    assert len((await reap(fake_lab.context)).removed) == 1


async def test_clients_of_ended_experiments_on_hosts_of_lans_are_removed(
    fake_lab: LabHarness, fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("host")
    await fake_lab.lab.close()
    host, away = (
        PrivateHost(name, 1, 1, f"/run/{name}", 1.0, tmp_path, 1, lan=LanPlace("office"))
        for name in ("aaa111", "bbb222")
    )
    engines = {host.endpoint: FakeEngine(), away.endpoint: FakeEngine()}
    engines[away.endpoint].away = "It does not answer."
    monkeypatch.setattr(reaper, "list_lans", lambda _folder: (Lan("office", (host, away)),))
    monkeypatch.setattr(other_host, "DockerEngine", engines.__getitem__)
    for installation in (fake_lab.context.installation, "another"):
        labels = {LABEL_CLIENT: installation, LABEL_EXPERIMENT: identity}
        config = {"Image": "nginx", "Labels": labels, "HostConfig": {"NetworkMode": "bridge", "PortBindings": {}}}
        await engines[host.endpoint].create_container(f"client-{installation}", config)
    reaped = await reap(fake_lab.context)
    client = f"container client-{fake_lab.context.installation} on the private host aaa111"
    assert reaped.removed[1:] == (client,)
    assert reaped.refused == ("clients on the private host bbb222: It does not answer.",)
    assert [one.name for one in engines[host.endpoint].made.values()] == ["client-another"]


async def test_dead_private_hosts_are_removed(tmp_path: Path) -> None:
    (tmp_path / "hosts" / "dead1").mkdir(parents=True)
    assert await reap_hosts(tmp_path) == Reaped(("private host dead1",), ())
    assert await reap_hosts(tmp_path) == Reaped((), ())


async def test_reports_deleted_long_ago_are_purged_and_reported(fake_lab: LabHarness) -> None:
    await fake_lab.lab.close()
    old, new = [await fake_lab.database.run(import_file, make_file()) for _ in range(2)]
    await fake_lab.database.run(delete, old)
    await fake_lab.database.run(delete, new)
    await fake_lab.database.run(Report.objects.filter(pk=old).update, deleted_at=timezone.now() - timedelta(days=31))
    assert (await reap(fake_lab.context)).removed == ("1 report deleted more than 30 days ago",)
    assert await fake_lab.database.run(lambda: [row.pk for row in Report.objects.all()]) == [new]
    assert (await reap(fake_lab.context)).removed == ()


async def test_hosts_of_a_session_are_removed_unless_a_server_drives_them(tmp_path: Path) -> None:
    folder = tmp_path / "hosts" / "taught"
    folder.mkdir(parents=True)
    records.remember(PrivateHost("taught", 1, 7, "/nowhere", 1.0, folder, 1, "class-1"), ready=True)
    server = LabLock(tmp_path)
    server.acquire()
    assert await reap_hosts(tmp_path) == Reaped((), ())
    server.release()
    assert await reap_hosts(tmp_path) == Reaped(("private host taught",), ())
    assert not folder.exists()
    server.acquire()  # it was released
    server.release()


async def test_on_a_machine_that_has_joined_reports_are_left_to_the_server(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_now: float) -> int:
        raise DatabaseError("permission denied for table dashboard_report")

    monkeypatch.setattr(saved, "purge_deleted", refuse)
    await fake_lab.running("host")
    await fake_lab.lab.close()
    await fake_lab.database.run(machines.register, "lab2", {}, MachineFacts())
    await fake_lab.database.run(Experiment.objects.update, machine_id="lab2")
    with override_settings(MACHINE="lab2"):
        reaped = await reap(fake_lab.context)
    assert len(reaped.removed) == 1
    assert fake.made == {}


async def test_everything_of_the_installation_is_removed_without_a_database(
    fake_lab: LabHarness, fake: FakeEngine, tmp_path: Path
) -> None:
    """As on a machine that was revoked."""
    await fake_lab.running("host", "user-bridge")
    await fake_lab.lab.close()
    (tmp_path / "hosts" / "abc123").mkdir(parents=True)

    async def engine() -> FakeEngine:
        return fake

    assert (await reap_everything(tmp_path, "another", engine)).removed == ("private host abc123",)
    reaped = await reap_everything(tmp_path, fake_lab.context.installation, engine)
    assert (len(reaped.removed), reaped.refused, fake.made) == (3, (), {})
    running = LabLock(tmp_path)
    running.acquire()
    with pytest.raises(LabBusyError):
        await reap_everything(tmp_path, fake_lab.context.installation, engine)
    running.release()


async def test_the_engine_of_a_revoked_machine_leaves_the_swarm_before_networks_are_removed(
    fake_lab: LabHarness, fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others have left: the Engine has no leader and refuses to remove overlay networks."""
    await fake.create_network("shared", "overlay", fake_lab.context.labels("gone"), {})
    failure: list[EngineError] = []

    async def leave(folder: Path, endpoint: str) -> bool:
        assert (folder, endpoint, "remove_network" in fake.calls) == (tmp_path, fake.facts.endpoint, False)
        if failure:
            raise failure[0]
        return True

    async def engine() -> FakeEngine:
        return fake

    monkeypatch.setattr("dashboard.lab.reaper.leave_without_lab", leave)
    reaped = await reap_everything(tmp_path, fake_lab.context.installation, engine)
    assert reaped.removed == ("the engine from the swarm of the machines", "network shared")
    failure.append(EngineError("context deadline exceeded", 500))
    fake.calls.clear()
    reaped = await reap_everything(tmp_path, fake_lab.context.installation, engine)
    assert reaped.refused == ("the engine from the swarm of the machines: context deadline exceeded",)


@pytest.fixture
def two_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders of two hosts that have ended, ``busy`` and ``plain``. ``busy`` cannot be removed."""
    for name in ("busy", "plain"):
        (tmp_path / "hosts" / name).mkdir(parents=True)
    remove = private_host.remove

    async def refuse(folder: Path) -> None:
        if folder.name == "busy":
            raise OSError(16, "Device or resource busy")
        await remove(folder)

    monkeypatch.setattr(private_host, "remove", refuse)


@pytest.mark.usefixtures("two_hosts")
async def test_a_private_host_that_cannot_be_removed_is_reported(tmp_path: Path) -> None:
    refused = ("private host busy: [Errno 16] Device or resource busy",)
    assert await reap_hosts(tmp_path) == Reaped(("private host plain",), (), refused)


@pytest.mark.usefixtures("two_hosts")
async def test_everything_that_can_be_removed_is_and_the_rest_is_reported(tmp_path: Path) -> None:
    async def no_engine() -> FakeEngine:
        assert not (tmp_path / "hosts" / "plain").exists(), "hosts do not wait for Docker"
        raise EngineError("No Docker Engine answers.")

    reaped = await reap_everything(tmp_path, "known", no_engine)
    assert reaped.removed == ("private host plain",)
    assert reaped.refused == (
        "private host busy: [Errno 16] Device or resource busy",
        "the containers and networks: No Docker Engine answers.",
    )
