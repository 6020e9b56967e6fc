"""One team deployment with a second machine for all tests of this folder: its start takes many seconds.

At the end of each test both machines are connected, and no experiment runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dashboard.bench.operations.team_deployment import TeamDeployment, team_deployment
from dashboard.bench.server import Server
from dashboard.netns.namespace import namespace_file
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, private_engine, share_lab_image
from tests.team.machine import HEALED_S, Machine, hosts, row, token

#: The addresses of the machine of the installation and of lab2 on the network between them.
SERVER_ADDRESS, LAB2_ADDRESS = "10.231.7.1", "10.231.7.2"


@pytest.fixture(scope="package")
def deployment(engine_host: PrivateEngine) -> Iterator[TeamDeployment]:
    """A running team deployment."""
    with team_deployment(engine_host.endpoint) as running:
        share_lab_image(running.folder / "lab")  # private hosts have no network
        yield running


@pytest.fixture(scope="package")
def webs(deployment: TeamDeployment, engine_host: PrivateEngine) -> Iterator[list[Server]]:
    """Signed-in clients of the web processes, which share a session. At the end no experiment and no private host of a
    group is left, and no container or network on the suite's engine: a lab that ends does not complete a removal."""
    first = Server(deployment.webs[0].host, {})
    first.sign_in(deployment.webs[0].link)
    servers = [first, *(Server(web.host, dict(first.cookies)) for web in deployment.webs[1:])]
    yield servers
    for one in json.loads(first.ask("GET", "/api/experiments").data):
        first.remove(one["id"])
    until(lambda: json.loads(first.ask("GET", "/api/experiments").data) == [], HEALED_S)
    for objects in (engine_api.containers, engine_api.networks):
        until(lambda objects=objects: not objects(engine_host.endpoint, name="nm-"), HEALED_S)  # type: ignore[misc]
    until(lambda: not hosts(deployment), HEALED_S)
    for server in servers:
        server.close()


@pytest.fixture(scope="package")
def engine2(engine_host: PrivateEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """The engine of lab2, whose machine is connected with that of the installation."""
    with private_engine(tmp_path_factory.mktemp("engine2")) as engine, _network(engine_host, engine):
        yield engine


@pytest.fixture(scope="package")
def lab2(deployment: TeamDeployment, webs: list[Server], engine2: PrivateEngine) -> Iterator[Machine]:
    """The machine lab2, which has joined, with a running lab."""
    machine = Machine("lab2", deployment.folder / "lab2", engine2.endpoint)
    joined = machine.join(token(webs[0]), "--name", "lab2", "--label", "rack=7")
    assert joined.returncode == 0, joined.stderr
    assert "has joined" in joined.stderr
    machine.lab.start()
    until(lambda: all("connected" in row(web, "lab2") for web in webs), HEALED_S)
    yield machine
    machine.lab.stop()


@contextmanager
def _network(first: PrivateEngine, second: PrivateEngine) -> Iterator[None]:
    """A veth pair between the machines of two engines."""
    ends = ((first, "nm-to-lab2", SERVER_ADDRESS), (second, "nm-to-server", LAB2_ADDRESS))
    _ip("link", "add", ends[0][1], "type", "veth", "peer", "name", ends[1][1])
    for engine, name, address in ends:
        _ip("link", "set", name, "netns", str(engine.pid))
        for command in (f"addr add {address}/24 dev {name}", f"link set {name} up"):
            _ip(*command.split(), netns=namespace_file(engine.pid, "net"))
    try:
        yield
    finally:
        _ip("link", "del", ends[0][1], netns=namespace_file(first.pid, "net"))


def _ip(*arguments: str, netns: str = "") -> None:
    enter = ["nsenter", f"--net={netns}", "--"] if netns else []
    done = subprocess.run([*enter, "ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
