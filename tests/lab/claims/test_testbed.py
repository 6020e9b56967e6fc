"""The testbed on a real engine: launches, refusals, changes and removals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashboard.core.claims.testbed import Container, NotTestableError, Transfer
from dashboard.core.modes import MACHINE
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError, NetworkFacts
from dashboard.lab.claims.engines import ClaimEngine, open_engine
from dashboard.lab.claims.testbed import EngineTestbed, open_testbed
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, PrivateEngine

LABELS = {"dev.netmodes.test": "testbed"}


@pytest.fixture
async def real(engine_host: PrivateEngine) -> AsyncIterator[ClaimEngine]:
    """The suite's private host as an engine for claims."""
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    yield await open_engine(engine, CACHE, watches, engine_host.host)
    await watches.close()
    await engine.close()


@pytest.fixture
def engine(fake: FakeEngine) -> ClaimEngine:
    """An engine in memory that has the lab image."""
    fake.add_image("netmodes-lab:1")
    return ClaimEngine(fake, fake.facts, "netmodes-lab:1", WatchPool())


def test_a_transfer_is_complete_only_with_every_byte() -> None:
    assert Transfer(9, 9).complete
    assert Transfer(9, 9).summary == "9 of 9 bytes arrived"
    assert not Transfer(9, 8).complete
    assert Transfer(9, 8).summary == "8 of 9 bytes arrived, then none"
    assert Transfer(9, 9, "refused").summary == "refused"


@pytest.mark.engine
async def test_names_are_unique_to_the_claim_and_everything_is_removed(real: ClaimEngine) -> None:
    left: list[str] = []
    async with open_testbed(real, LABELS, "nm-testbed", left=left) as testbed:
        network = await testbed.create_network("docker network create lab")
        web = await testbed.run("docker run -d --name web --network {lab} IMAGE")
        guest = await testbed.run("docker run -d --network container:{web} IMAGE sleep 60")
        assert (network, web.name, guest.name) == ("nm-testbed-lab", "nm-testbed-web", "nm-testbed-1")
        assert await eventually(lambda: testbed.wait_listening(guest, 80))
        assert web.address in (await testbed.lookup(web, "{web}")).answers
        assert await testbed.namespaces(web) != await testbed.namespaces(MACHINE)
        assert len(await real.engine.containers(LABELS)) == 2
    assert left == []
    assert await real.engine.containers(LABELS) == ()
    assert await real.engine.networks(LABELS) == ()


@pytest.mark.engine
@pytest.mark.usefixtures("docker", "host_mode")
async def test_refusals_at_create_and_at_start_are_results(real: ClaimEngine) -> None:
    async with open_testbed(real, LABELS, "nm-testbed") as testbed:
        created = await testbed.try_run("docker run -d --uts host --hostname mine IMAGE")
        started = await testbed.try_run("docker run -d --network host --sysctl net.ipv4.ip_forward=1 IMAGE")
        assert (created.refused_at, created.id) == ("create", "")
        assert (started.refused_at, started.status) == ("start", "created")
        assert "host network namespace" in started.refused
        with pytest.raises(NotTestableError, match="is not running"):
            await testbed.state(started)
        assert not await testbed.wait_listening(started, 80)


@pytest.mark.parametrize("step", ["create", "start"])
async def test_a_refused_container_ends_the_claim_with_the_engines_message(
    engine: ClaimEngine, fake: FakeEngine, step: str
) -> None:
    fake.refuse[f"{step}_container"] = EngineError("cannot share the host's network namespace", 400)
    async with open_testbed(engine, LABELS, "nm-testbed") as testbed:
        with pytest.raises(NotTestableError, match=f"at {step}: cannot share the host's network namespace"):
            await testbed.run("docker run -d --network host IMAGE")
    assert fake.made == {}


