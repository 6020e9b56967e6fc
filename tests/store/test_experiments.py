"""Experiments in the database."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from django.db import IntegrityError, connections

from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.validation import MAX_KEY
from dashboard.models import Arm, Experiment, Installation
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from dashboard.store.installation import installation_id
from tests.core.sample import make_head
from tests.support.records import load_record, make_entry
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_arm_is_written_with_the_experiment(identity: str) -> None:
    record = load_record(identity)
    assert (record.title, record.wanted, record.round, record.phase) == ("One", Wanted.RUNNING, 1, Phase.WAITING)
    assert record.spec == make_spec("host", "bridge", title="One")
    assert record.launched == {}
    arms = list(Arm.objects.filter(experiment_id=identity).values_list("key", "container_name", "position"))
    assert arms == [(key, container_name(identity, key), n) for n, key in enumerate(("host", "bridge"))]


def test_the_longest_valid_key_fits_into_the_columns() -> None:
    """Only PostgreSQL refuses longer values; this test checks the fields, because it uses SQLite."""
    experiment_store.create_experiment(make_spec(arms=[{"mode": "host", "key": "x" * MAX_KEY}]))
    Arm.objects.get().clean_fields()


def test_nothing_is_written_if_an_arm_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("no")

    monkeypatch.setattr(Arm.objects, "bulk_create", fail)
    with pytest.raises(IntegrityError):
        experiment_store.create_experiment(make_spec("host"))
    assert Experiment.objects.count() == 0


def test_a_wanted_state_is_written_for_existing_experiments_only(identity: str) -> None:
    assert experiment_store.set_wanted(identity, Wanted.STOPPED)
    assert not experiment_store.set_wanted("nobody", Wanted.STOPPED)
    record = load_record(identity)
    assert record.wanted is Wanted.STOPPED


def test_a_new_round_forgets_the_containers_of_the_last_one(identity: str) -> None:
    experiment_store.remember_container(identity, "host", "abc")
    record = load_record(identity)
    assert record.launched == {"host": "abc"}
    assert experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
    record = load_record(identity)
    assert (record.round, record.launched) == (2, {})


def test_the_end_of_a_round_does_not_end_the_next_one(identity: str) -> None:
    """The page shows the failure before it is stored in the row, and a person launches again in between."""
    experiment_store.save_head(identity, make_head(Phase.RUNNING), of_round=1)
    assert experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
    experiment_store.save_head(identity, make_head(Phase.FAILED), of_round=1)
    (unsettled,) = experiment_store.load_unsettled()
    assert (unsettled.id, unsettled.round) == (identity, 2)


def test_a_container_of_a_round_is_not_one_of_the_next_round(identity: str) -> None:
    """A person launches again while arms are still being started."""
    experiment_store.remember_container(identity, "host", "first", of_round=1)
    assert load_record(identity).launched == {"host": "first"}
    assert experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
    experiment_store.remember_container(identity, "bridge", "late", of_round=1)
    assert load_record(identity).launched == {}
    experiment_store.remember_container(identity, "bridge", "second", of_round=2)
    assert load_record(identity).launched == {"bridge": "second"}


def test_a_removal_cannot_be_undone(identity: str) -> None:
    assert experiment_store.exists(identity)
    assert experiment_store.set_wanted(identity, Wanted.REMOVED)
    assert not experiment_store.exists(identity)
    assert not experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
    assert not experiment_store.set_wanted(identity, Wanted.STOPPED)


@pytest.mark.parametrize(
    ("wanted", "phase", "is_unsettled"),
    [
        (Wanted.RUNNING, Phase.WAITING, True),
        (Wanted.RUNNING, Phase.RUNNING, True),
        (Wanted.RUNNING, Phase.STOPPED, True),
        (Wanted.RUNNING, Phase.FAILED, False),
        (Wanted.STOPPED, Phase.RUNNING, True),
        (Wanted.STOPPED, Phase.STOPPING, True),
        (Wanted.STOPPED, Phase.STOPPED, False),
        (Wanted.STOPPED, Phase.FAILED, False),
        (Wanted.REMOVED, Phase.STOPPED, True),
        (Wanted.REMOVED, Phase.WAITING, True),
    ],
)
def test_unsettled_experiments_are_those_that_need_a_lab(
    identity: str, wanted: Wanted, phase: Phase, is_unsettled: bool
) -> None:
    experiment_store.save_head(identity, make_head(phase))
    experiment_store.set_wanted(identity, wanted)
    assert [one.id for one in experiment_store.load_unsettled()] == ([identity] if is_unsettled else [])


def test_an_experiment_that_is_deleted_is_forgotten_with_its_journal(identity: str) -> None:
    journal_store.append(identity, [make_entry(1)])
    experiment_store.delete(identity)
    assert experiment_store.load(identity) is None
    assert journal_store.entries(identity) == ()
    assert recent_entries.recent(identity, 0) is None
    experiment_store.delete(identity)


def test_before_the_first_entry_the_columns_wait(identity: str) -> None:
    record = load_record(identity)
    view = experiment_store.waiting_view(record)
    assert view.seq == 0
    assert view.head is not None
    assert (view.head.title, view.head.phase) == ("One", Phase.WAITING)
    assert [(one.key, one.status) for one in view.columns[1:]] == [
        ("host", ArmStatus.WAITING),
        ("bridge", ArmStatus.WAITING),
    ]


def test_the_installation_keeps_its_id() -> None:
    first = installation_id()
    assert installation_id() == first
    assert Installation.objects.count() == 1


def test_a_process_is_identified_by_pid_and_start_time() -> None:
    assert experiment_store.is_alive(experiment_store.this_process())
    pid = os.getpid()
    _, started, boot = experiment_store.this_process().split(":")
    invalid = (f"{pid}:1.00", f"{pid}", "", "x:y", "999999999:1", f"{pid}:")
    for driver in (*invalid, f"{pid}:1:{boot}", f"{pid}:{started}:00000000", f"1:{started}:{boot}"):
        assert not experiment_store.is_alive(driver), driver


def test_a_process_stays_the_same_when_the_clock_of_the_machine_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel calculates the time of the boot from the present time (proc_stat(5), ``btime``)."""
    driver, booted, started = experiment_store.this_process(), psutil.boot_time(), psutil.Process().create_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 2.0)
    assert psutil.Process().create_time() == started + 2.0
    assert experiment_store.is_alive(driver)


def test_concurrent_readers_and_writers_never_find_the_database_locked(identity: str) -> None:
    def work(number: int) -> None:
        try:
            for _ in range(10):
                experiment_store.set_wanted(identity, Wanted.RUNNING, again=True)
                experiment_store.remember_container(identity, "host", f"{number}")
                experiment_store.load_unsettled()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    record = load_record(identity)
    assert record.round == 61


def test_another_name_is_in_the_row_and_in_the_specification(identity: str) -> None:
    assert experiment_store.rename(identity, "Shop") == "Shop"
    record = load_record(identity)
    assert (record.title, record.spec.title) == ("Shop", "Shop")
    assert experiment_store.rename(identity, "")
    assert Experiment.objects.get(pk=identity).title == "nginx on port 80"
    assert experiment_store.rename("nothing", "Shop") is None
