"""The workshop “From outside” with its buttons, on a real private host."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from dashboard.core.workshops.actions import ChangeFirewall, Curl
from dashboard.core.workshops.model import Step, StepJudgement, judge_step
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.firewalls.ufw import unpacked_package
from dashboard.engine.hosts import private_host
from dashboard.lab.workshops.commands import run_command
from dashboard.lab.workshops.snapshot import WorkshopHost, observe_host
from tests.lab.hosts import host_for
from tests.lab.training_builders import workshop
from tests.support.polling import eventually
from tests.support.private_engine import CACHE, load_lab_image, share_lab_image
from tests.support.workers import outside

WORKSHOP = workshop("from-outside")


async def judged(host: WorkshopHost, step: Step, noted: dict[str, str]) -> StepJudgement:
    seen = await observe_host(host, time.time(), step.lookups, step.ports, rules=step.reads_rules)
    return judge_step(step, seen, noted)


async def finish(host: WorkshopHost, step: Step) -> None:
    """Presses the buttons of a step, and checks it after each."""
    noted: dict[str, str] = {}
    for command in step.run:
        result = await run_command(host, command.line, command.action)
        # A request that a step blocks is not answered, and so ends with a sentence.
        assert not result.failed or isinstance(command.action, Curl | ChangeFirewall), (step.slug, result)
        noted = (await judged(host, step, noted)).noted
    # A challenge ends with the request that the repaired setup answers.
    answers = []
    for command in step.run:
        if isinstance(command.action, Curl):
            answers.append(await run_command(host, command.line, command.action))
            noted = (await judged(host, step, noted)).noted

    async def done() -> bool:
        return (await judged(host, step, noted)).ok

    try:
        await eventually(done)
    except AssertionError:
        raise AssertionError((step.slug, (await judged(host, step, noted)).findings, answers)) from None


@pytest.mark.engine
@pytest.mark.slow
async def test_the_buttons_of_the_workshop_finish_every_step(tmp_path: Path) -> None:
    share_lab_image(tmp_path)
    with outside():
        (tmp_path / "cache" / "ufw").symlink_to(unpacked_package(CACHE / "cache"))
    machine = await private_host.start(tmp_path)
    engine = DockerEngine(machine.endpoint)
    try:
        await load_lab_image(machine)
        async with host_for(engine, tmp_path, endpoint=machine.endpoint) as host:
            for step in WORKSHOP.steps:
                await finish(host, step)
            assert await engine.containers({}) == ()
            assert not (await engine.info()).swarm_active
    finally:
        await engine.close()
        await asyncio.shield(private_host.stop(machine))
