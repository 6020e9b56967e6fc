"""An engine that hangs, dies, loses its socket and comes back; a database that is locked or full.

In each case the experiment shows the problem and its start, no data is lost, the lab recovers by itself, and no object
is left over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import OperationalError

from dashboard.core.experiments.journal import Entry, replay
from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, ExperimentHead, Phase
from dashboard.core.modes import OBSERVERS
from dashboard.core.namespaces.state import Origin
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab import reconciler
from dashboard.lab.experiments import journal_writer
from dashboard.store import experiments as experiment_store
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness, close_lab_harness, open_lab_harness
from tests.support.polling import DEADLINE_S, eventually, others_run, until
from tests.support.private_engine import PrivateEngine, private_engine
from tests.support.specs import make_spec

ENGINE_TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def own_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A separate host that tests may stop and kill."""
    with private_engine(tmp_path_factory.mktemp("own-host")) as host:
        yield host


@pytest.fixture
async def lab_harness(
    own_host: PrivateEngine, tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabHarness]:
    """A lab with short timeouts for its engine."""
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    made = await open_lab_harness(DockerEngine(own_host.endpoint, timeout_s=ENGINE_TIMEOUT_S), tmp_path)
    yield made
    await close_lab_harness(made)
    assert own_host.docker("ps", "-aq") == ""
    assert own_host.docker("network", "ls", "-q", "--filter", "type=custom") == ""


async def troubled(lab_harness: LabHarness, identity: str, deadline_s: float = DEADLINE_S) -> ExperimentHead:
    """Waits until the experiment has a problem; returns its head."""

    async def head() -> ExperimentHead | None:
        found = (await lab_harness.view(identity)).head
        return found if found is not None and found.problem else None

    found: ExperimentHead = await eventually(head, deadline_s)
    return found


async def healed(lab_harness: LabHarness, identity: str, deadline_s: float = DEADLINE_S) -> ExperimentHead:
    """Waits until the experiment has no problem; returns its head."""

    async def head() -> ExperimentHead | None:
        found = (await lab_harness.view(identity)).head
        return found if found is not None and not found.problem else None

    found: ExperimentHead = await eventually(head, deadline_s)
    return found


def daemon(host: PrivateEngine) -> int:
    """The pid of the dockerd that serves the socket now."""
    return int(subprocess.check_output(["pgrep", "-f", f"^dockerd .*{host.socket}"], text=True).split()[0])


class Hang:
    """Suspends the engine's process (SIGSTOP) until the end of the block."""

    def __init__(self, host: PrivateEngine) -> None:
        self._pid = daemon(host)

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


async def test_an_engine_that_hangs_during_a_launch_is_shown_and_the_launch_finishes_later(
    lab_harness: LabHarness, own_host: PrivateEngine
) -> None:
    before = lab_harness.context.clock()
    identity = await lab_harness.launch(*["bridge"] * 6, "user-bridge")
    await lab_harness.reaches(identity, Phase.LAUNCHING, Phase.RUNNING)
    with Hang(own_host):
        lab_harness.lab.wake()
        head = await troubled(lab_harness, identity)
        assert "did not answer within" in head.problem
        assert head.problem_since is not None
        assert head.problem_since >= before
        since = head.problem_since
        assert (await troubled(lab_harness, identity)).problem_since == since
    await lab_harness.reaches(identity, Phase.RUNNING)
    await healed(lab_harness, identity)
    columns = (await lab_harness.view(identity)).columns
    assert {one.status for one in columns} == {ArmStatus.RUNNING}, [one.error for one in columns if one.error]
    assert len(own_host.docker("ps", "-q").split()) == 7
    assert any(entry.text == "The Engine answers again" for entry in await lab_harness.entries(identity))


async def test_an_engine_that_hangs_while_it_is_stopped_is_waited_for(
    lab_harness: LabHarness, own_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "none")
    with Hang(own_host):
        lab_harness.lab.wake()
        # A pass that began before the stop has the problem first, and the phase is still running.
        assert (await troubled(lab_harness, identity)).phase is Phase.RUNNING
        await lab_harness.want(identity, Wanted.STOPPED)
        head = await lab_harness.reaches(identity, Phase.STOPPING)
        assert "did not answer within" in (await troubled(lab_harness, identity)).problem
    head = await lab_harness.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert head.problem == ""