@pytest.mark.engine
async def test_a_container_is_observed_until_it_exits(real: ClaimEngine) -> None:
    async with open_testbed(real, LABELS, "nm-testbed") as testbed:
        ended = await testbed.wait_exited(await testbed.run("docker run -d IMAGE sh -c 'echo said; exit 3'"))
        assert (ended.status, ended.exit_code, ended.logs) == ("exited", 3, ("said",))
        gone = await testbed.stop(await testbed.run("docker run -d --rm IMAGE"))
        assert gone.status == "gone"
        still = await testbed.wait_exited(await testbed.run("docker run -d IMAGE sleep 60"), within_s=0.1)
        assert still.status == "running"


@pytest.mark.engine
async def test_the_machines_files_are_restored(real: ClaimEngine, engine_host: PrivateEngine) -> None:
    resolv_conf = engine_host.host.folder / "etc" / "resolv.conf"
    before = resolv_conf.read_text()

    async def fail() -> None:
        async with open_testbed(real, LABELS, "nm-testbed") as testbed:
            await testbed.write_file("/etc/resolv.conf", "nameserver 192.0.2.1\n")
            await testbed.write_file("/etc/resolv.conf", "nameserver 192.0.2.2\n")
            assert await testbed.read_file(MACHINE, "/etc/resolv.conf") == "nameserver 192.0.2.2\n"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert resolv_conf.read_text() == before


async def test_the_users_own_machine_is_never_changed(engine: ClaimEngine) -> None:
    async with open_testbed(engine, LABELS, "nm-testbed") as testbed:
        with pytest.raises(NotTestableError, match="only on private hosts"):
            await testbed.write_file("/etc/resolv.conf", "")
        with pytest.raises(NotTestableError, match="no address"):
            await testbed.run("docker run -d --dns {machine} IMAGE")


async def test_lines_are_mutated_and_unknown_names_are_errors(engine: ClaimEngine, fake: FakeEngine) -> None:
    async with open_testbed(engine, LABELS, "nm-testbed", mutation={"--network host": "--network none"}) as testbed:
        one = await testbed.run("docker run -d --network host IMAGE")
        assert next(iter(fake.made.values())).network_mode == "none"
        assert "--network none" in one.line
        with pytest.raises(KeyError):
            await testbed.run("docker run -d --network {unknown} IMAGE")


async def test_connecting_returns_the_engines_refusal(engine: ClaimEngine) -> None:
    async with open_testbed(engine, LABELS, "nm-testbed") as testbed:
        await testbed.create_network("docker network create lab")
        host = await testbed.run("docker run -d --network host IMAGE")
        bridge = await testbed.run("docker run -d IMAGE")
        assert "cannot be connected" in await testbed.connect_network("{lab}", host)
        assert await testbed.connect_network("{lab}", bridge) == ""


async def test_a_network_is_removed_by_its_id(engine: ClaimEngine, fake: FakeEngine) -> None:
    """Engines before API 1.44 permit several networks of one name."""
    async with open_testbed(engine, LABELS, "nm-testbed") as testbed:
        name = await testbed.create_network("docker network create lab")
        fake.nets["foreign"] = NetworkFacts("foreign", name, "bridge", {})
    assert [network.id for network in fake.nets.values() if network.name == name] == ["foreign"]


async def test_a_removed_container_is_gone(engine: ClaimEngine) -> None:
    testbed = EngineTestbed(engine, LABELS, "nm-testbed")
    assert (await testbed.inspect(Container("", "0" * 64))).status == "gone"
    assert await testbed.close() == ()


async def test_a_change_that_cannot_be_undone_does_not_prevent_other_removals(
    engine: ClaimEngine, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    async def gone(*_: object) -> tuple[int, str]:
        raise EngineError("No such container: router", 404)

    async with open_testbed(engine, LABELS, "nm-testbed") as testbed:
        await testbed.create_network("docker network create lab")
        testbed._undo.append((MACHINE, "iptables -D INPUT -j DROP"))
        testbed._engines.callback(ended.append, "host")
        monkeypatch.setattr(testbed, "execute", gone)
    assert ended == ["host"]
    assert await fake.networks(LABELS) == ()
