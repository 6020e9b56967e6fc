"""Another host on a real LAN: its column, the container there, and what both reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from dashboard.core.experiments.journal import Attempt
from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.hops import HopKind, HopStatus
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans.lan import Lan, create_lan
from dashboard.engine.lans.swarm import form_swarm, leave_swarm
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import column_namespace, inspect, try_paths
from dashboard.lab.experiments.trace import trace
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.reconciler import WorkLocks
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from tests.support import engine_api
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder; at the end its hosts are removed."""
    folder = tmp_path_factory.mktemp("other-host")
    yield folder
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture(scope="module")
def lan(data_dir: Path) -> Lan:
    """Two hosts with the lab image."""

    async def create() -> Lan:
        made = await create_lan(data_dir, LanPlace("office"), 2)
        await asyncio.gather(*map(load_lab_image, made.hosts))
        return made

    return asyncio.run(create())


@pytest.fixture
async def lab(lan: Lan, data_dir: Path, transactional_db: None) -> AsyncIterator[LabHarness]:
    """A lab on the first host."""
    async with open_lab_harness(DockerEngine(lan.hosts[0].endpoint), data_dir) as made:
        yield made


async def launched(lab: LabHarness, *modes: str, **more: str) -> str:
    """Launches an experiment and waits until its container on the other host runs, too, so that a measurement can start
    at once."""
    identity = await lab.running(*modes, **more)
    assert OTHER_CONTAINER in (await lab.view(identity)).states
    return identity


async def test_the_other_host_and_a_container_there_request_the_service(lab: LabHarness, lan: Lan) -> None:
    identity = await launched(lab, "host", "bridge", publish="18320:80")
    view = await lab.view(identity)
    assert [column.key for column in view.columns] == [
        "machine",
        "host",
        "bridge",
        NEIGHBOUR,
        OTHER_HOST,
        OTHER_CONTAINER,
    ]
    other = view.states[OTHER_HOST]
    assert other.netns == lan.hosts[1].netns
    assert other.hostname == lan.hosts[1].name
    assert view.states[OTHER_CONTAINER].resolver is not None

    async def answered() -> dict[tuple[str, str], str]:
        attempts = await try_paths(lab.lab, identity)
        sent = [one for one in attempts if one.origin in {OTHER_HOST, OTHER_CONTAINER} and one.url]
        ready = all(one.status == 200 and one.client_seen for one in sent)
        found = {(one.path, one.server): one for one in reversed(attempts)}
        return {key: one.client_seen or one.unavailable for key, one in found.items()} if ready else {}

    seen = await eventually(answered)
    assert seen["peer-address", "host"].startswith("192.0.2.3:")
    assert seen["peer-published", "bridge"].startswith("192.0.2.3:")
    # The other host masquerades its container.
    assert seen["remote-address", "host"].startswith("192.0.2.3:")
    assert seen["remote-published", "bridge"].startswith("192.0.2.3:")
    assert "is in a subnet of the other host itself" in seen["peer-container", "bridge"]
    (published,) = [
        one
        for one in await try_paths(lab.lab, identity)
        if one.path == "remote-published" and ":18320/" in one.url and "[" not in one.url
    ]
    traced, *_ = await trace(lab.lab, identity, published.key)
    hops = {hop.kind: hop for hop in traced.hops}
    assert "DNAT" in hops[HopKind.DNAT].title, traced
    assert hops[HopKind.CONNTRACK].seen is HopStatus.TAKEN, traced
    assert hops[HopKind.RULES].seen is not HopStatus.NOT_SEEN, "the rules have seen the packet"
    assert "docker0" not in hops[HopKind.LINKS].evidence[-1], "the packet goes on to the switch and the other host"


