"""The server deletes old data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.utils import timezone

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.storage import MAX_DAYS, EndedJournal, over_budget
from dashboard.lab import housekeeping
from dashboard.lab.housekeeping import delete_expired
from dashboard.models import Experiment, GuessBucket, JournalEntry
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.operations import retention
from tests.support.polling import eventually
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)
LARGE = 10**12


def ended(days: float, text: str = "x" * 1000) -> str:
    """An experiment that was launched and stopped so many days ago."""
    identity = experiment_store.create_experiment(make_spec("host"))
    then = timezone.now() - timedelta(days=days)
    journal_store.append(identity, [Entry(1, then.timestamp(), Cause(Source.LAB), Facts(), text)])
    Experiment.objects.filter(pk=identity).update(phase="stopped", wanted="stopped", created_at=then)
    return identity


def left() -> set[str]:
    return set(Experiment.objects.values_list("pk", flat=True))


def test_experiments_that_ended_long_ago_are_deleted_with_their_journals() -> None:
    old, new = ended(400), ended(300)
    assert delete_expired(365, LARGE) == "Deleted items that ended more than 365 days ago: 1."
    assert left() == {new}
    assert not JournalEntry.objects.filter(experiment=old).exists()
    assert delete_expired(365, LARGE) == ""
    assert delete_expired(0, LARGE) == ""


def test_the_longest_retention_deletes_nothing_and_keeps_the_budget() -> None:
    """A limit before the year 1 failed, and with it the deletion of journals over the budget."""
    _first, second = ended(3), ended(2)
    assert delete_expired(MAX_DAYS, 1500) == "Deleted oldest experiments, because the journals were too large: 1."
    assert left() == {second}


def test_journals_over_the_budget_lose_the_oldest_ended_experiments() -> None:
    running = experiment_store.create_experiment(make_spec("host"))
    journal_store.append(running, [Entry(1, 1.0, Cause(Source.LAB), Facts(), "x" * 5000)])
    first, second, third = ended(3), ended(2), ended(1)
    assert delete_expired(0, 7000) == "Deleted oldest experiments, because the journals were too large: 2."
    assert left() == {running, third}
    assert {first, second}.isdisjoint(left())
    delete_expired(0, 1)
    assert left() == {running}, "what runs stays"


def test_without_a_budget_no_experiment_is_deleted() -> None:
    kept = ended(3, "x" * 5000)
    assert delete_expired(0, 0) == ""
    assert left() == {kept}


def test_a_flood_deletes_nothing_of_another_owner() -> None:
    user = get_user_model().objects.create_user("other")
    mine, old, newer = ended(9), ended(3, "x" * 5000), ended(2, "x" * 5000)
    Experiment.objects.filter(pk__in=[old, newer]).update(owner=user)
    delete_expired(0, 7000)
    assert left() == {mine, newer}


@pytest.mark.parametrize("phase", ["failed", "stopped"])
def test_an_experiment_that_waits_for_its_next_launch_is_not_over(phase: str) -> None:
    identity = ended(400)
    Experiment.objects.filter(pk=identity).update(phase=phase, wanted="running" if phase == "failed" else "stopped")
    assert experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
    assert delete_expired(365, 1) == ""
    assert left() == {identity}


def test_an_experiment_that_is_launched_again_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ended(3), ended(2)

    def choose(rows: Iterable[EndedJournal], owned: Mapping[str, int], size: int) -> tuple[str, ...]:
        chosen = over_budget(rows, owned, size)
        experiment_store.set_wanted(first, Wanted.RUNNING, again=True)
        return chosen

    monkeypatch.setattr(retention, "over_budget", choose)
    assert "the journals were too large: 1" in delete_expired(0, 1)
    assert left() == {first}
    assert second not in left()
    assert JournalEntry.objects.filter(experiment=first).exists()


async def test_housekeeping_runs_every_hour_and_survives_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[tuple[float, int]] = []

    def tidy_up(days: float, size: int) -> str:
        calls.append((days, size))
        if len(calls) == 1:
            raise OperationalError("database is locked")
        return "Deleted 3 items."

    monkeypatch.setattr(housekeeping, "FIRST_S", 0.0)
    monkeypatch.setattr(housekeeping, "EVERY_S", 0.0)
    monkeypatch.setattr(housekeeping, "delete_expired", tidy_up)
    task = asyncio.create_task(housekeeping.run_housekeeping())
    await eventually(lambda: len(calls) >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert calls[0] == (365.0, 2_048_000_000)
    assert "old data could not be deleted: database is locked" in caplog.text


async def test_rate_limits_that_are_full_again_are_deleted_before_the_first_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = database_sync_to_async(GuessBucket.objects.create)
    exists = database_sync_to_async(GuessBucket.objects.exists)
    await create(key="192.0.2.1", remaining=1.0, at=1.0)
    monkeypatch.setattr(housekeeping, "LIMITS_S", 0.01)
    task = asyncio.create_task(housekeeping.run_housekeeping())

    async def is_empty() -> bool:
        return not await exists()

    await eventually(is_empty)
    await create(key="192.0.2.2", remaining=1.0, at=1.0)
    await eventually(is_empty)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
