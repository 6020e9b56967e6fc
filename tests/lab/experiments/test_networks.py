"""Networks that the arms of an experiment need."""

from __future__ import annotations

from dashboard.core.experiments.messages import ArmStatus
from dashboard.engine.protocol import EngineError
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness


async def test_a_network_that_is_refused_concerns_its_own_arms_only(fake_lab: LabHarness, fake: FakeEngine) -> None:
    fake.refuse["create_network"] = EngineError("all predefined address pools have been fully subnetted", 500)
    identity = await fake_lab.running("user-bridge", "host")
    assert "fully subnetted" in ((await fake_lab.column(identity, "user-bridge")).error or "")
    assert (await fake_lab.column(identity, "host")).status is ArmStatus.RUNNING
