"""What every part of the lab is given."""

from __future__ import annotations

from dashboard.lab.context import LABEL, LABEL_ARM, LABEL_EXPERIMENT
from tests.fakes import ENDPOINT
from tests.lab_harness import LabHarness


async def test_labels_say_whose_it_is(quick: LabHarness) -> None:
    installation = quick.context.installation
    assert quick.context.labels() == {LABEL: installation}
    assert quick.context.labels("e", "a") == {LABEL: installation, LABEL_EXPERIMENT: "e", LABEL_ARM: "a"}


async def test_the_engine_stands_in_messages_as_it_is_known(quick: LabHarness) -> None:
    ref = quick.context.ref
    assert (ref.version, ref.api, ref.endpoint, ref.private) == ("26.1.5", "1.45", ENDPOINT, True)
