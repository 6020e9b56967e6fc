"""The machines of groups' hosts: requests never overcommit a machine, and hosts move only where that is needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from django.db.models import QuerySet

from dashboard.core.machines.placement import MachineOffer, place
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.training.capacity import offered
from dashboard.core.training.host_plan import DesiredState, HostStage
from dashboard.core.training.session import HostsFor
from dashboard.models import Experiment, GroupHost, MeasurementRun, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.installation import installation_id
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.training import host_placement
from dashboard.store.training import hosts as group_host_store
from tests.lab.training_builders import NOW, instructor, session
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
SERVER = MachineOffer("", offered(0))


@pytest.fixture
def row() -> TrainingSession:
    """An open session with a host for each participant."""
    return session(hosts=HostsFor.PERSON)


def join(*names: str, hosts: int = 2) -> tuple[MachineOffer, ...]:
    """Makes these machines join, each with capacity for ``hosts`` hosts; the server's own machine has none."""
    for name in names:
        machines.register(name, {}, MachineFacts(capacity=hosts))
    return (SERVER, *(MachineOffer(name, offered(hosts)) for name in names))


def places(row: TrainingSession) -> dict[int, tuple[str | None, str]]:
    """The machine and the state of each group's host."""
    rows = GroupHost.objects.filter(session=row).values_list("group", "machine_id", "state")
    return {int(group.rpartition("-")[2]): (machine, state) for group, machine, state in rows}


def request(row: TrainingSession, number: int, offers: tuple[MachineOffer, ...]) -> str:
    if group_host_store.request(f"{row.id}-{number}", NOW + number, offers):
        host_placement.place_waiting(offers, NOW + number)
    return f"{row.id}-{number}"


def test_a_session_that_asks_for_a_label_is_placed_on_machines_with_it(row: TrainingSession) -> None:
    offers = (*join("lab2"), MachineOffer("lab3", offered(2), frozenset({"disk=ssd", "rack=7"})))
    machines.register("lab3", {"disk": "ssd", "rack": "7"}, MachineFacts(capacity=2))
    TrainingSession.objects.filter(pk=row.id).update(machine_labels="disk=ssd")
    for number in (1, 2, 3):
        request(row, number, offers)
    assert places(row) == {1: ("lab3", "queued"), 2: ("lab3", "queued"), 3: (None, "unplaced")}
    TrainingSession.objects.filter(pk=row.id).update(machine_labels="disk=tape")
    assert host_placement.place_waiting(offers, NOW + 9) == 0
    assert "disk=tape" in GroupHost.objects.get(group=f"{row.id}-3").reason
    assert machines.list_labels() == ("disk=ssd", "rack=7")


def test_on_one_machine_nothing_is_placed(row: TrainingSession) -> None:
    group_host_store.request(f"{row.id}-1", NOW)
    assert places(row) == {1: (None, "queued")}


def test_hosts_are_placed_until_the_machines_are_full_and_the_rest_waits_with_the_reason(row: TrainingSession) -> None:
    offers = join("a", "b")
    for number in range(1, 6):
        request(row, number, offers)
    found = places(row)
    assert sorted(machine or "" for machine, _state in found.values()) == ["", "a", "a", "b", "b"]
    assert found[5] == (None, "unplaced")
    stage, reason = group_host_store.state_of(f"{row.id}-5")
    assert stage is HostStage.UNPLACED
    assert "All 3 machines are full" in reason
    assert not any(record.is_waiting for record in group_host_store.load_all(NOW))


def test_a_host_that_stops_makes_room_for_the_first_that_waits(row: TrainingSession) -> None:
    offers = join("a", hosts=1)
    for number in (1, 2, 3):
        request(row, number, offers)
    assert host_placement.place_waiting(offers, NOW + 9) == 0
    GroupHost.objects.filter(pk=f"{row.id}-1").update(state="stopped", wanted="stopped", host="")
    assert host_placement.place_waiting(offers, NOW + 9) == 1
    assert places(row) == {1: ("a", "stopped"), 2: ("a", "queued"), 3: (None, "unplaced")}
    # A stopped host has lost its place: it waits behind the others.
    request(row, 1, offers)
    assert places(row)[1][1] == "unplaced"


def test_a_failed_host_is_placed_again_when_it_is_reset(row: TrainingSession) -> None:
    offers = join("a", hosts=1)
    group = request(row, 1, offers)
    GroupHost.objects.filter(pk=group).update(state="failed", is_moved=True)
    request(row, 2, offers)
    group_host_store.reset(group, NOW + 3, offers)
    assert places(row) == {1: ("a", "unplaced"), 2: ("a", "queued")}
    assert not GroupHost.objects.get(pk=group).is_moved, "a new host is wanted, without the steps"
    GroupHost.objects.filter(pk=f"{row.id}-2").update(state="ready", host="abc")
    group_host_store.reset(f"{row.id}-2", NOW + 4, offers)
    assert GroupHost.objects.get(pk=f"{row.id}-2").wanted == DesiredState.RESET


