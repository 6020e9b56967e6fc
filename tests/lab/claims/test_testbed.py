"""The stage on a real engine: what is launched, refused, changed and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashboard.core.claims.model import Container, NotTestableError
from dashboard.core.modes import MACHINE
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.claims.engines import Ground, open_ground
from dashboard.lab.claims.testbed import RealStage, open_stage
from dashboard.lab.watch_pool import WatchPool
from tests.fakes import FakeEngine
from tests.private_engine import CACHE, PrivateEngine

LABELS = {"dev.netmodes.test": "stage"}


@pytest.fixture
async def real(engine_host: PrivateEngine) -> AsyncIterator[Ground]:
    """The suite's private host as a ground."""
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    yield await open_ground(engine, CACHE, watches, engine_host.host)
    await watches.close()
    await engine.close()


@pytest.fixture
def ground(fake: FakeEngine) -> Ground:
    """An engine in memory that has the lab image."""
    fake.add_image("netmodes-lab:1")
    return Ground(fake, fake.facts, "netmodes-lab:1", WatchPool())


@pytest.mark.engine
async def test_names_of_lines_are_the_claims_own_and_everything_is_removed(real: Ground) -> None:
    left: list[str] = []
    async with open_stage(real, LABELS, "nm-stage", left=left) as stage:
        network = await stage.network("docker network create lab")
        web = await stage.run("docker run -d --name web --network {lab} IMAGE")
        guest = await stage.run("docker run -d --network container:{web} IMAGE sleep 60")
        assert (network, web.name, guest.name) == ("nm-stage-lab", "nm-stage-web", "nm-stage-1")
        assert await stage.serving(guest, 80)
        assert web.address in (await stage.look_up(web, "{web}")).answers
        assert await stage.inodes(web) != await stage.inodes(MACHINE)
        assert len(await real.engine.containers(LABELS)) == 2
    assert left == []
    assert await real.engine.containers(LABELS) == ()
    assert await real.engine.networks(LABELS) == ()


@pytest.mark.engine
async def test_refusals_are_answers_at_create_and_at_start(real: Ground) -> None:
    async with open_stage(real, LABELS, "nm-stage") as stage:
        created = await stage.run("docker run -d --uts host --hostname mine IMAGE")
        started = await stage.run("docker run -d --network host --sysctl net.ipv4.ip_forward=1 IMAGE")
        assert (created.refused_at, created.id) == ("create", "")
        assert (started.refused_at, started.status) == ("start", "created")
        assert "host network namespace" in started.refused
        with pytest.raises(NotTestableError, match="does not run"):
            await stage.state(started)
        assert not await stage.serving(started, 80)


@pytest.mark.engine
async def test_a_container_is_followed_to_its_end(real: Ground) -> None:
    async with open_stage(real, LABELS, "nm-stage") as stage:
        ended = await stage.ended(await stage.run("docker run -d IMAGE sh -c 'echo said; exit 3'"))
        assert (ended.status, ended.exit_code, ended.logs) == ("exited", 3, ("said",))
        gone = await stage.stop(await stage.run("docker run -d --rm IMAGE"))
        assert gone.status == "gone"
        still = await stage.ended(await stage.run("docker run -d IMAGE sleep 60"), within_s=0.1)
        assert still.status == "running"


@pytest.mark.engine
async def test_the_machines_files_are_put_back(real: Ground, engine_host: PrivateEngine) -> None:
    before = engine_host.host.resolv_conf.read_text()

    async def fail() -> None:
        async with open_stage(real, LABELS, "nm-stage") as stage:
            await stage.set_file("/etc/resolv.conf", "nameserver 192.0.2.1\n")
            await stage.set_file("/etc/resolv.conf", "nameserver 192.0.2.2\n")
            assert await stage.file(MACHINE, "/etc/resolv.conf") == "nameserver 192.0.2.2\n"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert engine_host.host.resolv_conf.read_text() == before


async def test_a_readers_own_machine_is_never_changed(ground: Ground) -> None:
    async with open_stage(ground, LABELS, "nm-stage") as stage:
        with pytest.raises(NotTestableError, match="private hosts only"):
            await stage.set_file("/etc/resolv.conf", "")
        with pytest.raises(NotTestableError, match="no address"):
            await stage.run("docker run -d --dns {machine} IMAGE")


async def test_a_counter_turns_lines_and_names_that_nobody_made_are_an_error(ground: Ground, fake: FakeEngine) -> None:
    async with open_stage(ground, LABELS, "nm-stage", counter={"--network host": "--network none"}) as stage:
        one = await stage.run("docker run -d --network host IMAGE")
        assert next(iter(fake.made.values())).network_mode == "none"
        assert "--network none" in one.line
        with pytest.raises(KeyError):
            await stage.run("docker run -d --network {nobody} IMAGE")


async def test_connecting_gives_the_engines_words(ground: Ground) -> None:
    async with open_stage(ground, LABELS, "nm-stage") as stage:
        await stage.network("docker network create lab")
        host = await stage.run("docker run -d --network host IMAGE")
        bridge = await stage.run("docker run -d IMAGE")
        assert "cannot be connected" in await stage.connect("{lab}", host)
        assert await stage.connect("{lab}", bridge) == ""


async def test_what_is_gone_is_gone(ground: Ground) -> None:
    stage = RealStage(ground, LABELS, "nm-stage")
    assert (await stage.again(Container("", "0" * 64))).status == "gone"
    assert await stage.close() == ()
