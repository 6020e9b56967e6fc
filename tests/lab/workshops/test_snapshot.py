"""An observation of an engine includes containers launched in a shell, which have no labels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import judge
from dashboard.core.workshops.observation import ContainerSelector, Observation, newest
from dashboard.core.workshops.truth_readings import Reading, read
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.workshops.commands import workshop_host
from dashboard.lab.workshops.snapshot import WorkshopHost, connection_to, observe_host, timestamp
from dashboard.netns.netlink.listeners import PastConnection
from tests.lab.hosts import host_for, observe, private_workshop_host
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine
from tests.support.specs import OPEN_PORT

#: Ports that no other test uses: the kernel keeps connections of earlier tests on the same engine for a minute.
OWN_PORT, OWN_PUBLISHED = 18360, 18361


@pytest.fixture
async def host(engine_host: PrivateEngine) -> AsyncIterator[WorkshopHost]:
    async with private_workshop_host(engine_host) as made:
        yield made


def holds(observation: Observation, kind: str, **arguments: str | int) -> bool:
    return judge(Check(kind, arguments), observation).ok


async def docker(engine_host: PrivateEngine, *words: str) -> str:
    return await asyncio.to_thread(engine_host.docker, *words)


async def observe_until(host: WorkshopHost, *checks: Check, ports: tuple[int, ...] = ()) -> Observation:
    """An observation in which all checks hold."""

    async def found() -> Observation | None:
        observation = await observe(host, *ports)
        return observation if all(judge(one, observation).ok for one in checks) else None

    observation: Observation = await eventually(found)
    return observation


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "host_mode")
async def test_host_and_bridge_containers_are_observed_from_the_kernel(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    await docker(engine_host, "run", "-d", "--name", "web", "--network", "host", "nginx")
    await docker(engine_host, "run", "-d", "--name", "apart", "-p", "8080:80", "nginx")
    await docker(engine_host, "network", "create", "lab")
    await docker(engine_host, "run", "-d", "--name", "shop", "--network", "lab", "nginx")
    await docker(engine_host, "run", "-d", "--name", "beside", "--network", "container:shop", "nginx", "sleep", "100")
    try:
        serves = [{"place": "container", "port": 80, "name": one} for one in ("web", "apart", "shop")]
        observation = await observe_until(host, *(Check("listener", one) for one in serves))
        assert {one.name: one.mode for one in observation.containers} == {
            "web": "host", "apart": "bridge", "shop": "user-bridge", "beside": "container",
        }  # fmt: skip
        assert holds(observation, "namespace-is-machine", name="web")
        assert holds(observation, "namespace-differs", name="web", namespace="uts")
        assert holds(observation, "namespace-differs", name="apart")
        assert holds(observation, "listener", port=80, process="nginx", owner="container")
        assert holds(observation, "published", port=8080)
        assert holds(observation, "interface-present", place="container", name="web", interface="docker0")
        assert holds(observation, "interface-absent", place="container", name="apart", interface="docker0")
        assert holds(observation, "resolver", name="web", origin="copy")
        assert holds(observation, "resolver", name="shop", nameserver="127.0.0.11")
        assert holds(observation, "address-absent", name="beside")
        assert read(Reading("listener-process", {"port": 8080}), observation) == "docker-proxy"
        beside, shop = (newest(observation, ContainerSelector(name=one)) for one in ("beside", "shop"))
        assert beside is not None
        assert shop is not None
        assert beside.state is not None
        assert shop.state is not None
        assert (beside.target, beside.state.netns) == (shop.id, shop.state.netns)
        named = await observe(host, lookups=("shop",))
        assert holds(named, "name-resolves", name="shop", lookup="shop")
        assert holds(named, "name-unknown", name="apart", lookup="shop")
    finally:
        await docker(engine_host, "rm", "-f", "web", "apart", "beside", "shop")
        await docker(engine_host, "network", "rm", "lab")
    assert (await observe(host)).containers == ()
    assert host.watches.namespace(engine_host.host.netns) is None, "an observation leaves nothing open"


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths", "host_mode")
async def test_a_finished_request_is_still_observed_on_either_path(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    served = ("-e", f"NETMODES_PORT={OWN_PORT}")
    await docker(engine_host, "run", "-d", "--name", "web", "--network", "host", *served, "nginx")
    await docker(engine_host, "run", "-d", "--name", "apart", "-p", f"{OWN_PUBLISHED}:80", "nginx")
    ports = {"web": OWN_PORT, "apart": OWN_PUBLISHED}
    asked = [Check("requested", {"port": port, "name": name}) for name, port in ports.items()]
    try:
        serving = Check("listener", {"port": 80, "place": "container", "name": "apart"})
        observation = await observe_until(
            host, serving, Check("listener", {"port": OWN_PORT}), ports=tuple(ports.values())
        )
        assert not any(judge(one, observation).ok for one in asked)
        for port in ports.values():
            url = f"http://127.0.0.1:{port}/"
            assert "200 OK" in await asyncio.to_thread(engine_host.on_machine, "curl", "-si", url)
        proxied = Check("requested", {"port": 80, "place": "container", "name": "apart"})
        observation = await observe_until(host, *asked, proxied, ports=(*ports.values(), 80))
        assert read(Reading("client-seen", {"port": OWN_PORT}), observation) == "127.0.0.1"
    finally:
        await docker(engine_host, "rm", "-f", "web", "apart")


@pytest.mark.engine
@pytest.mark.usefixtures("host_mode")
async def test_stopped_containers_are_observed_with_their_last_log_lines(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    served = ("-e", f"NETMODES_PORT={OPEN_PORT}")
    await docker(engine_host, "run", "-d", "--name", "web", "--network", "host", *served, "nginx")
    script = ("sh", "-c", "echo the last word; exit 3")
    await asyncio.to_thread(engine_host.try_docker, "run", "--name", "short", "nginx", *script)
    await asyncio.to_thread(engine_host.try_docker, "run", "-d", "--name", "clash", "-p", f"{OPEN_PORT}:80", "nginx")
    try:
        observation = await observe_until(host, Check("listener", {"port": OPEN_PORT}))
        found = {one.name: one for one in observation.containers}
        assert (found["short"].status, found["short"].exit_code) == ("exited", 3)
        assert found["short"].last_log_lines == ("the last word",)
        assert found["short"].state is None
        assert found["clash"].status == "created"
        assert found["clash"].error
    finally:
        await docker(engine_host, "rm", "-f", "web", "short", "clash")


async def test_an_unreachable_engine_is_an_error(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path) as host:
        fake.away = "nobody there"
        with pytest.raises(EngineUnreachable):
            await observe(host)
        fake.away = ""
        fake.refuse["containers"] = EngineError("no", 500)
        with pytest.raises(EngineError):
            await observe(host)


async def test_host_mode_is_on_the_machine_also_if_rootlesskit_has_a_detached_namespace(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    detached = "/run/user/1000/dockerd-rootless/netns"
    fake_lab.context.info = make_info(version="29.5.0", rootless=True, netns=detached)
    host_config = {"NetworkMode": "host", "PortBindings": {}}
    config = {"Image": "nginx", "Labels": {}, "Hostname": "", "HostConfig": host_config}
    await fake.start_container((await fake.create_container("web", config)).id)
    observation = await observe_host(workshop_host(fake_lab.context), time.time())
    assert observation.machine is not None
    assert holds(observation, "namespace-is-machine", mode="host")


async def test_a_remote_engine_shows_no_namespaces(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path, pid=None) as host:
        observation = await observe_host(host, 5.0)
    assert (observation.at, observation.machine) == (5.0, None)
    assert "not a process of this machine" in observation.problem
    assert observation.images == {"nginx:latest"}


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-01-02T03:04:05.123456789Z", 1767323045.123456),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("yesterday", 0.0),
        ("2026-01-02", 0.0),
    ],
)
def test_the_engines_times_become_seconds(moment: str, seconds: float) -> None:
    assert timestamp(moment) == pytest.approx(seconds)


def test_a_connection_is_described_from_the_servers_side() -> None:
    now = time.time()
    client = connection_to(80, PastConnection("127.0.0.1", 50000, "127.0.0.1", 80, 500), now)
    server = connection_to(80, PastConnection("127.0.0.1", 80, "127.0.0.1", 50000, 500), now)
    assert client == server
    assert (client.server, client.client, client.last_open_at) == ("127.0.0.1", "127.0.0.1:50000", now - 0.5)
    assert connection_to(80, PastConnection("::1", 80, "::1", 9, 0), now).client == "[::1]:9"
