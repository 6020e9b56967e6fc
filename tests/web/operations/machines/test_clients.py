"""Which machines can be clients, and why others cannot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.operations.deployment import LabFacts
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.paths.clients.machines import MAX_CLIENTS
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import machines, parts
from dashboard.web.operations.machines.clients import (
    arm_names,
    client_choices,
    find_clients,
    other_machines,
    overlay_arms,
    row_of,
)
from dashboard.web.service import service
from tests.core.machine_scenes import entries_of, on_overlay_of
from tests.support.records import load_record
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)


class Labs:
    """The labs that web processes know; those in ``absent`` send no heartbeats."""

    def __init__(self, *absent: str | None) -> None:
        self._absent = absent
        self.server = self.of(None)

    def of(self, machine: str | None) -> Any:
        is_here = machine not in self._absent
        facts = LabFacts(SimpleNamespace(version="28") if is_here else None, "" if is_here else f"no {machine}")  # type: ignore[arg-type]
        return SimpleNamespace(accepts_calls=is_here, facts=facts)


@pytest.fixture
def labs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "labs", Labs("lab3"))
    for name in ("lab2", "lab3", "lab4", "lab5"):
        machines.register(name, {}, MachineFacts())
    machines.set_draining("lab4", draining=True)
    machines.revoke("lab5")


def test_an_installation_of_one_machine_has_no_clients() -> None:
    assert other_machines(None) == {}


@pytest.mark.usefixtures("labs")
def test_absent_and_drained_machines_have_a_reason_and_revoked_ones_are_not_there() -> None:
    drained = "The machine lab4 is drained: it sends no requests. Press Resume on the page Machines."
    assert other_machines(None) == {"lab2": "", "lab3": "no lab3", "lab4": drained}
    assert other_machines("lab2") == {"lab3": "no lab3", "lab4": drained, "server": ""}
    assert (row_of("server"), row_of("lab2")) == (None, "lab2")


@pytest.mark.usefixtures("labs")
def test_an_experiment_on_a_private_host_is_reached_from_its_machine_only() -> None:
    own = experiment_store.create_experiment(make_spec("host"))
    private = experiment_store.create_experiment(make_spec("host"), host="h1")
    assert [one.name for one in client_choices(own)] == ["lab2", "lab3", "lab4"]
    assert client_choices(private) == client_choices("nothing") == ()


@pytest.mark.usefixtures("labs")
def test_the_machine_of_the_installation_is_a_client_of_several_machines_if_it_has_an_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = parts.create(make_spec("host", machines=["lab2", "server"]))
    assert [(one.name, one.part) for one in client_choices(whole)] == [
        ("lab2", 1),
        ("lab3", 0),
        ("lab4", 0),
        ("server", 2),
    ]
    monkeypatch.setattr(service, "labs", Labs(None))
    assert "server" not in [one.name for one in client_choices(whole)]


def test_the_arms_of_the_other_parts_are_clients_over_the_overlay_network() -> None:
    machines.register("lab2", {}, MachineFacts())
    whole = parts.create(make_spec("overlay", machines=["server", "lab2"]))
    record = load_record(whole)
    ids = parts.ids_of(record.parts)
    for name in ids:
        journal_store.append(ids[name], on_overlay_of(whole, entries_of(name, ("overlay",))))
    found = overlay_arms(ids["server"])
    assert {name: (arm.experiment, arm.column) for name, arm in found.items()} == {
        "lab2": (ids["lab2"], "overlay-lab2")
    }
    assert overlay_arms(ids["lab2"]).keys() == {"server"}
    assert overlay_arms(whole) == overlay_arms("nothing") == {}
    assert arm_names(ids["server"]) == frozenset({"overlay"})
    assert arm_names(ids["lab2"]) == frozenset({"overlay-lab2"})
    assert arm_names(whole) == arm_names("nothing") == frozenset()


def test_an_arm_on_another_network_than_that_of_the_whole_is_no_client() -> None:
    machines.register("lab2", {}, MachineFacts())
    whole = parts.create(make_spec("overlay", machines=["server", "lab2"]))
    record = load_record(whole)
    ids = parts.ids_of(record.parts)
    journal_store.append(ids["lab2"], on_overlay_of("another", entries_of("lab2", ("overlay",))))
    assert overlay_arms(ids["server"]) == {}


async def test_a_machine_that_cannot_be_read_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask_on(machine: str | None, *_: object) -> NamespaceState:
        if machine == "lab1":
            raise LabUnavailableError("The lab on the machine lab1 does not respond.")
        return NamespaceState(1)

    problems = {f"lab{number}": "" for number in range(MAX_CLIENTS + 1)} | {"lab9": "absent"}
    monkeypatch.setattr(service, "ask_on", ask_on)
    monkeypatch.setattr("dashboard.web.operations.machines.clients.other_machines", lambda _machine: problems)
    found = {one.name: one.problem for one in await find_clients(None, "nothing")}
    assert found["lab0"] == ""
    assert found["lab1"].endswith("does not respond.")
    assert found["lab8"] == f"Requests are sent from at most {MAX_CLIENTS} machines."
    assert found["lab9"] == "absent"
