"""Opening a lab: on an existing engine, otherwise on a private host; first it opens, then it finishes earlier work."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError
from django.test import override_settings

from dashboard import configuration
from dashboard.core.experiments.messages import Phase
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import list_hosts
from dashboard.engine.protocol import EngineInfo, EngineUnreachable
from dashboard.lab import bootstrap, reconciler
from dashboard.lab import supervisor as supervisor_module
from dashboard.lab.bootstrap import endpoint, open_context, open_engine
from dashboard.lab.lab_lock import LabBusyError
from dashboard.lab.supervisor import Supervisor
from dashboard.lab.training.hosts import GroupHosts
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.operations import advisory_lock
from dashboard.web.service import Service
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import RecordingPublisher
from tests.support.polling import eventually, others_run
from tests.support.private_engine import PrivateEngine
from tests.support.specs import make_spec

said: list[str] = []


def test_the_endpoint_is_docker_host_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///x/docker.sock")
    assert endpoint() == "unix:///x/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "")
    assert endpoint().startswith("unix://")


async def test_an_engine_that_answers_is_used_as_it_is(
    engine_host: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine_host.endpoint)
    async with AsyncExitStack() as stack:
        context = await open_context(stack, tmp_path, said.append)
        assert (context.private, context.temporary) == (False, False)
        assert context.info.pid == engine_host.pid
        assert context.ref.endpoint == engine_host.endpoint
        assert context.installation
        context.publisher.wake("x")  # a command has no browsers
    async with AsyncExitStack() as stack:
        context = await open_context(stack, engine_host.data_dir, said.append)
        assert (context.private, context.temporary) == (True, False), "a private host, but not this process's"


async def test_a_machine_that_joined_with_an_earlier_version_stores_the_id_of_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    async def passing(*_: object, **__: object) -> tuple[FakeEngine, EngineInfo, None]:
        engine = FakeEngine()
        return engine, await engine.info(), None

    async def installation() -> str:
        async with AsyncExitStack() as stack:
            return (await open_context(stack, tmp_path, said.append)).installation

    monkeypatch.setattr(bootstrap, "open_engine", passing)
    with override_settings(DATABASE_URL="postgres://joined"):
        await installation()
        assert configuration.joined(tmp_path) == {}, "it has not joined"
        received = {"machine": "lab2", "database": "postgres://other"}
        configuration.store_joined(tmp_path, received)
        await installation()
        assert configuration.joined(tmp_path) == received, "the id is that of another database"
        configuration.store_joined(tmp_path, received | {"database": "postgres://joined"})
        identity = await installation()
        assert configuration.joined(tmp_path)["installation"] == identity


async def test_a_named_engine_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(EngineUnreachable, match="No Docker Engine answers"):
        async with AsyncExitStack() as stack:
            await open_engine(stack, tmp_path, said.append)


async def test_without_an_engine_a_private_host_is_started_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(bootstrap, "DEFAULT_ENDPOINT", f"unix://{tmp_path}/docker.sock")
    left = tmp_path / "hosts" / "dead"
    left.mkdir(parents=True)
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        with pytest.raises(EngineUnreachable):
            await open_engine(stack, tmp_path, lines.append, may_start_private=False)
        engine, info, passing = await open_engine(stack, tmp_path, lines.append)
        assert passing
        assert isinstance(engine, DockerEngine)
        (host,) = list_hosts(tmp_path)
        assert info.pid == host.pid
        assert "To use the machine's own, start it first (systemctl start docker)." in lines
        assert any("private host" in line for line in lines)
        assert not left.exists(), "what a dead one left behind is removed first"
    assert list_hosts(tmp_path) == ()


async def test_unfinished_work_begins_when_everything_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    engine, reads_version = FakeEngine(), threading.Event()
    asked_before: list[int] = []
    open_hosts = GroupHosts.open

    async def passing(*_: object, **__: object) -> tuple[FakeEngine, EngineInfo, None]:
        return engine, await engine.info(), None

    async def slow(hosts: GroupHosts) -> None:
        await others_run()
        await open_hosts(hosts)
        asked_before.append(engine.calls.count("containers"))

    def version() -> str:
        reads_version.wait()
        return "26.1"

    monkeypatch.setattr(bootstrap, "open_engine", passing)
    monkeypatch.setattr(reconciler, "private_engine_version", version)
    monkeypatch.setattr(GroupHosts, "open", slow)
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"))
    supervisor = Supervisor(RecordingPublisher())
    try:
        await asyncio.wait_for(supervisor.open_lab(tmp_path, lambda _text: None), 20)
        assert asked_before == [0]

        async def runs() -> bool:
            head = (await database_sync_to_async(journal_store.view)(identity)).head
            return head is not None and head.phase is Phase.RUNNING

        await eventually(runs)
        assert supervisor.lab.heartbeat().status.private_engine == ""
        reads_version.set()
        await eventually(lambda: supervisor.lab.heartbeat().status.private_engine == "26.1")
    finally:
        reads_version.set()
        await supervisor.close_lab(lambda _text: None)


async def test_a_lab_opens_once_the_files_of_ended_hosts_can_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    engine, open_hosts, left = FakeEngine(), GroupHosts.open, iter(range(2))

    async def passing(*_: object, **__: object) -> tuple[FakeEngine, EngineInfo, None]:
        return engine, await engine.info(), None

    async def open_later(hosts: GroupHosts) -> None:
        if next(left, None) is not None:
            raise OSError("Device or resource busy")
        await open_hosts(hosts)

    monkeypatch.setattr(bootstrap, "open_engine", passing)
    monkeypatch.setattr(GroupHosts, "open", open_later)
    monkeypatch.setattr(supervisor_module, "RETRY_S", 0.01)
    supervisor = Supervisor(RecordingPublisher())
    try:
        await supervisor.open_lab(tmp_path, lambda _text: None)
        assert supervisor.problem == "Device or resource busy"
        await eventually(lambda: supervisor.context)
        assert not supervisor.problem
    finally:
        await supervisor.close_lab(lambda _text: None)


async def test_the_lab_of_a_server_closes_while_another_lab_holds_its_lock_in_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    engine, said = FakeEngine(), list[str]()
    is_free = True

    class Lock:
        """The lock in PostgreSQL, whose connection is lost when another lab takes it."""

        since = 1.0

        def __init__(self, _number: int) -> None:
            pass

        def acquire(self) -> bool:
            return is_free

        holds = acquire

        def release(self) -> None:
            pass

    async def passing(*_: object, **__: object) -> tuple[FakeEngine, EngineInfo, None]:
        return engine, await engine.info(), None

    monkeypatch.setattr(bootstrap, "open_engine", passing)
    monkeypatch.setattr(advisory_lock, "is_shared", lambda: True)
    monkeypatch.setattr(supervisor_module, "AdvisoryLock", Lock)
    monkeypatch.setattr(supervisor_module, "RETRY_S", 0.01)
    monkeypatch.setattr(supervisor_module, "LOCK_CHECK_S", 0.01)
    supervisor = Service()
    try:
        await supervisor.start(tmp_path, said.append)
        identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"))
        supervisor.wake()
        await eventually(lambda: engine.made)
        made = set(engine.made)
        is_free = False
        await eventually(lambda: supervisor.waits and supervisor._stack is None)
        assert supervisor.context is None
        assert supervisor.problem == said[0]
        assert said[0].startswith("Another lab drives the experiments of this database.")
        assert set(engine.made) == made, "they belong to the other lab"
        is_free = True
        await eventually(lambda: supervisor.context)
        assert not supervisor.problem

        async def runs() -> bool:
            head = (await database_sync_to_async(journal_store.view)(identity)).head
            return head is not None and head.phase is Phase.RUNNING

        await eventually(runs)
        assert set(engine.made) == made, "it has adopted them"
    finally:
        await supervisor.stop(said.append)
    assert engine.made == {}
    assert said[-1] == "Stopped 1 running experiment."


async def test_a_lab_that_first_waits_for_a_lock_may_start_a_private_host_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    before = iter([LabBusyError("Another lab runs."), OperationalError("The database has restarted.")])
    may_start: list[bool] = []

    async def lock_database(*_: object) -> None:
        if (error := next(before, None)) is not None:
            raise error

    async def open_engine(*_: object, may_start_private: bool) -> tuple[FakeEngine, EngineInfo, None]:
        may_start.append(may_start_private)
        if len(may_start) < 3:
            raise EngineUnreachable("No Docker Engine answers.")
        engine = FakeEngine()
        return engine, await engine.info(), None

    monkeypatch.setattr(Supervisor, "_lock_database", lock_database)
    monkeypatch.setattr(bootstrap, "open_engine", open_engine)
    monkeypatch.setattr(supervisor_module, "RETRY_S", 0.01)
    supervisor = Supervisor(RecordingPublisher())
    try:
        await supervisor.open_lab(tmp_path, lambda _text: None)
        assert supervisor.waits
        await eventually(lambda: supervisor.context)
        assert may_start == [True, False, False]
    finally:
        await supervisor.close_lab(lambda _text: None)
