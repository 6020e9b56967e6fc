"""The containers of other experiments on the same engine, with the ports that they publish."""

from __future__ import annotations

import pytest

from dashboard.core.operations.machines import MachineFacts
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.port_users import other_port_users
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_ports_are_held_by_the_experiments_of_the_same_machine() -> None:
    machines.register("lab2", {}, MachineFacts())
    one, two, other = (
        experiment_store.create_experiment(make_spec("host"), machine=machine) for machine in ("lab2", "lab2", None)
    )
    for identity in (one, two, other):
        experiment_store.remember_container(identity, "host", f"of {identity}")
    assert [user.container for user in other_port_users(one)] == [f"of {two}"]
    assert other_port_users(other) == ()
