"""An engine that hangs, dies, loses its socket and comes back; with live-restore its containers keep running.

In each case the experiment shows the problem and its start, no data is lost, the lab recovers by itself, and no object
is left over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import OBSERVERS
from dashboard.core.namespaces.state import Origin
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab import reconciler
from dashboard.store import experiments as experiment_store
from tests.support.lab_harness import LabHarness, healed, open_lab_harness, troubled
from tests.support.polling import eventually, until
from tests.support.private_engine import PrivateEngine, private_engine

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
    async with open_lab_harness(DockerEngine(own_host.endpoint, timeout_s=ENGINE_TIMEOUT_S), tmp_path) as made:
        yield made
    assert own_host.docker("ps", "-aq") == ""
    assert own_host.docker("network", "ls", "-q", "--filter", "type=custom") == ""


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


async def test_an_experiment_recovers_when_a_removed_socket_is_back(
    lab_harness: LabHarness, own_host: PrivateEngine
) -> None:
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
def killable_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivateEngine, Daemon]]:
    """A host with an engine that tests may kill."""
    # With the runtime user-namespace, the host's namespaces end with its engine.
    with private_engine(tmp_path_factory.mktemp("mortal-host"), runtime="privileged") as host:
        process = Daemon(host)
        yield host, process
        process.end()


@asynccontextmanager
async def lab_on(host: PrivateEngine, folder: Path) -> AsyncIterator[LabHarness]:
    """A lab on the engine of a host, with a short timeout."""
    async with open_lab_harness(DockerEngine(host.endpoint, timeout_s=ENGINE_TIMEOUT_S), folder) as harness:
        yield harness


@pytest.fixture
async def killable_lab(
    killable_host: tuple[PrivateEngine, Daemon], tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabHarness]:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    async with lab_on(killable_host[0], tmp_path) as harness:
        yield harness


@pytest.mark.slow
async def test_an_experiment_recovers_when_a_killed_engine_is_started_again(
    killable_lab: LabHarness, killable_host: tuple[PrivateEngine, Daemon]
) -> None:
    host, process = killable_host
    if killable_lab.context.info.version.startswith("20.10"):
        pytest.skip("Engine 20.10 does not start again beside a containerd that it lost")
    identity = await killable_lab.running("host", "bridge", "user-bridge")
    process.kill()
    head = await troubled(killable_lab, identity)
    assert "Engine" in head.problem
    assert head.problem_since is not None
    process.start_again()
    await eventually(lambda: host.try_docker("version").returncode == 0, 60)
    # Without live-restore the new engine has stopped all containers: that is what is shown.
    await killable_lab.reaches(identity, Phase.FAILED, deadline_s=30)
    statuses = {one.key: one.status for one in (await killable_lab.view(identity)).columns if one.key not in OBSERVERS}
    assert set(statuses.values()) <= {ArmStatus.EXITED, ArmStatus.LOST}, statuses
    assert killable_lab.context.info.pid == daemon(host)
    assert killable_lab.context.info.pid != process.pid
    await killable_lab.want(identity, Wanted.RUNNING, again=True)
    await killable_lab.reaches(identity, Phase.RUNNING, deadline_s=30)
    await healed(killable_lab, identity)
    states = (await killable_lab.view(identity)).states
    assert set(states) == {"machine", "host", "bridge", "user-bridge", "neighbour"}
    assert states["machine"].netns == states["host"].netns
    resolvers = [state.resolver.origin for state in states.values() if state.resolver]
    assert len(resolvers) == 4
    assert Origin.UNREADABLE not in resolvers
    await killable_lab.stop(identity)
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


async def test_with_live_restore_a_restart_of_the_engine_is_reported_and_its_containers_keep_running(
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

    async def is_reported() -> bool:
        return any(told in entry.text for entry in await restored.entries(identity))

    await eventually(is_reported)
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


def test_polling_has_a_deadline() -> None:
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: False, 0.05)
