"""Old data is deleted with its dependent rows and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.operations.machines import MachineFacts
from dashboard.models import (
    ClaimRun,
    Experiment,
    GroupHost,
    JournalEntry,
    Participant,
    Share,
    SignInLink,
    TrainingSession,
    WorkshopProgress,
)
from dashboard.store import claim_runs, machines
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.operations import audit
from dashboard.store.operations.retention import DELETERS, DeletedRows, delete_old
from dashboard.store.training.sessions import store_truth
from tests.lab import training_builders
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LIMIT = NOW - timedelta(days=90)
ALL = set(DELETERS)


def experiment(days_ago: float, phase: str = "stopped", wanted: str = "stopped", written_days_ago: float = 100) -> str:
    identity = experiment_store.create_experiment(make_spec("host"))
    at = (NOW - timedelta(days=written_days_ago)).timestamp()
    journal_store.append(identity, [Entry(number, at, Cause(Source.LAB), Facts()) for number in (1, 2)])
    created = NOW - timedelta(days=days_ago)
    Experiment.objects.filter(pk=identity).update(created_at=created, phase=phase, wanted=wanted)
    return identity


def test_ended_experiments_are_deleted_with_their_journals_if_nothing_was_written_since() -> None:
    experiment(100)
    experiment(100, phase="failed", wanted="running")
    kept = {
        experiment(80),
        experiment(100, phase="running", wanted="running"),
        experiment(100, phase="stopped", wanted="running"),
        experiment(100, phase="stopping"),
        experiment(100, written_days_ago=1),
    }
    assert delete_old(LIMIT, ALL, dry_run=True) == DeletedRows(comparisons=2, entries=4)
    assert Experiment.objects.count() == 7
    assert delete_old(LIMIT, ALL, dry_run=False) == DeletedRows(comparisons=2, entries=4)
    assert {row.pk for row in Experiment.objects.all()} == kept
    assert JournalEntry.objects.count() == 10
    assert delete_old(LIMIT, ALL, dry_run=False).rows == 0


def test_ended_claim_runs_are_deleted() -> None:
    runs = [claim_runs.create_run(["host-shares-netns"]) for _ in range(3)]
    ClaimRun.objects.update(created_at=NOW - timedelta(days=100))
    ClaimRun.objects.filter(pk__in=runs[:2]).update(state=claim_runs.FINISHED)
    ClaimRun.objects.filter(pk=runs[1]).update(created_at=NOW)
    assert delete_old(LIMIT, {"claims"}, dry_run=False).claims == 1
    assert {row.pk for row in ClaimRun.objects.all()} == set(runs[1:])


def test_closed_or_expired_sessions_without_hosts_are_deleted_with_their_participants() -> None:
    closed, expired, running, young = (training_builders.session() for _ in range(4))
    for row in (closed, young):
        training_builders.participant(row)
        store_truth(row, row.step, "8080", NOW.timestamp())
    assert (Participant.objects.count(), WorkshopProgress.objects.count()) == (2, 4)
    old = (NOW - timedelta(days=100)).timestamp()
    for row, fields in (
        (closed, {"closed_at": old, "expires_at": NOW.timestamp()}),
        (expired, {"expires_at": old}),
        (running, {"expires_at": old}),
        (young, {"closed_at": NOW.timestamp(), "expires_at": old}),
    ):
        TrainingSession.objects.filter(pk=row.pk).update(**fields)
    GroupHost.objects.create(group=f"{running.pk}-1", session=running, host="still there")
    assert delete_old(LIMIT, {"classes"}, dry_run=False).classes == 2
    assert {row.pk for row in TrainingSession.objects.all()} == {running.pk, young.pk}
    assert (Participant.objects.count(), WorkshopProgress.objects.count()) == (1, 2)


def test_a_closed_session_is_deleted_although_its_hosts_are_on_a_revoked_machine() -> None:
    gone, connected = training_builders.session(), training_builders.session()
    TrainingSession.objects.update(closed_at=(NOW - timedelta(days=100)).timestamp())
    for row, machine in ((gone, "lab2"), (connected, "lab3")):
        machines.register(machine, {}, MachineFacts())
        GroupHost.objects.create(group=f"{row.pk}-1", session=row, host="still there", machine_id=machine)
    assert delete_old(LIMIT, {"classes"}, dry_run=False).classes == 0
    machines.revoke("lab2")
    assert delete_old(LIMIT, {"classes"}, dry_run=False).classes == 1
    assert list(TrainingSession.objects.values_list("pk", flat=True)) == [connected.pk]


def test_expired_browser_sessions_and_sign_in_links_are_deleted() -> None:
    Session.objects.create(session_key="old", session_data="", expire_date=NOW - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="", expire_date=NOW + timedelta(days=1))
    for number, days in enumerate((-1, 1)):
        expires = (NOW + timedelta(days=days)).timestamp()
        SignInLink.objects.create(digest=f"{number}", created_at=0.0, expires_at=expires)
    assert delete_old(LIMIT, {"logins"}, dry_run=False).logins == 2
    assert [row.session_key for row in Session.objects.all()] == ["new"]


def test_links_of_shared_reports_are_deleted_once_they_ended_before_the_limit() -> None:
    row = training_builders.session()
    for days_ago, field in ((100, "expires_at"), (80, "expires_at"), (100, "revoked_at"), (80, "revoked_at")):
        Share.objects.create(digest=f"{field}{days_ago}", session=row, **{field: NOW - timedelta(days=days_ago)})
    assert delete_old(LIMIT, {"links"}, dry_run=False).links == 2
    assert Share.objects.count() == 2


def test_old_entries_of_the_audit_trail_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.store.operations.audit.shared_clock", lambda: LIMIT.timestamp() - 1)
    audit.record("stop experiment", "old", audit.DONE)
    monkeypatch.undo()
    audit.record("stop experiment", "new", audit.DONE)
    assert delete_old(LIMIT, ["audit"], dry_run=True).audit == 1
    assert delete_old(LIMIT, ["audit"], dry_run=False).audit == 1
    assert [line.object for line in audit.read().entries] == ["new"]
