"""A missing image concerns only its own arms."""

from __future__ import annotations

from dashboard.core.experiments.messages import ArmStatus
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness


async def test_a_missing_image_concerns_its_own_arms_only(fake_lab: LabHarness, fake: FakeEngine) -> None:
    arms = [{"mode": "host", "image": "no/such:1"}, {"mode": "host"}]
    identity = await fake_lab.running(arms=arms)
    column = await fake_lab.column(identity, "host")
    assert column.status is ArmStatus.REFUSED
    assert "no/such:1" in (column.error or "")
    assert (await fake_lab.column(identity, "host-2")).status is ArmStatus.RUNNING