async def test_a_removal_that_cannot_be_done_yet_is_not_forgotten(
    lab_harness: LabHarness, own_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge")
    with Hang(own_host):
        await lab_harness.want(identity, Wanted.REMOVED)
        await troubled(lab_harness, identity)
        assert await lab_harness.database.run(experiment_store.load, identity) is not None

    async def forgotten() -> bool:
        return await lab_harness.database.run(experiment_store.load, identity) is None

    await eventually(forgotten)


async def test_a_socket_that_is_taken_away_and_put_back(lab_harness: LabHarness, own_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    path, away = Path(own_host.socket), Path(f"{own_host.socket}.away")
    engine = lab_harness.context.engine
    assert isinstance(engine, DockerEngine)
    await asyncio.to_thread(path.rename, away)
    try:
        engine._connection.forget()  # open connections continue; as if they had been idle for too long
        lab_harness.lab.wake()
        head = await troubled(lab_harness, identity)
        assert "No Docker Engine answers" in head.problem
    finally:
        await asyncio.to_thread(away.rename, path)
    assert (await healed(lab_harness, identity)).phase is Phase.RUNNING
    assert {one.status for one in (await lab_harness.view(identity)).columns} == {ArmStatus.RUNNING}


class Daemon:
    """A dockerd, with everything needed to start it again in the same namespaces."""

    def __init__(self, host: PrivateEngine) -> None:
        self._log = host.data_dir / "again.log"
        self.pid = daemon(host)
        self._command = self._read("cmdline")
        self._environment = dict(pair.split(b"=", 1) for pair in self._read("environ"))
        kinds = {"net": "net", "mnt": "mount", "uts": "uts"}
        self._spaces = {option: os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY) for kind, option in kinds.items()}
        self._again: subprocess.Popen[bytes] | None = None

    def _read(self, name: str) -> list[bytes]:
        return Path(f"/proc/{self.pid}/{name}").read_bytes().rstrip(b"\0").split(b"\0")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)  # else its pid still exists, and the next one takes it for alive

    def stop(self) -> None:
        """Ends it as ``systemctl restart`` does. Engine 20.10 does not start again beside a containerd that it lost."""
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)

    def start_again(self) -> None:
        enter = [f"--{option}=/proc/self/fd/{number}" for option, number in self._spaces.items()]
        with self._log.open("wb") as log:
            self._again = subprocess.Popen(
                ["nsenter", *enter, "--", *self._command],
                env=self._environment,
                pass_fds=tuple(self._spaces.values()),
                stdout=log,
                stderr=log,
            )

    def end(self) -> None:
        for number in self._spaces.values():
            os.close(number)
        if self._again is not None:
            self._again.terminate()
            self._again.wait(20)


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateEngine, Daemon]]:
    """A host with an engine that tests may kill."""
    # With the runtime user-namespace, the host's namespaces end with its engine.
    with private_engine(tmp_path_factory.mktemp("mortal-host"), runtime="privileged") as host:
        process = Daemon(host)
        yield host, process
        process.end()


@asynccontextmanager
async def lab_on(host: PrivateEngine, folder: Path) -> AsyncIterator[LabHarness]:
    """A lab on the engine of a host, with a short timeout."""
    harness = await open_lab_harness(DockerEngine(host.endpoint, timeout_s=ENGINE_TIMEOUT_S), folder)
    yield harness
    await close_lab_harness(harness)


@pytest.fixture
async def doomed(
    mortal: tuple[PrivateEngine, Daemon], tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabHarness]:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    async with lab_on(mortal[0], tmp_path) as harness:
        yield harness


