"""Machines in the database."""

from __future__ import annotations

import pytest
from django.test import override_settings

from dashboard.core.operations.machines import MachineFacts
from dashboard.models import Machine
from dashboard.store import machines

pytestmark = pytest.mark.django_db
FACTS = MachineFacts(8, 16384, 40, "docker", "28.5.0", "6.12.1", "0.1.0")


def test_a_machine_is_registered_with_a_key_of_which_only_the_digest_is_stored() -> None:
    key = machines.register("lab2", {"rack": "1"}, FACTS)
    record = machines.find("lab2")
    assert record is not None
    assert (record.facts, record.labels, record.accepts_work) == (FACTS, {"rack": "1"}, True)
    assert machines.list_machines() == (record,)
    assert machines.has_key("lab2", key)
    assert not machines.has_key("lab2", key + "x")
    assert not machines.has_key("lab3", key)
    assert key not in str(Machine.objects.values())


def test_a_name_is_registered_once_until_it_is_revoked() -> None:
    first = machines.register("lab2", {}, FACTS)
    with pytest.raises(ValueError, match="has joined already"):
        machines.register("lab2", {}, FACTS)
    assert machines.revoke("lab2")
    assert not machines.revoke("lab2"), "it is revoked already"
    assert not machines.has_key("lab2", first)
    assert not machines.has_key("lab2", ""), "a revoked machine has no key"
    second = machines.register("lab2", {}, FACTS)
    assert machines.has_key("lab2", second)
    assert not machines.has_key("lab2", first)


def test_labels_draining_and_facts_are_written() -> None:
    machines.register("lab2", {}, MachineFacts())
    assert machines.set_draining("lab2", draining=True)
    assert machines.set_labels("lab2", {"rack": "2"})
    machines.note_facts("lab2", FACTS, 77.0)
    record = machines.find("lab2")
    assert record is not None
    assert (record.is_draining, record.labels, record.facts, record.seen_at) == (True, {"rack": "2"}, FACTS, 77.0)
    assert not machines.set_draining("none", draining=True)
    assert not machines.set_labels("none", {})


def test_the_machine_of_this_process() -> None:
    assert machines.here() is None
    with override_settings(MACHINE="lab2"):
        assert machines.here() == "lab2"
