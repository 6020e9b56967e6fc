"""Machines in the database."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.training.session import HostsFor
from dashboard.models import ClaimRun, Experiment, GroupHost, Machine, TrainingSession
from dashboard.store import claim_runs, machines, unsettled
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations.wanted_state import wanted_state
from dashboard.store.training import hosts as host_store
from tests.support.specs import make_spec

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


def test_the_database_knows_when_a_machine_entered_the_swarm() -> None:
    assert machines.own_swarm_since() == 0.0
    for name in ("lab2", "lab3"):
        machines.register(name, {}, FACTS)
    machines.note_swarm(["lab2", "server"], 20.0)
    machines.revoke("lab2")
    machines.register("lab2", {}, FACTS)
    assert {one.name: one.swarm_since for one in machines.list_machines()} == {"lab2": 20.0, "lab3": 0.0}
    assert machines.own_swarm_since() == 20.0
    machines.note_swarm(["lab2"], 0.0)
    assert {one.swarm_since for one in machines.list_machines()} == {0.0}
    assert machines.own_swarm_since() == 20.0
    machines.note_swarm(["server"], 0.0)
    assert machines.own_swarm_since() == 0.0


def test_a_name_is_registered_once_until_it_is_revoked() -> None:
    first = machines.register("lab2", {}, FACTS)
    with pytest.raises(ValueError, match="has already joined"):
        machines.register("lab2", {}, FACTS)
    assert machines.revoke("lab2")
    assert not machines.revoke("lab2"), "it is revoked already"
    assert not machines.has_key("lab2", first)
    assert not machines.has_key("lab2", ""), "a revoked machine has no key"
    second = machines.register("lab2", {}, FACTS)
    assert machines.has_key("lab2", second)
    assert not machines.has_key("lab2", first)


def test_a_machine_that_joins_again_keeps_the_time_of_its_last_revocation() -> None:
    machines.register("lab2", {}, FACTS)
    assert Machine.objects.get().last_revoked_at == 0.0
    machines.revoke("lab2")
    revoked_at = Machine.objects.get().revoked_at
    machines.register("lab2", {}, FACTS)
    record = machines.find("lab2")
    assert record is not None
    assert (record.is_revoked, record.last_revoked_at) == (False, revoked_at)
    assert revoked_at > 0


def test_draining_and_facts_are_written() -> None:
    machines.register("lab2", {"rack": "2"}, MachineFacts())
    assert machines.set_draining("lab2", draining=True)
    machines.note_facts("lab2", FACTS, 77.0)
    record = machines.find("lab2")
    assert record is not None
    assert (record.is_draining, record.labels, record.facts, record.seen_at) == (True, {"rack": "2"}, FACTS, 77.0)
    assert not machines.set_draining("none", draining=True)


def test_the_machine_of_this_process_is_that_of_the_setting() -> None:
    assert machines.here() is None
    with override_settings(MACHINE="lab2"):
        assert machines.here() == "lab2"


def test_a_lab_reads_and_recovers_only_the_rows_of_its_machine() -> None:
    machines.register("lab2", {}, FACTS)
    made = {
        machine: experiment_store.create_experiment(make_spec("none"), machine=machine) for machine in (None, "lab2")
    }
    runs = {
        machine: measurement_store.create_run(experiment, "", [Probe.TCP_RR], Options(), 1)
        for machine, experiment in made.items()
    }
    claims = {machine: claim_runs.create_run(["a"], machine=machine) for machine in made}
    wanted = {}
    for machine in (None, "lab2"):
        with override_settings(MACHINE=machine or ""):
            assert [record.id for record in experiment_store.load_unsettled()] == [made[machine]]
            assert [record.machine for record in experiment_store.load_unsettled()] == [machine]
            assert unsettled.load_ids() == {made[machine]}
            assert [run.id for run in measurement_store.load_waiting()] == [runs[machine]]
            assert [run.id for run in claim_runs.load_queued()] == [claims[machine]]
            wanted[machine] = wanted_state()
    assert wanted[None] != wanted["lab2"]
    with override_settings(MACHINE="lab2"):
        here = experiment_store.create_experiment(make_spec("none"))
        claim_runs.mark_running(claims["lab2"])
        assert claim_runs.driven_runs() == {claims["lab2"]}
    assert Experiment.objects.get(pk=here).machine_id == "lab2", "what a lab launches runs on its own machine"
    assert claim_runs.driven_runs() == set()


def test_the_process_ids_of_another_machine_mean_nothing_here() -> None:
    machines.register("lab2", {}, FACTS)
    run = claim_runs.create_run(["a"], machine="lab2", driven=True)
    ClaimRun.objects.filter(pk=run).update(state=claim_runs.RUNNING, driver="1:0.00")
    assert claim_runs.mark_incomplete() == 0
    with override_settings(MACHINE="lab2"):
        assert claim_runs.mark_incomplete() == 1


def test_the_host_of_a_group_is_on_a_machine(django_user_model: type[User]) -> None:
    machines.register("lab2", {}, FACTS)
    owner = django_user_model.objects.create(username="ada")
    session = TrainingSession.objects.create(
        owner=owner, code_digest="d", created_at=1.0, expires_at=9e9, hosts=HostsFor.PERSON
    )
    for number, machine in ((1, None), (2, "lab2")):
        GroupHost.objects.create(
            group=f"{session.pk}-{number}", session=session, host=f"host{number}", machine_id=machine
        )
    assert [record.host for record in host_store.load_all(2.0)] == ["host1"]
    assert host_store.has_open_sessions(2.0)
    with override_settings(MACHINE="lab2"):
        assert [record.host for record in host_store.load_all(2.0)] == ["host2"]
        assert host_store.has_open_sessions(2.0)
    with override_settings(MACHINE="lab3"):
        assert not host_store.has_open_sessions(2.0)
    assert host_store.machine_of_group(f"{session.pk}-1") is None
    assert host_store.machine_of_group(f"{session.pk}-2") == "lab2"
    assert host_store.machine_of_group("none") is None
