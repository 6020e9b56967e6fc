"""Two web processes and a lab with PostgreSQL and NATS: both show the same, and recover from failures."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dashboard.bench.operations.postgres_nats import NOBODY
from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.server import Frames, Server
from dashboard.bench.training.deliveries import Instructor, join
from dashboard.bench.websocket_clients import Client, websocket_clients
from dashboard.web.operations.peer_sync import SESSIONS_WITH_NATS_S
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import Terminal
from tests.team.machine import containers, head

#: A killed lab is unavailable after 7 s; pages are polled. Both are deadlines for a machine with other tests.
UNAVAILABLE_S = 30.0
HEALED_S = 30.0
#: Web processes compare sessions at this interval even if no wake-up comes.
POLLED_S = SESSIONS_WITH_NATS_S
#: A deadline for the start of a private host while other tests start some, too.
HOST_S = 60.0
MODES = ("none", "none")
pytestmark = pytest.mark.engine


def again(client: Server) -> Server:
    """Another client of the same web process, with the same session."""
    return Server(client.host, dict(client.cookies))


@pytest.fixture
def one(webs: list[Server]) -> Iterator[Server]:
    server = again(webs[0])
    yield server
    server.close()


@pytest.fixture
def two(webs: list[Server]) -> Iterator[Server]:
    server = again(webs[1])
    yield server
    server.close()


def running(server: Server, modes: tuple[str, ...] = MODES) -> str:
    """The id of a new, running experiment."""
    identity = server.launch(modes)
    until(lambda: head(server, identity)["phase"] == "running", HEALED_S)
    return identity


def badge(server: Server) -> str:
    return server.ask("GET", "/").data.decode()


async def reaches(frames: Frames, phase: str, within_s: float = HEALED_S) -> None:
    """Waits until the websocket reports the phase."""
    async with asyncio.timeout(within_s):
        while frames.head.get("phase") != phase:
            await frames.next(within_s)


@asynccontextmanager
async def watching(server: Server, identity: str) -> AsyncIterator[Frames]:
    async with server.frames(identity) as frames:
        await frames.next()
        yield frames


async def ask(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


def test_web_processes_run_unprivileged_and_without_access_to_docker(
    deployment: TeamDeployment, engine_host: PrivateEngine, one: Server
) -> None:
    socket = Path(engine_host.socket)
    mode = socket.stat()
    assert mode.st_uid != NOBODY
    assert not mode.st_mode & stat.S_IWOTH
    for web in deployment.webs:
        process = Path(f"/proc/{web.pid}")
        status = (process / "status").read_text()
        assert re.search(rf"^Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE), "no capability"
        assert b"DOCKER_HOST" not in (process / "environ").read_bytes()
        assert (process / "ns/net").stat().st_ino == Path("/proc/self/ns/net").stat().st_ino
        held = []
        for number in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                held.append(str(number.readlink()))
        assert held
        assert not any("docker" in one or one.startswith("net:[") for one in held)
    until(lambda: "Engine 2" in badge(one), HEALED_S)  # the version comes with the lab's heartbeat
    doctor = json.loads(one.ask("GET", "/api/doctor").data)
    assert {mode["mode"]: mode["available"] for mode in doctor["modes"]}["bridge"]


async def test_an_experiment_launched_at_one_process_is_live_at_the_other(one: Server, two: Server) -> None:
    identity = await ask(lambda: one.launch(MODES))
    async with watching(two, identity) as frames:
        await reaches(frames, "running")
        attempts = await ask(lambda: two.ask("POST", f"/experiments/{identity}/try/"))
        assert attempts.status == 200
        await ask(lambda: one.ask("POST", f"/experiments/{identity}/stop/"))
        await reaches(frames, "stopped")


def test_output_comes_from_the_remote_lab_and_an_invalid_call_is_refused_with_the_reason(
    one: Server, two: Server
) -> None:
    identity = running(one)
    fields = {"column": "machine", "command": "ip-addr", "name": ""}
    printed = two.ask("POST", f"/experiments/{identity}/inspect/", fields)
    assert printed.status == 200
    assert b"LOOPBACK" in printed.data
    wrong = two.ask("POST", f"/experiments/{identity}/inspect/", fields | {"column": "<nobody>"})
    assert wrong.status == 400
    assert b"There is no running column" in wrong.data


async def test_a_session_with_participants_at_both_processes_is_one(deployment: TeamDeployment, one: Server) -> None:
    instructor = await ask(lambda: Instructor.with_session(one, 20))
    async with websocket_clients(deployment.webs[0].host) as here, websocket_clients(deployment.webs[1].host) as there:
        for people, first in ((here, 0), (there, 10)):
            await join(people, instructor, 4, 2.0, first)
        for people in (here, there):
            assert len(await people.ask("until", field="present", value=8)) == 4
        for number, people in enumerate((here, there)):
            started = await asyncio.to_thread(instructor.steer, "pointer", row=f"interfaces/eth0/{number}")
            times = await people.ask("until", field="pointer", value=f"interfaces/eth0/{number}")
            assert max(times) - started < POLLED_S / 2, "by a wake-up, not by polling"
        await asyncio.to_thread(instructor.steer, "step", step="launch")
        await there.ask("predict", step="launch", within_s=1.0)
        assert len(await here.ask("until", field="answered", value=4)) == 4


def test_wrong_join_codes_are_counted_over_both_processes(one: Server, two: Server) -> None:
    statuses = []
    for number in range(44):
        server = (one, two)[number % 2]
        statuses.append(server.ask("POST", "/join/", {"code": "22222222", "name": "X"}).status)
    assert statuses[0] == 404
    assert statuses[-1] == 429


def test_reap_with_another_data_folder_keeps_what_the_lab_drives(
    deployment: TeamDeployment, engine_host: PrivateEngine, one: Server, tmp_path: Path
) -> None:
    identity = running(one)
    settings = {"DATABASE_URL": deployment.postgres.url, "DOCKER_HOST": engine_host.endpoint}
    elsewhere = Terminal({**os.environ, **settings, "NETMODES_DATA_DIR": str(tmp_path)}, tmp_path)
    done = elsewhere.run("reap", "--json")
    assert done.code == 0, done.err
    assert done.json["removed"] == []
    assert any(identity in line for line in done.json["kept"])
    assert head(one, identity)["phase"] == "running"


@pytest.mark.slow
async def test_a_killed_lab_is_unavailable_and_its_successor_adopts_the_containers(
    deployment: TeamDeployment, one: Server, two: Server
) -> None:
    identity = await ask(lambda: running(one))
    before = await ask(lambda: containers(one, identity))
    async with watching(two, identity) as frames:
        deployment.lab.kill()
        await ask(lambda: until(lambda: "Lab unavailable" in badge(two), UNAVAILABLE_S))
        refused = await ask(lambda: two.ask("POST", f"/experiments/{identity}/try/"))
        assert refused.status == 409
        assert "does not respond" in refused.data.decode()
        await ask(
            lambda: until(lambda: one.ask("GET", "/readyz").status == 503, UNAVAILABLE_S)
        )  # each process by itself
        deployment.lab.start()  # in this thread: the process ends with the thread that started it
        await ask(lambda: until(lambda: "Lab unavailable" not in badge(two), UNAVAILABLE_S))
        assert await ask(lambda: containers(two, identity)) == before, "the containers were adopted"
        await ask(lambda: one.ask("POST", f"/experiments/{identity}/stop/"))
        await reaches(frames, "stopped")


@pytest.mark.slow
async def test_without_nats_pages_still_update(deployment: TeamDeployment, one: Server, two: Server) -> None:
    deployment.nats.stop()
    try:
        identity = await ask(lambda: running(one))
        async with watching(two, identity) as frames:
            await ask(lambda: two.ask("POST", f"/experiments/{identity}/again/"))
            async with asyncio.timeout(HEALED_S):
                while frames.head["round"] != 2 or frames.head["phase"] != "running":
                    await frames.next()
            refused = await ask(lambda: one.ask("POST", f"/experiments/{identity}/try/"))
            assert refused.status == 409
            assert "NATS does not answer" in (await ask(lambda: one.ask("GET", "/readyz"))).data.decode()
            deployment.nats.start()
            await ask(lambda: until(lambda: one.ask("POST", f"/experiments/{identity}/try/").status == 200, HEALED_S))
            await ask(lambda: one.ask("POST", f"/experiments/{identity}/stop/"))
            await reaches(frames, "stopped")
    finally:
        if deployment.nats.is_ready() is False:
            deployment.nats.start()


@pytest.mark.slow
async def test_a_database_that_is_restarted_loses_nothing(deployment: TeamDeployment, one: Server, two: Server) -> None:
    identity = await ask(lambda: running(one))
    before = await ask(lambda: containers(one, identity))
    async with watching(two, identity) as frames:
        deployment.postgres.stop()
        deployment.postgres.start()
        await ask(lambda: until(lambda: one.ask("GET", "/readyz").status == 200, HEALED_S))
        assert await ask(lambda: containers(two, identity)) == before
        await ask(lambda: until(lambda: one.ask("POST", f"/experiments/{identity}/stop/").status == 302, HEALED_S))
        await reaches(frames, "stopped")


@pytest.mark.slow
async def test_a_client_of_a_killed_web_process_continues_at_the_other(
    deployment: TeamDeployment, one: Server, two: Server
) -> None:
    identity = await ask(lambda: running(one))
    try:
        async with watching(one, identity) as frames:
            async with asyncio.timeout(HEALED_S):  # the servers listen after their arms run
                while not all(frames.cells.get("listeners/tcp :80/", {}).get(arm) for arm in ("none", "none-2")):
                    await frames.next()
            known = frames.cells
            deployment.webs[0].kill()
            with pytest.raises(ConnectionClosed):
                await reaches(frames, "gone")
        async with watching(two, identity) as frames:
            assert {key: frames.cells.get(key) for key in known} == known, "the other process may have more cells"
            await ask(lambda: two.ask("POST", f"/experiments/{identity}/stop/"))
            await reaches(frames, "stopped")
    finally:
        deployment.webs[0].start()


async def test_a_private_host_and_its_terminal_are_reached_through_both_processes(
    deployment: TeamDeployment, one: Server, two: Server
) -> None:
    wanted = {"title": "Own", "workshop": "host-network", "max_participants": "2", "hours": "1", "hosts": "person"}
    made = await ask(lambda: one.ask("POST", "/sessions/new/", wanted | {"terminal": "on"}))
    session = made.headers["location"].split("/")[2]
    console = (await ask(lambda: one.ask("GET", f"/sessions/{session}/console/"))).data.decode()
    code, key = re.findall(r"code=([0-9A-Z]{8})&amp;key=([\w-]+)", console)[0]
    instructor = Instructor(one, session, code, key)
    participant = Client(two.host, number=1)
    try:
        await participant.join(code, key)
        await ask(lambda: instructor.steer("step", step="launch"))
        # The first opened step requests the host.
        assert (await participant.ask("POST", f"/sessions/{session}/steps/launch/opened/", {}))[0] == 204
        await participant.predict("launch")
        run = f"/sessions/{session}/steps/launch/run/"
        async with asyncio.timeout(HOST_S):
            while (await participant.ask("POST", run, {"number": "0"}))[0] == 409:
                await asyncio.to_thread(select.select, [], [], [], 0.3)  # until the host is ready
        url = f"ws://{two.host}/ws/sessions/{session}/terminal/?cols=80&rows=24"
        headers = participant.headers()
        async with connect(url, origin=f"http://{two.host}", additional_headers=headers, proxy=None) as window:  # type: ignore[arg-type]
            await window.send(b"docker ps --format '{{.Names}}' | head -c 3; echo $((6*7))\n")
            printed = b""
            async with asyncio.timeout(HEALED_S):
                while b"web42" not in printed.replace(b"\r\n", b""):
                    frame = await window.recv()
                    printed += frame[8:] if isinstance(frame, bytes) else b""
    finally:
        await ask(lambda: instructor.steer("close"))
        participant.close()
