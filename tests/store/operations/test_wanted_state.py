"""The lab notices each change of the wanted state."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.store import experiments as experiment_store
from dashboard.store.operations.wanted_state import wanted_state
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_the_wanted_state_differs_after_each_change() -> None:
    before = wanted_state()
    identity = experiment_store.create_experiment(make_spec("none", "none"))
    launched = wanted_state()
    assert experiment_store.set_wanted(identity, Wanted.STOPPED)
    assert len({str(state) for state in (before, launched, wanted_state())}) == 3
    assert wanted_state() == wanted_state()
