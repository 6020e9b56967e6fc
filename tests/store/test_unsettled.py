"""Unsettled experiments of all hosts."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from dashboard.core.experiments.messages import Phase
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import unsettled
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_what_has_ended_is_not_unsettled() -> None:
    ada = User.objects.create(username="ada")
    made = {
        host: experiment_store.create_experiment(make_spec("none"), owner, "", host)
        for host, owner in (("", None), ("aaa111", ada.pk), ("bbb222", ada.pk))
    }
    Experiment.objects.filter(pk=made["bbb222"]).update(wanted="stopped", phase=Phase.STOPPED)
    assert unsettled.load_ids() == {made[""], made["aaa111"]}
    assert unsettled.load_hosts() == {"aaa111"}
    assert unsettled.load_owners(["aaa111", "bbb222"]) == {ada.pk}
    assert unsettled.load_owners(["", "bbb222"]) == {None}
