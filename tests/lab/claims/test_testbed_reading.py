"""What a stage reads, against what the engine's own tools say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dashboard.core.claims.model import NotTestableError
from dashboard.core.modes import MACHINE
from dashboard.core.paths.nat_rules import packets_to
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.claims.engines import Ground, open_ground
from dashboard.lab.claims.testbed import RealStage, open_stage
from dashboard.lab.watch_pool import WatchPool
from tests.fakes import FakeEngine, make_info
from tests.private_engine import CACHE, PrivateEngine


@pytest.fixture
async def stage(engine_host: PrivateEngine) -> AsyncIterator[RealStage]:
    """A stage on the suite's private host."""
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    ground = await open_ground(engine, CACHE, watches, engine_host.host)
    async with open_stage(ground, {"dev.netmodes.test": "reading"}, "nm-reading") as opened:
        yield opened
    await watches.close()
    await engine.close()


@pytest.mark.engine
async def test_what_is_read_is_what_the_tools_say(stage: RealStage, engine_host: PrivateEngine) -> None:
    one = await stage.run("docker run -d -p 8201:80 IMAGE")
    assert await stage.serving(one, 80)
    state = await stage.state(one)
    assert [link.name for link in state.interfaces] == ["lo", "eth0"]
    assert any(listener.process == "nginx" and listener.port == 80 for listener in state.listeners)
    assert await stage.file(one, "/etc/hosts") == engine_host.docker("exec", one.id, "cat", "/etc/hosts") + "\n"
    assert await stage.inside(one, "sh -c 'echo said; exit 3'") == (3, "said\n")
    code, output = await stage.inside(MACHINE, "ip -o link show docker0")
    assert code == 0
    assert "docker0" in output
    before = packets_to(await stage.rules(), 8201)
    answer = await stage.request(MACHINE, "{machine}", 8201)
    assert (answer.status, answer.client_seen, answer.connected) == (200, "192.0.2.2", True)
    assert packets_to(await stage.rules(), 8201) > before
    refused = await stage.request(one, "127.0.0.1", 81)
    assert (refused.status, refused.connected) == (None, False)
    assert "refused" in refused.error
    assert (await stage.stats(one))["networks"]["eth0"]["rx_bytes"] >= 0


async def test_an_engine_that_is_no_process_of_this_machine_is_said(fake: FakeEngine) -> None:
    ground = Ground(fake, make_info(pid=None), "nginx", WatchPool())
    stage = RealStage(ground, {}, "nm-reading")
    for reading in (stage.state(MACHINE), stage.inodes(MACHINE), stage.rules(), stage.serving(MACHINE, 80)):
        with pytest.raises(NotTestableError, match="no process of this machine"):
            await reading