async def test_curl_in_the_namespaces_agrees_with_the_requests(
    lab: LabHarness, lan: Lan, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "EXPLAIN_S", DEADLINE_S)
    identity = await launched(lab, "bridge", publish="18321:80")
    machine = PrivateEngine(lan.hosts[0], data_dir)
    driver = lab.driver(identity)
    namespace = column_namespace(lab.lab, driver, OTHER_CONTAINER)
    assert namespace is not None

    async def answers(url: str) -> bool:
        enter = ("nsenter", f"--net=/proc/self/fd/{namespace.fd}", "curl", "-sS", "-o/dev/null", "-m1", url)
        process = await asyncio.create_subprocess_exec(*enter, pass_fds=[namespace.fd])
        return await process.wait() == 0

    await eventually(lambda: answers("http://192.0.2.2:18321/"))
    rule = ("DOCKER-USER", "-s", "192.0.2.3", "-j", "DROP")
    await asyncio.to_thread(machine.on_machine, "iptables", "-I", *rule)
    try:
        assert not await answers("http://192.0.2.2:18321/")

        async def neighbour_is_answered() -> dict[tuple[str, str], Attempt]:
            """The attempts over IPv4; the timeout of a second may be too short on a busy machine."""
            attempts = await try_paths(lab.lab, identity)
            found = {(one.path, one.origin): one for one in attempts if "[" not in one.url}
            return found if found["lan-published", NEIGHBOUR].status == 200 else {}

        dropped = (await eventually(neighbour_is_answered))["remote-published", OTHER_CONTAINER]
        assert "rule “-A DOCKER-USER -s 192.0.2.3/32 -j DROP”" in dropped.error
    finally:
        await asyncio.to_thread(machine.on_machine, "iptables", "-D", *rule)


async def test_a_command_in_the_container_there_has_the_files_of_that_host(
    lab: LabHarness, lan: Lan, data_dir: Path
) -> None:
    identity = await launched(lab, "none")
    other = PrivateEngine(lan.hosts[1], data_dir)
    (container,) = engine_api.containers(other.endpoint)
    for command, file in (("hosts", "/etc/hosts"), ("resolv-conf", "/etc/resolv.conf")):
        async with aclosing(await inspect(lab.lab, identity, OTHER_CONTAINER, command)) as pieces:
            shown = "".join([text async for text in pieces])
        assert shown.strip() == await asyncio.to_thread(other.docker, "exec", container, "cat", file)


@pytest.mark.slow
async def test_an_overlay_network_spans_the_hosts_of_a_swarm(lab: LabHarness, lan: Lan) -> None:
    await form_swarm(lan.hosts)
    try:
        lab.context.info = await lab.context.engine.info()
        identity = await launched(lab, "bridge", "overlay")
        view = await lab.view(identity)
        mtus = {link.name: link.mtu for link in view.states[OTHER_CONTAINER].interfaces}
        assert mtus["eth0"] == 1450
        arm = next(column for column in view.columns if column.key == "overlay")
        (address,) = arm.networks.values()

        async def resolved() -> bool:
            lookups = (await lab.view(identity)).states[OTHER_CONTAINER].lookups
            return any(one.name == "overlay" and address in one.answers for one in lookups)

        await eventually(resolved)

        async def answered() -> str:
            attempts = [one for one in await try_paths(lab.lab, identity) if one.path == "remote-overlay"]
            return attempts[0].client_seen if attempts else ""

        assert (await eventually(answered)).startswith(address.rpartition(".")[0])
        await lab.stop(identity)
        assert engine_api.containers(lan.hosts[1].endpoint) == []
    finally:
        await leave_swarm(lan.hosts)


async def test_the_page_of_lans_opens_no_second_lab_on_the_servers_own_host(lab: LabHarness, lan: Lan) -> None:
    identity = await launched(lab, "none")
    before = engine_api.containers(lan.hosts[0].endpoint)
    labs = GroupLabs(lab.context, WorkLocks())
    lans = NamedLans(lab.context, labs)
    await lans.open()
    try:
        (state,) = lans.states()
        assert [host.own for host in state.hosts] == [True, False]
        with pytest.raises(HostUnavailableError):
            await labs.lab_of(lan.hosts[0].id)
        other = await labs.lab_of(lan.hosts[1].id)
        other.wake()
        assert engine_api.containers(lan.hosts[0].endpoint) == before
        assert len(engine_api.containers(lan.hosts[1].endpoint)) == 1, "the client of the experiment stays"
    finally:
        await lans.close(stop=False)
        await labs.close()
        await lab.stop(identity)


async def test_nothing_stays_on_the_other_host(lab: LabHarness, lan: Lan) -> None:
    identity = await launched(lab, "none")
    assert len(engine_api.containers(lan.hosts[1].endpoint)) == 1
    # A lab that was killed adopts the container.
    await lab.restart()

    async def is_adopted() -> bool:
        driver = lab.lab.driver_of(identity)
        return driver is not None and OTHER_CONTAINER in driver.observer.keys

    await eventually(is_adopted)
    assert len(engine_api.containers(lan.hosts[1].endpoint)) == 1
    await lab.stop(identity)
    assert engine_api.containers(lan.hosts[1].endpoint) == []
    view = await lab.view(identity)
    assert OTHER_CONTAINER not in view.states
    assert OTHER_HOST in view.states
    assert view.states[OTHER_HOST].interfaces[0].addresses[0].family is Family.INET
