"""The engine of the server's own private host ends: it is started again with its containers, or the page says why."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dashboard.core.experiments.messages import ArmStatus, ExperimentHead, Phase
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts import registry as records
from dashboard.engine.hosts.cleanup import start_ticks
from dashboard.engine.hosts.private_host import PrivateHost, PrivateHostError
from dashboard.lab import reconciler
from dashboard.lab.engine import keeper as keeper_module
from dashboard.lab.engine.keeper import EngineKeeper
from dashboard.store.database import DatabaseThread
from dashboard.store.installation import installation_id
from tests.support.lab_harness import LabHarness, RecordingPublisher, make_context
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine
#: The promise is 5 s on a machine that does nothing else.
BACK_S = 30.0


@pytest.fixture
async def kept(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[LabHarness, EngineKeeper]]:
    """A lab on a private host of its own, as ``up`` starts it where no engine answers."""
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    host = await private_host.start(tmp_path, die_with_parent=True)
    keeper = EngineKeeper(host, time.time)
    try:
        await load_lab_image(host)
        keeper.open()
        engine = DockerEngine(host.endpoint, describe_loss=keeper.describe_loss)
        database = DatabaseThread()
        installation = await database.run(installation_id)
        await asyncio.to_thread(database.close)
        publisher = RecordingPublisher()
        context = make_context(engine, await engine.info(), tmp_path, publisher, installation)
        harness = LabHarness(replace(context, keeper=keeper, temporary=True), publisher)
        await harness.start()
        yield harness, keeper
        await harness.close()
    finally:
        await keeper.close()


def _is_back(keeper: EngineKeeper, ended: int) -> bool:
    return keeper.host.pid != ended and not keeper.starting


async def head_where(harness: LabHarness, identity: str, text: str) -> ExperimentHead:
    """Waits until the notice or the problem of an experiment has this text."""

    async def head() -> ExperimentHead | None:
        found = (await harness.view(identity)).head
        return found if found is not None and text in f"{found.notice} {found.problem}" else None

    found: ExperimentHead = await eventually(head, BACK_S)
    return found


async def test_a_killed_engine_is_started_again_and_the_view_equals_what_the_engine_lists(
    kept: tuple[LabHarness, EngineKeeper], tmp_path: Path
) -> None:
    harness, keeper = kept
    identity = await harness.running("host", "bridge", "user-bridge", publish="8080:80")
    before = {column.key: column.container for column in (await harness.view(identity)).columns if column.container}
    old = keeper.host.pid
    os.kill(old, signal.SIGKILL)
    head = await head_where(harness, identity, "ended and were started again")
    assert (
        head.notice
        == "The Engine was restarted; the containers of host, bridge and user-bridge ended and were started again."
    )

    async def is_complete() -> bool:
        view = await harness.view(identity)
        assert view.head is not None
        observed = {"host", "bridge", "user-bridge"} <= view.states.keys()
        serves = observed and any(one.port == 80 and one.container for one in view.states["host"].listeners)
        return not view.head.problem and serves

    await eventually(is_complete, BACK_S)
    assert keeper.host.pid != old
    assert harness.lab.heartbeat().status.engine_answers
    view = await harness.view(identity)
    after = {column.key: column.container for column in view.columns if column.container}
    assert after == before
    listed = PrivateEngine(keeper.host, tmp_path).docker("ps", "--no-trunc", "--format", "{{.ID}} {{.Ports}}")
    running = {line.partition(" ")[0] for line in listed.splitlines()}
    assert running == {
        column.container.id for column in view.columns if column.container and column.status is ArmStatus.RUNNING
    }
    assert "8080->80" in listed


async def test_an_experiment_that_is_launched_while_the_engine_is_away_says_why_it_waits_and_runs_afterwards(
    kept: tuple[LabHarness, EngineKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, keeper = kept
    start_again, held = private_host.start_again, asyncio.Event()

    async def later(*args: object, **more: object) -> object:
        await held.wait()
        return await start_again(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(private_host, "start_again", later)
    os.kill(keeper.host.pid, signal.SIGKILL)
    await eventually(lambda: keeper.starting, BACK_S)
    identity = await harness.launch("bridge")
    head = await head_where(harness, identity, "Netmodes is restarting it.")
    assert head.problem.startswith("The engine of the private host exited at ")
    assert not head.startable
    held.set()
    await harness.reaches(identity, Phase.RUNNING, deadline_s=BACK_S)


async def test_an_engine_that_cannot_be_started_again_waits_for_the_button(
    kept: tuple[LabHarness, EngineKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, keeper = kept
    identity = await harness.running("bridge")
    start_again = private_host.start_again

    async def fail(*_args: object, **_more: object) -> None:
        raise PrivateHostError("The disk is full: free some space.")

    monkeypatch.setattr(private_host, "start_again", fail)
    os.kill(keeper.host.pid, signal.SIGKILL)
    head = await head_where(harness, identity, "The disk is full")
    assert head.startable
    assert harness.lab.heartbeat().status.engine_startable
    monkeypatch.setattr(private_host, "start_again", start_again)
    keeper.start()
    head = await head_where(harness, identity, "ended and was started again")
    assert not (await harness.view(identity)).head.startable  # type: ignore[union-attr]
    assert (await harness.column(identity, "bridge")).status is ArmStatus.RUNNING


async def test_an_engine_that_ends_again_and_again_is_not_started_for_ever(
    kept: tuple[LabHarness, EngineKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    _harness, keeper = kept
    for _ in range(2):
        pid = keeper.host.pid
        os.kill(pid, signal.SIGKILL)
        await eventually(partial(_is_back, keeper, pid), BACK_S)
    os.kill(keeper.host.pid, signal.SIGKILL)
    await eventually(lambda: keeper.failed, BACK_S)
    assert "it exited 3 times within two minutes" in keeper.describe_loss()


@pytest.fixture
def recorded_host(tmp_path: Path) -> Iterator[PrivateHost]:
    """A recorded host whose engine is a process that does nothing."""
    folder = tmp_path / "hosts" / "kept"
    folder.mkdir(parents=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as engine:
        host = PrivateHost("kept", engine.pid, 7, "/nowhere", time.time(), folder, start_ticks(engine.pid) or 0)
        records.remember(host, ready=True)
        yield host
        engine.kill()


@pytest.fixture
async def watched(recorded_host: PrivateHost) -> AsyncIterator[EngineKeeper]:
    """The keeper of this host."""
    keeper = EngineKeeper(recorded_host, time.time)
    keeper.open()
    yield keeper
    await keeper.close()


async def test_the_files_of_a_host_whose_engine_ended_stay_while_its_keeper_lives(
    watched: EngineKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "MAX_ENGINE_EXITS", 1)
    adopted: list[bool] = []

    async def adopt() -> None:
        """Adopts hosts, which is the first thing that a run of claims does."""
        await private_host.adopt(tmp_path)
        adopted.append(watched.host.folder.exists())

    watched.on_end = adopt
    os.kill(watched.host.pid, signal.SIGKILL)
    await eventually(lambda: len(adopted) == 2)
    assert watched.failed
    assert adopted == [True, True], "right after the end, and while it waits for the button"


@pytest.mark.parametrize("kind", [PrivateHostError, OSError])
async def test_waiting_for_the_engine_ends_when_it_cannot_be_started(
    watched: EngineKeeper, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    held = asyncio.Event()

    async def fail(*_args: object, **_more: object) -> None:
        await held.wait()
        raise kind("The disk is full: free some space.")

    monkeypatch.setattr(private_host, "start_again", fail)
    os.kill(watched.host.pid, signal.SIGKILL)
    await eventually(lambda: watched.starting)
    waiting = asyncio.create_task(watched.settled())
    await asyncio.wait({waiting}, timeout=0)
    assert not waiting.done()
    held.set()
    await eventually(waiting.done)
    assert watched.failed
    assert not watched.starting
    assert "The disk is full" in watched.describe_loss()