def test_the_hosts_of_a_machine_that_is_gone_move_and_the_others_stay(row: TrainingSession) -> None:
    offers = join("a", "b", "c")
    for number in range(1, 5):
        request(row, number, offers)
    before = places(row)
    held = [number for number, (machine, _state) in before.items() if machine == "a"]
    GroupHost.objects.update(state="ready", host="abc")
    group = f"{row.id}-{held[0]}"
    mine, ended, foreign = (
        experiment_store.create_experiment(make_spec("none"), None, host="abc", group=one, machine=machine)
        for one, machine in ((group, "a"), (group, "a"), (f"{row.id}-9", "b"))
    )
    Experiment.objects.filter(pk=ended).update(wanted="stopped", phase="stopped")
    runs = [measurement_store.create_run(one, "a run", [Probe.TCP_RR], Options(), 7) for one in (mine, ended, foreign)]
    MeasurementRun.objects.update(state="finished")
    gone = tuple(replace(offer, present=offer.name != "a") for offer in offers)
    moved = host_placement.move(row.id, instructor(), NOW + 9, "a", gone)
    assert moved.count == len(held) > 0
    for number, (machine, _state) in places(row).items():
        if number in held:
            assert machine in {"b", "c"}
            found = GroupHost.objects.get(pk=f"{row.id}-{number}")
            assert (found.is_moved, found.state, found.reason) == (True, "queued", host_placement.MOVING)
        else:
            assert machine == before[number][0]
    new = GroupHost.objects.get(pk=group).machine_id
    # Ended experiments stay where they ran, and so do the rows of another group, whatever a lab writes as their host.
    assert [Experiment.objects.get(pk=one).machine_id for one in (mine, ended, foreign)] == [new, "a", "b"]
    # Measurements are on the machine of their experiment, whose lab deletes both.
    assert [MeasurementRun.objects.get(pk=one).machine_id for one in runs] == [new, "a", "b"]


def test_an_experiment_that_is_launched_while_its_host_moves_is_handed_over(
    row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = join("a", "b")
    group = request(row, 1, offers)
    GroupHost.objects.update(state="ready", host="abc")
    lock = QuerySet.select_for_update
    launched: list[str] = []

    def wait_for_launch(rows: QuerySet[Any], *args: Any, **options: Any) -> QuerySet[Any]:
        # The launch has locked the row of the group: a move that waits for it reads what the launch has written.
        if rows.model is GroupHost and not launched:
            launched.append(
                experiment_store.create_experiment(make_spec("none"), None, host="abc", group=group, machine="a")
            )
        return lock(rows, *args, **options)

    monkeypatch.setattr(QuerySet, "select_for_update", wait_for_launch)
    gone = tuple(replace(offer, present=offer.name != "a") for offer in offers)
    host_placement.move(row.id, instructor(), NOW + 9, "a", gone)
    assert [Experiment.objects.get(pk=one).machine_id for one in launched] == ["b"]


def test_a_drained_machine_gets_nothing_new_and_its_hosts_can_be_moved(row: TrainingSession) -> None:
    offers = join("a", "b")
    request(row, 1, offers)
    assert places(row)[1][0] == "a"
    drained = tuple(replace(offer, draining=offer.name == "a") for offer in offers)
    request(row, 2, drained)
    assert places(row) == {1: ("a", "queued"), 2: ("b", "queued")}
    assert host_placement.count_hosts("a") == 1
    host_placement.move(row.id, instructor(), NOW + 9, "a", drained)
    assert places(row) == {1: ("b", "queued"), 2: ("b", "queued")}
    assert host_placement.count_hosts("a") == 0
    assert host_placement.groups_by_machine(row.id) == {"b": [f"{row.id}-2", f"{row.id}-1"]}


def test_a_move_is_refused_with_a_sentence_if_it_is_not_needed_or_not_possible(row: TrainingSession) -> None:
    offers = join("a", hosts=1)
    request(row, 1, offers)
    with pytest.raises(ValueError, match="responds and is not drained"):
        host_placement.move(row.id, instructor(), NOW, "a", offers)
    gone = tuple(replace(offer, present=offer.name != "a") for offer in offers)
    with pytest.raises(ValueError, match="full"):
        host_placement.move(row.id, instructor(), NOW, "a", gone)
    with pytest.raises(ValueError, match="no hosts on this machine"):
        host_placement.move(row.id, instructor("other"), NOW, "a", gone)
    assert places(row) == {1: ("a", "queued")}


def test_the_lab_of_the_former_machine_changes_nothing(row: TrainingSession) -> None:
    group = request(row, 1, join("a"))
    # This process is the server's lab: the row belongs to the machine a.
    group_host_store.note(group, state="ready")
    group_host_store.note_end(group, DesiredState.RUNNING, HostStage.STOPPED, DesiredState.STOPPED, "", NOW)
    assert places(row) == {1: ("a", "queued")}


def test_one_turn_places_all_hosts_that_are_requested_at_the_same_time(
    row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a turn per request, the last of 60 participants would wait for 59 placements and fail after 15 s."""
    offers = join("lab1", hosts=4)
    computed = Mock(wraps=place)

    def wait_for_others() -> None:
        """While the first request waits for its turn, two others do so too, and end before it."""
        monkeypatch.setattr(host_placement, "take_turn", lambda: None)
        for number in (2, 3):
            request(row, number, offers)

    monkeypatch.setattr(host_placement, "take_turn", wait_for_others)
    monkeypatch.setattr(host_placement, "place", computed)
    request(row, 1, offers)
    assert places(row) == dict.fromkeys((1, 2, 3), ("lab1", "queued"))
    assert computed.call_count == 2  # of the second, which placed the first as well, and of the third


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_time_do_not_overcommit_a_machine(row: TrainingSession) -> None:
    offers = join("a", "b", hosts=3)
    installation_id()

    def ask(number: int) -> None:
        try:
            request(row, number, offers)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(1, 17)))
    machines_used = [machine for machine, _state in places(row).values() if machine]
    assert sorted(machines_used) == ["a"] * 3 + ["b"] * 3
