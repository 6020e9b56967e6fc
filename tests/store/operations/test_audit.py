"""The audit trail: written with the command, never changed, exported safely."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import transaction

from dashboard.models import AuditEntry
from dashboard.models.audit import AppendOnlyError
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import audit
from dashboard.store.operations.audit import AuditFilter, PendingEntry, audited, creates, pending
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def lines() -> list[tuple[str, str, str, str]]:
    return [(line.account, line.action, line.object, line.outcome) for line in audit.read().entries]


def entry(action: str = "launch experiment") -> PendingEntry:
    return PendingEntry(account="ada", action=action, address="192.0.2.1")


def test_a_command_of_the_store_records_what_it_created() -> None:
    with pending(entry()):
        identity = experiment_store.create_experiment(make_spec("host", "bridge"))
    assert lines() == [("ada", "launch experiment", identity, "done")]


def test_without_a_request_nothing_is_recorded() -> None:
    experiment_store.create_experiment(make_spec("host", "bridge"))
    with pending(PendingEntry(account="ada")):
        experiment_store.create_experiment(make_spec("host", "bridge"))
    assert lines() == []


def test_an_action_that_is_rolled_back_is_not_recorded_as_done() -> None:
    with pending(entry()) as current:
        with transaction.atomic():
            experiment_store.create_experiment(make_spec("host", "bridge"))
            assert len(lines()) == 1
            transaction.set_rollback(True)
        assert lines() == []
        current.store(audit.FAILED)
    assert [(line[1], line[3]) for line in lines()] == [("launch experiment", "failed")]


def test_two_commands_of_one_request_are_one_entry() -> None:
    with pending(entry("measure")) as current:
        first = experiment_store.create_experiment(make_spec("host", "bridge"))
        experiment_store.create_experiment(make_spec("host", "bridge"))
        current.store(audit.DONE)
    assert lines() == [("ada", "measure", first, "done")]


def test_a_command_that_did_nothing_is_not_done() -> None:
    @audited
    def nothing() -> bool:
        return False

    with pending(entry()):
        nothing()
    assert lines() == []


def test_a_returned_secret_is_not_recorded() -> None:
    @audited
    def make_secret() -> str:
        return "secret"

    @creates
    def make_thing() -> str:
        return "thing"

    for command in (make_secret, make_thing):
        with pending(entry()):
            command()
    assert [line[2] for line in reversed(lines())] == ["", "thing"]


def test_an_entry_cannot_be_changed() -> None:
    audit.record("stop experiment", "x", audit.DONE)
    row = AuditEntry.objects.get()
    row.account = "eve"
    with pytest.raises(AppendOnlyError):
        row.save()
    with pytest.raises(AppendOnlyError):
        AuditEntry.objects.update(account="eve")
    assert lines() == [("command line", "stop experiment", "x", "done")]


def test_entries_are_filtered() -> None:
    audit.record("stop experiment", "aaa", audit.DONE, account="ada", address="192.0.2.1")
    audit.record("save report", "bbb", audit.REFUSED, account="eve", address="192.0.2.2")
    for chosen in (
        AuditFilter(account="eve"),
        AuditFilter(action="save report"),
        AuditFilter(outcome="refused"),
        AuditFilter(text="0.2.2"),
        AuditFilter(text="BB"),
    ):
        assert [line.account for line in audit.read(chosen).entries] == ["eve"]
        assert audit.count(chosen) == 1
    assert audit.values("account") == ("ada", "eve")
    assert [line.account for line in audit.read(limit=1, skip=1).entries] == ["ada"]


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    for text in ("=1+1", " =2", "+1", "-1", "@x", "plain", 'quo"te,\n'):
        audit.record("sign in", text, audit.DONE, account="ada")
    rows = list(csv.DictReader(io.StringIO(audit.as_csv(audit.read()))))
    assert {row["object"] for row in rows} == {"'=1+1", "' =2", "'+1", "'-1", "'@x", "plain", 'quo"te,\n'}
    assert list(rows[0]) == ["at", "account", "action", "object", "outcome", "address"]
