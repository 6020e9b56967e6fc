"""The context of a lab."""

from __future__ import annotations

from dashboard.lab.context import LABEL, LABEL_ARM, LABEL_EXPERIMENT
from tests.support.fakes import ENDPOINT
from tests.support.lab_harness import LabHarness


async def test_labels_identify_installation_experiment_and_arm(fake_lab: LabHarness) -> None:
    installation = fake_lab.context.installation
    assert fake_lab.context.labels() == {LABEL: installation}
    assert fake_lab.context.labels("e", "a") == {LABEL: installation, LABEL_EXPERIMENT: "e", LABEL_ARM: "a"}


async def test_messages_describe_the_engine(fake_lab: LabHarness) -> None:
    ref = fake_lab.context.ref
    assert (ref.version, ref.api, ref.endpoint, ref.private) == ("26.1.5", "1.45", ENDPOINT, True)
