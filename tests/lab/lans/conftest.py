"""Fixtures of LANs without hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans import lan as lans_module
from dashboard.lab.experiments.columns import other_host
from dashboard.lab.lans import engines as engines_module
from dashboard.lab.lans import named_lans as module
from dashboard.lab.lans import restarts
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.reconciler import WorkLocks
from dashboard.lab.training import group_labs
from dashboard.lab.training.group_labs import GroupLabs
from tests.lab.lans.fake_machine import Engines, Machine
from tests.support.lab_harness import LabHarness


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine(tmp_path)

    async def is_member(_host: PrivateHost) -> bool:
        return made.swarm

    async def add_image(*_: object) -> None:
        """Does nothing."""

    monkeypatch.setattr(restarts, "list_lans", made.look)
    monkeypatch.setattr(lans_module, "list_lans", made.look)
    monkeypatch.setattr(engines_module, "start_with_containers", made.start_again)
    monkeypatch.setattr(module, "create_lan", made.create)
    monkeypatch.setattr(module, "stop_hosts", made.stop)
    monkeypatch.setattr(module, "remove_lan", lambda _folder, lan: made.stop(lan.all_hosts))
    monkeypatch.setattr(module, "add_image", add_image)
    monkeypatch.setattr(module, "is_member", is_member)
    monkeypatch.setattr(engines_module, "form_new_swarm", lambda _folder, _lan: made.set_swarm(True))
    monkeypatch.setattr(module, "leave_swarm", lambda _hosts: made.set_swarm(False))
    monkeypatch.setattr(module, "missing_requirement", lambda _root: None)
    monkeypatch.setattr(module, "PASS_S", 0.02)
    monkeypatch.setattr(module, "ENGINES_S", 0.02)
    return made


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    made = Engines()
    for module_with_engines in (group_labs, other_host):
        monkeypatch.setattr(module_with_engines, "DockerEngine", lambda endpoint, **_: made[endpoint])
    return made


@pytest.fixture
async def labs(fake_lab: LabHarness, engines: Engines) -> AsyncIterator[GroupLabs]:
    made = GroupLabs(fake_lab.context, WorkLocks())
    yield made
    await made.close()


@pytest.fixture
async def lans(fake_lab: LabHarness, labs: GroupLabs, machine: Machine) -> AsyncIterator[NamedLans]:
    made = NamedLans(fake_lab.context, labs)
    await made.open()
    yield made
    await made.close(stop=True)
