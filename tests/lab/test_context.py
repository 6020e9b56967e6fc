"""What every part of the lab is given."""

from __future__ import annotations

from dashboard.lab.context import LABEL, LABEL_ARM, LABEL_EXPERIMENT
from tests.fakes import ENDPOINT
from tests.lab_harness import LabHarness


async def test_labels_identify_installation_experiment_and_arm(quick: LabHarness) -> None:
    installation = quick.context.installation
    assert quick.context.labels() == {LABEL: installation}
    assert quick.context.labels("e", "a") == {LABEL: installation, LABEL_EXPERIMENT: "e", LABEL_ARM: "a"}


async def test_messages_describe_the_engine(quick: LabHarness) -> None:
    ref = quick.context.ref
    assert (ref.version, ref.api, ref.endpoint, ref.private) == ("26.1.5", "1.45", ENDPOINT, True)
