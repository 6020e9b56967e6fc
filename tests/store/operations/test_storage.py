"""The disk of the database, and the size of all journals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import DatabaseError

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Doctor
from dashboard.core.operations.storage import DiskUsage
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.operations import storage
from dashboard.store.operations.storage import NoSpaceError, add_storage, disk_usage, journals
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
FULL = DiskUsage(95, 5)


def test_the_disk_is_that_of_the_data() -> None:
    usage = disk_usage()
    found = os.statvfs(Path.cwd())
    assert 0 <= usage.share <= 1
    assert usage.free + usage.used <= max(found.f_blocks * found.f_frsize, usage.free + usage.used)


def test_on_a_full_disk_no_experiment_is_created_and_those_that_run_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    running = experiment_store.create_experiment(make_spec("host"))
    monkeypatch.setattr(storage, "disk_usage", lambda: FULL)
    with pytest.raises(NoSpaceError, match="95% of the disk"):
        experiment_store.create_experiment(make_spec("host"))
    assert Experiment.objects.count() == 1
    with pytest.raises(NoSpaceError, match="95% of the disk"):
        experiment_store.set_wanted(running, Wanted.RUNNING, again=True)
    assert Experiment.objects.get().round == 1
    assert experiment_store.set_wanted(running, Wanted.STOPPED)
    journal_store.append(running, [Entry(1, 1.0, Cause(Source.LAB), Facts())])
    assert journal_store.newest([running])[running][0] == 1


def test_the_journals_are_counted() -> None:
    assert journals().size == 0
    identity = experiment_store.create_experiment(make_spec("host"))
    journal_store.append(identity, [Entry(number, 1.0, Cause(Source.LAB), Facts(), "text") for number in (1, 2)])
    found = journals()
    assert (found.experiments, found.entries) == (1, 2)
    assert found.size > 8


def test_the_doctor_shows_the_disk_and_the_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {check.name: check for check in add_storage(Doctor(None, (), ())).checks}
    assert checks["journals"].ok
    monkeypatch.setattr(storage, "disk_usage", lambda: FULL)
    assert not {check.name: check for check in add_storage(Doctor(None, (), ())).checks}["disk"].ok

    def fail() -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(storage, "journals", fail)
    assert add_storage(Doctor(None, (), ())) == Doctor(None, (), ())
