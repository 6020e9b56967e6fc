"""Commands on the other host of a LAN: the workshop “Across hosts” with its buttons, on two real hosts in a swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.model import Step, judge_step
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import Lan, create_lan
from dashboard.engine.lans.swarm import form_swarm
from dashboard.lab.workshops.other_host import NO_OTHER_HOST, clean_up_everywhere, run_anywhere
from dashboard.lab.workshops.snapshot import WorkshopHost
from tests.lab.hosts import host_for, observe
from tests.lab.training_builders import workshop
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

WORKSHOP = workshop("across-hosts")
STEPS = WORKSHOP.steps


async def test_without_a_second_host_the_line_states_what_it_requires(fake: FakeEngine, tmp_path: Path) -> None:
    line = "docker ps # on the other host"
    for private in (True, False):
        async with host_for(fake, tmp_path, private=private, endpoint="unix:///run/netmodes/one/docker.sock") as host:
            assert (await run_anywhere(host, line, parse_command(line))).failed == NO_OTHER_HOST
            assert await clean_up_everywhere(host) == 0


async def test_another_host_that_does_not_answer_does_not_prevent_the_own_cleanup(
    fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silent = PrivateHost("silent", 1, 1, str(tmp_path / "docker.sock"), 1.0, tmp_path, 1)
    monkeypatch.setattr("dashboard.lab.workshops.other_host._find", lambda _host: (silent,))
    async with host_for(fake, tmp_path, private=True, endpoint="unix:///run/netmodes/one/docker.sock") as host:
        assert await clean_up_everywhere(host) == 0
    assert "on the host silent may remain" in caplog.text


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """Two hosts in a swarm; at the end they are removed."""
    folder = tmp_path_factory.mktemp("across")

    async def create() -> Lan:
        made = await create_lan(folder, LanPlace("across"), 2)
        await asyncio.gather(form_swarm(made.hosts), *map(load_lab_image, made.hosts))
        return made

    yield asyncio.run(create())
    asyncio.run(private_host.stop_all(folder))


async def _perform(host: WorkshopHost, step: Step) -> None:
    for command in step.run:
        result = await run_anywhere(host, command.line, command.action)
        assert result.failed == "", (step.slug, result)


@pytest.mark.engine
@pytest.mark.slow
async def test_the_buttons_of_the_workshop_finish_every_step(lan: Lan) -> None:
    engine = DockerEngine(lan.hosts[0].endpoint)
    far = PrivateEngine(lan.hosts[1], lan.hosts[1].folder)
    data_dir = lan.hosts[0].folder.parent.parent
    try:
        async with host_for(engine, data_dir, endpoint=lan.hosts[0].endpoint) as host:
            for step in STEPS:
                await _perform(host, step)

                async def done(step: Step = step) -> bool:
                    observation = await observe(host, *step.ports, lookups=step.lookups)
                    return judge_step(step, observation, {}, "").ok

                await eventually(done)
                if step.slug == "host-mode":
                    assert far.docker("ps", "--format", "{{.Names}}").split() == ["far"]
            assert far.docker("ps", "-aq") == ""
            # What buttons leave on either host is removed with the workshop.
            await _perform(host, STEPS[0])
            await _perform(host, STEPS[1])
            assert await clean_up_everywhere(host) == 2
            assert far.docker("ps", "-aq") == ""
    finally:
        await engine.close()
