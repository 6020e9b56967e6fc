"""The cleanup check shows leftovers."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine.protocol import EngineError
from tests.support.fakes import FakeEngine, make_info
from tests.support.lab_harness import LabHarness


@pytest.mark.parametrize("call", ["containers", "networks"])
async def test_the_cleanup_check_shows_what_is_left(fake_lab: LabHarness, fake: FakeEngine, call: str) -> None:
    identity = await fake_lab.running("host", "user-bridge")
    method = "remove_container" if call == "containers" else "remove_network"
    fake.refuse[method] = EngineError("it is in use", 409)
    head = await fake_lab.stop(identity)
    assert {check.name: check.ok for check in head.proof} == {
        "containers": call != "containers",
        "networks": call != "networks",
    }
    del fake.refuse[method]


async def test_podman_keeps_nothing_of_containers_that_shared_a_namespace(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    fake.facts = fake_lab.context.info = make_info(kind=EngineKind.PODMAN)
    identity = await fake_lab.running("host", "bridge", "container:bridge")
    head = await fake_lab.stop(identity)
    assert [check.detail for check in head.proof if not check.ok] == []
    assert fake.made == {}
