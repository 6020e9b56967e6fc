"""An experiment on a rootless engine: RootlessKit's namespace is not called the machine."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.modes import MACHINE, ArmSpec, Mode, Publish
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.doctor import examine
from dashboard.lab.engine.ports import port_holders
from dashboard.lab.experiments.actions import try_paths
from dashboard.lab.remote.experiment_calls import launch_options
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, engine_variant

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module", params=["rootless-slirp4netns", "rootless-pasta"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    with engine_variant(request.param, tmp_path_factory.mktemp("rootless")) as engine:
        yield engine


def test_the_peer_of_the_socket_is_the_daemon(host: PrivateEngine) -> None:
    pid = find_daemon(host.endpoint)
    assert pid is not None
    assert Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"


async def test_the_column_of_the_machine_is_rootlesskits_namespace(lab: LabHarness, host: PrivateEngine) -> None:
    identity = await lab.running("host", "bridge", "user-bridge", publish=["8080:80"])
    inode = int(host.on_machine("stat", "-L", "-c", "%i", "/proc/self/ns/net"))
    view = await lab.view(identity)
    assert view.columns[0].title == "RootlessKit's namespace"
    assert view.states[MACHINE].netns == inode
    assert view.head is not None
    assert view.head.notice.startswith("The engine is rootless: RootlessKit's namespace (")
    rows = compare(view.columns, view.states)
    texts = [text for row in rows for text in (row.why, *row.absent.values(), *row.notes.values())]
    texts += [
        text for picture in draw(view.columns, view.states) for box in picture.boxes for text in (box.title, *box.lines)
    ]
    texts += [picture.summary for picture in draw(view.columns, view.states)]
    assert [text for text in texts if "machine" in text] == []
    netns = next(row for row in rows if row.key == "netns")
    assert netns.cells[MACHINE] == netns.cells["host"] == str(inode)


async def test_every_path_that_is_offered_answers(lab: LabHarness) -> None:
    identity = await lab.running("bridge", "user-bridge", publish=["8080:80"])
    attempts = await try_paths(lab.lab, identity)
    offered = [attempt for attempt in attempts if not attempt.unavailable]
    assert offered
    assert {attempt.url: attempt.error for attempt in offered if attempt.status != 200} == {}
    # nginx names the client of its connection in each page.
    seen = {attempt.url: attempt.client_seen.rpartition(":")[0].strip("[]") for attempt in offered}
    assert all(f" from {seen[attempt.url]}." in attempt.body_start for attempt in offered)


async def test_the_doctor_says_what_takes_the_place_of_the_machine(host: PrivateEngine) -> None:
    engine = DockerEngine(host.endpoint)
    report = await examine(engine, private=False)
    await engine.close()
    machine = next(check for check in report.checks if check.name == "machine")
    assert machine.ok
    assert "RootlessKit's namespace" in machine.detail
    assert not next(mode for mode in report.modes if mode.mode == "host").available


async def test_published_ports_are_bound_on_the_machine_itself(host: PrivateEngine) -> None:
    # The host itself is RootlessKit; dockerd runs in its namespaces.
    on_machine = ["nsenter", "-t", str(host.host.pid), "--net", "--"]
    with_pasta = "slirp4netns" not in host.docker("version", "--format", "{{json .Server.Components}}")
    host.docker("run", "-d", "--name", "web", "-p", "8090:80", "nginx")

    def run(*command: str) -> str:
        return subprocess.run([*on_machine, *command], capture_output=True, text=True, check=True).stdout

    try:
        # pasta looks for new listeners in RootlessKit's namespace once a second.
        lines = await eventually(lambda: run("ss", "-Hltnp", "sport = :8090").splitlines())
        assert all(("pasta" if with_pasta else "rootlesskit") in line for line in lines)
        if with_pasta:
            clients = {at: run("curl", "-sm9", f"http://{at}:8090/") for at in ("127.0.0.1", "192.0.2.2")}
            assert " from 10.0.2.100." in clients["127.0.0.1"]
            assert " from 192.0.2.2." in clients["192.0.2.2"]
    finally:
        host.docker("rm", "-f", "web")


async def test_a_port_that_a_program_of_the_machine_itself_holds_is_not_offered(
    lab: LabHarness, host: PrivateEngine
) -> None:
    # RootlessKit could not bind it.
    server = await asyncio.create_subprocess_exec(
        *("nsenter", "-t", str(host.host.pid), "--net", "--", "python3", "-m", "http.server", "8080"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        published = (ArmSpec("bridge", Mode.BRIDGE, publish=(Publish(80, 8080),)),)
        holders = await eventually(lambda: port_holders(lab.lab, published))
        assert holders[0].sentence == f"python3 (pid {server.pid}) listens on port 8080 of this machine."
        assert (await launch_options(lab.lab)).port == 8081
    finally:
        server.kill()
        await server.wait()
