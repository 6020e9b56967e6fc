"""The cleanup check shows leftovers."""

from __future__ import annotations

import pytest

from dashboard.engine.protocol import EngineError
from tests.support.fakes import FakeEngine
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
