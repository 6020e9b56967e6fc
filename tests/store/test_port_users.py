"""The containers of other experiments on the same engine, with the ports that they publish."""

from __future__ import annotations

import pytest

from dashboard.core.operations.machines import MachineFacts
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, parts
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


def test_each_machine_of_an_experiment_has_its_own_users() -> None:
    machines.register("lab2", {}, MachineFacts())
    whole = parts.create(make_spec("host", machines=["server", "lab2"]))
    others = {
        name: experiment_store.create_experiment(make_spec("host"), machine=None if name == "server" else name)
        for name in ("server", "lab2")
    }
    for name, identity in others.items():
        experiment_store.remember_container(identity, "host", f"of {name}")
    found = [(user.container, user.machine) for user in other_port_users(whole)]
    assert found == [("of server", "server"), ("of lab2", "lab2")]