async def test_an_engine_that_is_killed_and_started_again(
    doomed: LabHarness, mortal: tuple[PrivateEngine, Daemon]
) -> None:
    host, process = mortal
    if doomed.context.info.version.startswith("20.10"):
        pytest.skip("Engine 20.10 does not start again beside a containerd that it lost")
    identity = await doomed.running("host", "bridge", "user-bridge")
    process.kill()
    head = await troubled(doomed, identity)
    assert "Engine" in head.problem
    assert head.problem_since is not None
    process.start_again()
    await eventually(lambda: host.try_docker("version").returncode == 0, 60)
    # Without live-restore the new engine has stopped all containers: that is what is shown.
    await doomed.reaches(identity, Phase.FAILED, deadline_s=30)
    statuses = {one.key: one.status for one in (await doomed.view(identity)).columns if one.key not in OBSERVERS}
    assert set(statuses.values()) <= {ArmStatus.EXITED, ArmStatus.LOST}, statuses
    assert doomed.context.info.pid == daemon(host)
    assert doomed.context.info.pid != process.pid
    await doomed.want(identity, Wanted.RUNNING, again=True)
    await doomed.reaches(identity, Phase.RUNNING, deadline_s=30)
    await healed(doomed, identity)
    states = (await doomed.view(identity)).states
    assert set(states) == {"machine", "host", "bridge", "user-bridge", "neighbour"}
    assert states["machine"].netns == states["host"].netns
    resolvers = [state.resolver.origin for state in states.values() if state.resolver]
    assert len(resolvers) == 4
    assert Origin.UNREADABLE not in resolvers
    await doomed.stop(identity)
    assert host.docker("ps", "-aq") == ""


@pytest.fixture
def surviving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateEngine, Daemon]]:
    """A host with live-restore, whose engine tests may kill."""
    with private_engine(tmp_path_factory.mktemp("live-host"), daemon={"live-restore": True}) as host:
        process = Daemon(host)
        yield host, process
        process.end()


@pytest.fixture
async def restored(
    surviving: tuple[PrivateEngine, Daemon], tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabHarness]:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    async with lab_on(surviving[0], tmp_path) as harness:
        yield harness


async def test_with_live_restore_a_restarted_engine_is_told_and_its_containers_keep_running(
    restored: LabHarness, surviving: tuple[PrivateEngine, Daemon]
) -> None:
    host, process = surviving
    identity = await restored.running("host", "bridge", "user-bridge", publish="18200:80")
    driver = await eventually(lambda: restored.lab.driver_of(identity))
    await driver.settled()
    before = await restored.view(identity)
    assert all(state.lookups for key, state in before.states.items() if key != "neighbour")
    await asyncio.to_thread(process.stop)
    await troubled(restored, identity)
    process.start_again()
    await healed(restored, identity, 60)
    await eventually(lambda: restored.context.info.pid == daemon(host))
    restored.lab.wake()
    told = "the containers of host, bridge and user-bridge kept running"

    async def is_told() -> bool:
        return any(told in entry.text for entry in await restored.entries(identity))

    await eventually(is_told)
    await driver.settled()
    later = [entry for entry in await restored.entries(identity) if entry.seq > before.seq]
    texts = [entry.text for entry in later]
    assert sum("The Engine was restarted" in text for text in texts) == 1, texts
    assert not any(" started" in text for text in texts if "The Engine" not in text), texts
    assert not any("resolver changes" in text or "hosts file changes" in text for text in texts), texts
    assert all(entry.facts.states == {} and entry.facts.forgotten == () for entry in later)
    after = await restored.view(identity)
    for key, state in before.states.items():
        now = after.states[key]
        assert (now.resolver, now.hosts, now.netns) == (state.resolver, state.hosts, state.netns), key
        assert [one.name for one in now.lookups] == [one.name for one in state.lookups], key
    await restored.stop(identity)
    assert host.docker("ps", "-aq") == ""


# What only a fake can be made to do.


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
    # The first, and one for all that came while it was under way; the lab's own pass may add one.
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
    driver = fake_lab.lab.driver_of(identity)
    assert driver is not None
    await driver.settled()
    assert driver.troubled, "the pass that was under way does not say that the Engine is back"
    await healed(fake_lab, identity)


@pytest.mark.usefixtures("impatient")
async def test_an_event_that_fails_does_not_stop_the_event_stream(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await fake_lab.running("host")
    run = fake_lab.lab.driver_of(identity)
    assert run is not None
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
        self._append = experiment_store.append

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
    monkeypatch.setattr(experiment_store, "append", stubborn.append)
    identity = await fake_lab.running("host", "host")
    run = fake_lab.lab.driver_of(identity)
    assert run is not None
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
async def test_a_locked_database_delays_and_nothing_more(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    real = getattr(experiment_store, function)
    left = iter(range(4))

    def locked(*arguments: object, **options: object) -> object:
        if next(left, None) is not None:
            raise OperationalError("database is locked")
        return real(*arguments, **options)

    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("host"))
    with monkeypatch.context() as patch:
        patch.setattr(experiment_store, function, locked)
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


def test_polling_has_a_deadline() -> None:
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: False, 0.05)
