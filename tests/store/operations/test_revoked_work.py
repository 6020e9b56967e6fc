"""What ran on a machine that was revoked has ended, and nothing starts there."""

from __future__ import annotations

import pytest
from django.db import DatabaseError

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.heads import apply_requests
from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.machines import MachineFacts
from dashboard.models import ClaimRun, Experiment, JournalEntry, MeasurementRun
from dashboard.store import claim_runs, machines
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.machines import MachineClosedError
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations import revoked_work
from dashboard.store.operations.revoked_work import end_work
from tests.core.machine_scenes import make_head
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def launch(machine: str | None) -> str:
    return experiment_store.create_experiment(make_spec("host"), machine=machine)


@pytest.fixture(autouse=True)
def lab2() -> None:
    machines.register("lab2", {}, MachineFacts())


def test_everything_that_ran_on_a_revoked_machine_has_ended_with_the_reason() -> None:
    there, removed, here = launch("lab2"), launch("lab2"), launch(None)
    experiment_store.set_wanted(removed, Wanted.REMOVED)
    run = measurement_store.create_run(there, "a run", [Probe.TCP_RR], Options(), 7)
    claims = claim_runs.create_run(["a"], machine="lab2")
    machines.revoke("lab2")
    end_work("lab2")
    view = journal_store.view(there)
    assert view.head is not None
    assert (view.head.phase, view.head.notice) == (Phase.STOPPED, "The machine “lab2” was revoked.")
    row = Experiment.objects.get(pk=there)
    assert (row.wanted, row.phase, row.shown_seq) == ("stopped", "stopped", 1)
    assert not Experiment.objects.filter(pk=removed).exists()
    assert Experiment.objects.get(pk=here).phase == "waiting"
    assert MeasurementRun.objects.get(pk=run).state == measurement_store.CANCELLED
    assert ClaimRun.objects.get(pk=claims).state == claim_runs.CANCELLED
    end_work("lab2")
    assert journal_store.newest([there])[there][0] == 1, "once is enough"


def test_a_round_that_the_lab_of_a_revoked_machine_has_not_begun_has_ended() -> None:
    experiment = launch("lab2")
    journal_store.append(experiment, [Entry(1, 1.0, Cause(Source.LAB), Facts(head=make_head(experiment)), "running")])
    experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)
    machines.revoke("lab2")
    end_work("lab2")
    head = journal_store.view(experiment).head
    assert head is not None
    shown = apply_requests(head, (), 0.0, Experiment.objects.get(pk=experiment).round)
    assert (shown.phase, shown.notice) == (Phase.STOPPED, "The machine “lab2” was revoked.")


def test_an_experiment_that_cannot_be_ended_does_not_prevent_the_end_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    experiments = [launch("lab2"), launch("lab2")]
    write = revoked_work._write_end
    failed: list[object] = []

    def fail_once(*args: object) -> None:
        if not failed:
            failed.append(args)
            raise DatabaseError("duplicate key")
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(revoked_work, "_write_end", fail_once)
    end_work("lab2")
    phases = sorted(Experiment.objects.filter(pk__in=experiments).values_list("phase", flat=True))
    assert phases == ["stopped", "waiting"]


def test_an_experiment_that_the_machine_made_unreadable_has_ended() -> None:
    phase, journal, removed, sound = (launch("lab2") for _ in range(4))
    journal_store.append(journal, [Entry(1, 1.0, Cause(Source.LAB), Facts(), "text")])
    JournalEntry.objects.update(facts="[")
    Experiment.objects.filter(pk__in=(phase, removed)).update(phase="x")
    Experiment.objects.filter(pk=removed).update(wanted=Wanted.REMOVED)
    machines.revoke("lab2")
    end_work("lab2")
    rows = Experiment.objects.values_list("pk", "wanted", "phase")
    assert set(rows) == {(one, "stopped", "stopped") for one in (phase, journal, sound)}


def test_nothing_starts_again_on_a_machine_that_takes_no_work_and_removal_is_immediate() -> None:
    experiment = launch("lab2")
    machines.set_draining("lab2", draining=True)
    with pytest.raises(MachineClosedError, match="is drained"):
        experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)
    machines.require_open("lab2", for_group=True)
    machines.revoke("lab2")
    for for_group in (False, True):
        with pytest.raises(MachineClosedError, match="was revoked"):
            machines.require_open("lab2", for_group=for_group)
    with pytest.raises(MachineClosedError, match="was revoked"):
        experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)
    assert experiment_store.set_wanted(experiment, Wanted.REMOVED)
    assert not Experiment.objects.filter(pk=experiment).exists()
    machines.require_open(None)
