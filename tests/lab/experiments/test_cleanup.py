"""The cleanup check shows what is left."""

from __future__ import annotations

import pytest

from dashboard.engine.protocol import EngineError
from tests.fakes import FakeEngine
from tests.lab_harness import LabHarness


@pytest.mark.parametrize("call", ["containers", "networks"])
async def test_the_cleanup_check_shows_what_is_left(quick: LabHarness, fake: FakeEngine, call: str) -> None:
    identity = await quick.running("host", "user-bridge")
    method = "remove_container" if call == "containers" else "remove_network"
    fake.refuse[method] = EngineError("it is in use", 409)
    head = await quick.stop(identity)
    assert {check.name: check.ok for check in head.proof} == {
        "containers": call != "containers",
        "networks": call != "networks",
    }
    del fake.refuse[method]
