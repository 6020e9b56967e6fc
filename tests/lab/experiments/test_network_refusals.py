"""Refusals of networks and of attachments to them: which arms are refused, and what is tried again."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.core.experiments.messages import ArmStatus
from dashboard.engine.protocol import EngineError, NetworkFacts
from dashboard.lab.experiments import networks
from dashboard.store import experiments as experiment_store
from tests.lab.experiments.conftest import create_whole, networks_of_experiments, run_part
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually, others_run
from tests.support.specs import make_spec


async def test_a_network_that_is_refused_concerns_its_own_arms_only(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.refuse["create_network"] = EngineError("all predefined address pools have been fully subnetted", 500)
    identity = await fake_lab.running("user-bridge", "host")
    assert "fully subnetted" in ((await fake_lab.column(identity, "user-bridge")).error or "")
    assert (await fake_lab.column(identity, "host")).status is ArmStatus.RUNNING


async def test_without_a_free_subnet_only_the_arms_that_need_one_are_refused(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    """A route of a VPN, or as here a network, can cover all subnets that Netmodes may use."""
    fake.nets["wide"] = NetworkFacts("wide", "wide", "bridge", {}, subnet="10.0.0.0/8")
    identity = await fake_lab.running("macvlan", "ipvlan", "user-bridge")
    for key in ("macvlan", "ipvlan"):
        assert "No free subnet is left in 10.213.0.0/16" in ((await fake_lab.column(identity, key)).error or "")
    assert (await fake_lab.column(identity, "user-bridge")).status is ArmStatus.RUNNING


async def test_an_engine_that_is_too_slow_to_attach_a_container_is_asked_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Engine 20.10.24 answered. Other refusals are not repeated."""
    whole, start_container = await fake_lab.database.run(create_whole), fake.start_container
    answers = [
        EngineError("attaching to network failed, make sure your network options are correct", 500),
        EngineError(f"network nm-{whole}-overlay not found", 404),
        EngineError(f"network nm-{whole}-overlay not found", 404),
    ]

    async def start(container: str, _deadline_s: float | None = None) -> None:
        if answers and "overlay" in (await fake.inspect_container(container)).name:
            raise answers.pop(0)
        await start_container(container)

    monkeypatch.setattr(fake, "start_container", start)
    monkeypatch.setattr(networks, "PAUSE_S", 0.01)
    part = await run_part(fake_lab, whole, "overlay")
    assert (await fake_lab.column(part, "overlay")).status is ArmStatus.RUNNING
    assert not answers
    answers += [EngineError("port is already allocated", 500)] * 2
    refused = await run_part(fake_lab, whole, "overlay", "none")
    assert (await fake_lab.column(refused, "overlay")).status is ArmStatus.REFUSED
    assert len(answers) == 1


async def test_only_the_start_on_an_overlay_has_a_longer_deadline(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Engine gives up after 20 s, and its answer is needed."""
    whole, start_container = await fake_lab.database.run(create_whole), fake.start_container
    deadlines: dict[str, float | None] = {}

    async def start(container: str, deadline_s: float | None = None) -> None:
        deadlines[(await fake.inspect_container(container)).name.rpartition("-")[2]] = deadline_s
        await start_container(container, deadline_s)

    monkeypatch.setattr(fake, "start_container", start)
    await run_part(fake_lab, whole, "overlay", "none")
    assert (deadlines["overlay"] or 0.0) > 20
    assert deadlines["none"] is None


async def test_a_stop_ends_the_repetitions(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await fake_lab.database.run(create_whole)
    attempts: list[str] = []

    async def start(container: str, _deadline_s: float | None = None) -> None:
        attempts.append(container)
        raise EngineError(f"network nm-{whole}-overlay not found", 404)

    monkeypatch.setattr(fake, "start_container", start)
    monkeypatch.setattr(networks, "PAUSE_S", 0.01)
    part = await fake_lab.database.run(lambda: experiment_store.create_experiment(make_spec("overlay"), parent=whole))
    fake_lab.lab.wake()
    await eventually(lambda: len(attempts) > 2)
    await fake_lab.stop(part)
    assert await networks_of_experiments(fake) == set()
    assert (await fake_lab.column(part, "overlay")).status is ArmStatus.GONE


async def test_a_network_that_was_removed_with_the_experiment_is_not_created_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removal does not wait for the launch if the database cannot be used."""
    whole = await fake_lab.database.run(create_whole)
    attempts: list[str] = []
    removals: list[asyncio.Future[None]] = []

    async def start(container: str, _deadline_s: float | None = None) -> None:
        attempts.append(container)
        driver = fake_lab.driver(part)
        removals.append(asyncio.ensure_future(driver.remove_unrecorded()))
        await others_run()
        raise EngineError(f"network nm-{whole}-overlay not found", 404)

    monkeypatch.setattr(fake, "start_container", start)
    part = await fake_lab.database.run(lambda: experiment_store.create_experiment(make_spec("overlay"), parent=whole))
    fake_lab.lab.wake()
    await eventually(lambda: attempts)
    driver = fake_lab.driver(part)
    async with asyncio.timeout(DEADLINE_S):
        await driver.settled()
        await asyncio.gather(*removals)
    assert await networks_of_experiments(fake) == set()
    assert len(attempts) == 1


async def test_a_container_that_is_gone_is_not_tried_again(
    fake_lab: LabHarness, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, start_container = await fake_lab.database.run(create_whole), fake.start_container
    attempts: list[str] = []

    async def start(container: str, deadline_s: float | None = None) -> None:
        if "overlay" in (await fake.inspect_container(container)).name:
            attempts.append(container)
            raise EngineError(f"No such container: {container}", 404)
        await start_container(container, deadline_s)

    monkeypatch.setattr(fake, "start_container", start)
    part = await run_part(fake_lab, whole, "overlay", "none")
    assert (await fake_lab.column(part, "overlay")).status is ArmStatus.REFUSED
    assert len(attempts) == 1
