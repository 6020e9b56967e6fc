"""What a testbed reads, compared with the output of standard tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.claims.testbed import NEIGHBOUR, NotTestableError
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState, Origin, Resolver
from dashboard.core.paths.nat_rules import packets_to
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.lab.claims.engines import ClaimEngine, open_engine
from dashboard.lab.claims.testbed import EngineTestbed, open_testbed
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine, make_info
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, PrivateEngine


@pytest.fixture
async def testbed(engine_host: PrivateEngine) -> AsyncIterator[EngineTestbed]:
    """A testbed on the suite's private host."""
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    target = await open_engine(engine, CACHE, watches, engine_host.host)
    async with open_testbed(target, {"dev.netmodes.test": "reading"}, "nm-reading") as opened:
        yield opened
    await watches.close()
    await engine.close()


@pytest.mark.engine
@pytest.mark.usefixtures("usual_paths")
async def test_readings_agree_with_the_tools(testbed: EngineTestbed, engine_host: PrivateEngine) -> None:
    one = await testbed.run("docker run -d -p 8201:80 IMAGE")
    assert await eventually(lambda: testbed.wait_listening(one, 80))
    state = await testbed.state(one)
    assert [link.name for link in state.interfaces] == ["lo", "eth0"]
    assert any(listener.process == "nginx" and listener.port == 80 for listener in state.listeners)
    assert await testbed.read_file(one, "/etc/hosts") == engine_host.docker("exec", one.id, "cat", "/etc/hosts") + "\n"
    assert await testbed.execute(one, "sh -c 'echo out; exit 3'") == (3, "out\n")
    code, output = await testbed.execute(MACHINE, "ip -o link show docker0")
    assert code == 0
    assert "docker0" in output
    before = packets_to(await testbed.nat_rules(), 8201)
    response = await testbed.request(MACHINE, "{machine}", 8201)
    assert (response.status, response.client_seen, response.connected) == (200, "192.0.2.2", True)
    assert packets_to(await testbed.nat_rules(), 8201) > before
    refused = await testbed.request(one, "127.0.0.1", 81)
    assert (refused.status, refused.connected) == (None, False)
    assert "refused" in refused.error

    async def network_statistics() -> Any:
        """A busy Engine may answer without them."""
        return (await testbed.stats(one)).get("networks")

    assert (await eventually(network_statistics))["eth0"]["rx_bytes"] >= 0


@pytest.mark.engine
@pytest.mark.usefixtures("docker")
async def test_the_default_bridge_is_the_one_of_the_engine(testbed: EngineTestbed) -> None:
    assert await testbed.default_bridge() == "docker0"


async def test_the_default_bridge_may_have_another_name(fake: FakeEngine) -> None:
    fake.nets["bridge"] = replace(fake.nets["bridge"], bridge="br9")
    testbed = EngineTestbed(ClaimEngine(fake, fake.facts, "nginx", WatchPool()), {}, "nm-reading")
    assert await testbed.default_bridge() == "br9"


async def test_an_engine_without_a_default_bridge_is_not_testable(fake: FakeEngine) -> None:
    fake.nets.clear()
    testbed = EngineTestbed(ClaimEngine(fake, fake.facts, "nginx", WatchPool()), {}, "nm-reading")
    with pytest.raises(NotTestableError, match="no default bridge"):
        await testbed.default_bridge()


async def test_a_remote_engine_is_not_testable(fake: FakeEngine) -> None:
    engine = ClaimEngine(fake, make_info(pid=None), "nginx", WatchPool())
    testbed = EngineTestbed(engine, {}, "nm-reading")
    for reading in (
        testbed.state(MACHINE),
        testbed.namespaces(MACHINE),
        testbed.nat_rules(),
        testbed.wait_listening(MACHINE, 80),
    ):
        with pytest.raises(NotTestableError, match="not a process of this machine"):
            await reading


async def test_a_lookup_without_a_readable_resolv_conf_is_not_testable(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a claim that a name is unknown would be confirmed."""

    async def state(_place: str) -> NamespaceState:
        return NamespaceState(1, resolver=Resolver(origin=Origin.UNREADABLE))

    testbed = EngineTestbed(ClaimEngine(fake, fake.facts, "nginx", WatchPool()), {}, "nm-reading")
    monkeypatch.setattr(testbed, "state", state)
    with pytest.raises(NotTestableError, match=r"web could not be looked up: .*resolv.conf is not readable"):
        await testbed.lookup(MACHINE, "web")


@pytest.mark.engine
@pytest.mark.usefixtures("machine_network", "open_machine")
async def test_the_lan_has_a_route_for_one_request(testbed: EngineTestbed) -> None:
    await testbed.serve_on_machine("{machine}", 8123)
    for _ in range(2):
        response = await testbed.request_from_lan("192.0.2.2", 8123)
        assert (response.status, response.connected) == (200, True)
    with pytest.raises(NotTestableError, match="has no route"):
        await testbed.request_from_lan("not-an-address", 80)


async def test_only_a_private_host_has_a_lan(fake: FakeEngine) -> None:
    target = ClaimEngine(fake, make_info(), "netmodes-lab:1", WatchPool())
    async with open_testbed(target, {}, "nm-reading") as testbed:
        with pytest.raises(NotTestableError, match="Only a private host"):
            await testbed.request_from_lan("172.17.0.2", 80)


async def test_the_lan_of_the_host_is_not_that_of_rootlesskits_namespace(fake: FakeEngine, tmp_path: Path) -> None:
    host = PrivateHost("abcdef", 1, 1, str(tmp_path / "docker.sock"), 0.0, tmp_path, 1)
    facts = EngineFacts(rootless_network="slirp4netns")
    target = ClaimEngine(fake, make_info(), "netmodes-lab:1", WatchPool(), host, facts=facts)
    async with open_testbed(target, {}, "nm-reading") as testbed:
        with pytest.raises(NotTestableError, match="RootlessKit's namespace has no interface on the machine"):
            await testbed.request(NEIGHBOUR, "192.0.2.2", 80)
        with pytest.raises(NotTestableError, match="RootlessKit's namespace has no interface on the machine"):
            await testbed.alter("ip link set uplink mtu 1400", "ip link set uplink mtu 1500")
