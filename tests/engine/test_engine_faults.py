"""An engine that hangs, dies, comes back, or loses its socket, on a separate private host."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.protocol import EngineEvent, EngineUnreachable
from tests.support.escapes.machine import LIBC, checked
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine

MORTAL = "mortal"
#: The number of the system call pidfd_getfd(2).
PIDFD_GETFD = 438


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """A private host that tests suspend and resume."""
    folder = tmp_path_factory.mktemp("host")
    yield asyncio.run(private_host.start(folder, die_with_parent=True))
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
def mortal_host(tmp_path: Path) -> Iterator[PrivateHost]:
    """A private host that a test stops or kills. Its id is fixed, so it has the same socket after a restart."""
    yield asyncio.run(private_host.start(tmp_path, MORTAL, die_with_parent=True))
    asyncio.run(private_host.stop_all(tmp_path))


@asynccontextmanager
async def watching(engine: DockerEngine) -> AsyncIterator[list[EngineEvent]]:
    """Collects the events during the block, and ends at once with it."""
    seen: list[EngineEvent] = []

    async def watch() -> None:
        async for event in engine.events():
            seen.append(event)  # noqa: PERF401  read by the test while it runs

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        async with asyncio.timeout(DEADLINE_S):
            with suppress(asyncio.CancelledError):
                await task
        await engine.close()


async def suspend(host: PrivateHost) -> None:
    """Stops the engine. Returns when all its threads have stopped: until then one of them may still answer."""
    os.kill(host.pid, signal.SIGSTOP)

    def is_suspended() -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread has ended meanwhile
            files = Path(f"/proc/{host.pid}/task").glob("*/stat")
            return {file.read_text().rpartition(")")[2].split()[0] for file in files} == {"T"}
        return False

    await eventually(is_suspended)


def notices(events: list[EngineEvent]) -> list[str]:
    return [event.action for event in events if event.kind == "stream"]


async def test_a_hung_engine_is_noticed_by_every_call_within_its_deadline(host: PrivateHost) -> None:
    engine = DockerEngine(host.endpoint, timeout_s=0.4)

    async def answers() -> bool:
        with suppress(EngineUnreachable):
            return bool(await engine.info())
        return False

    await eventually(answers)
    try:
        await suspend(host)
        for call in (
            engine.info(),
            engine.create_container("one", {"Image": "nginx"}),
            engine.start_container("one"),
            engine.inspect_container("one"),
            engine.stop_container("one", grace_s=0),
            engine.remove_container("one"),
            engine.container_logs("one"),
            engine.containers({}),
            engine.create_network("one", "bridge", {}, {}),
            engine.remove_network("one"),
            engine.networks({}),
            engine.images(),
            engine.image("nginx"),
            engine.tag_image("nginx", "other"),
        ):
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(EngineUnreachable, match=r"did not answer within 0\.4 s"):
                    await call
    finally:
        os.kill(host.pid, signal.SIGCONT)
    await eventually(answers)
    await engine.close()


async def test_events_say_that_a_killed_engine_is_lost_and_that_it_is_back(mortal_host: PrivateHost) -> None:
    async with watching(DockerEngine(mortal_host.endpoint)) as seen:
        await eventually(lambda: notices(seen) == ["connected"])
        os.kill(mortal_host.pid, signal.SIGKILL)
        await eventually(lambda: notices(seen)[:2] == ["connected", "lost"])
        lost = [event for event in seen if event.action == "lost"]
        assert lost[0].attributes["reason"]
        await private_host.stop(mortal_host)
        await private_host.start(mortal_host.folder.parent.parent, MORTAL, die_with_parent=True)
        await eventually(lambda: notices(seen)[-1] == "connected")
        engine = DockerEngine(mortal_host.endpoint)
        network = await engine.create_network("back", "bridge", {}, {})
        await eventually(lambda: any(event.id == network and event.action == "create" for event in seen))
        await engine.close()


def listen_again(host: PrivateHost) -> None:
    """Calls listen(2) on the socket at which the engine of a host listens. Root of the host can do the same: from then
    on, the kernel reports another process than the engine."""
    process = os.pidfd_open(host.pid)
    try:
        for fd in Path(f"/proc/{host.pid}/fd").iterdir():
            if str(fd.readlink()).startswith("socket:"):
                with socket.socket(fileno=checked(LIBC.syscall(PIDFD_GETFD, process, int(fd.name), 0))) as copy:
                    if copy.getsockname() == host.socket and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        copy.listen()
    finally:
        os.close(process)


async def test_an_engine_with_an_unknown_process_shows_no_process_of_the_machine(mortal_host: PrivateHost) -> None:
    if not mortal_host.owner:
        pytest.skip("root of this host is root of the machine")
    await load_lab_image(mortal_host)
    machine = PrivateEngine(mortal_host, mortal_host.folder.parent.parent)
    container = await asyncio.to_thread(machine.docker, "run", "-d", "nginx")
    async with DockerEngine(mortal_host.endpoint, host=mortal_host) as engine:
        assert (await engine.info()).pid == mortal_host.pid
        assert (await engine.inspect_container(container)).pid in processes(mortal_host.name, "containers")
        await asyncio.to_thread(listen_again, mortal_host)
        assert (await engine.info()).pid is None
        facts = await engine.inspect_container(container)
        assert (facts.running, facts.pid) == (True, 0)


async def test_a_hung_engine_sends_its_events_when_it_goes_on(host: PrivateHost) -> None:
    maker = DockerEngine(host.endpoint)
    async with watching(DockerEngine(host.endpoint)) as seen:
        await eventually(lambda: notices(seen) == ["connected"])
        try:
            await suspend(host)
            making = asyncio.create_task(maker.create_network("late", "bridge", {}, {}))
        finally:
            os.kill(host.pid, signal.SIGCONT)
        network = await making
        await eventually(lambda: any(event.id == network for event in seen))
        assert notices(seen) == ["connected"]
    await maker.close()


async def test_calls_succeed_again_when_a_removed_socket_is_back(host: PrivateHost) -> None:
    engine = DockerEngine(host.endpoint)
    socket = Path(host.socket)
    await asyncio.to_thread(socket.rename, socket.with_suffix(".away"))
    with pytest.raises(EngineUnreachable, match=r"No Docker Engine answers at .*docker\.sock"):
        await engine.info()
    await asyncio.to_thread(socket.with_suffix(".away").rename, socket)
    assert (await engine.info()).pid == host.pid
    await engine.close()


async def test_calls_after_a_restart_need_no_new_connection_object(mortal_host: PrivateHost) -> None:
    engine = DockerEngine(mortal_host.endpoint)
    await engine.info()
    await private_host.stop(mortal_host)
    with pytest.raises(EngineUnreachable, match="No Docker Engine answers"):
        await engine.networks({})
    again = await private_host.start(mortal_host.folder.parent.parent, MORTAL, die_with_parent=True)
    assert (await engine.info()).pid == again.pid
    await engine.close()
