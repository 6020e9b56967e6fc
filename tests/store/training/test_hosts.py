"""Desired and recorded state of private hosts of groups."""

from __future__ import annotations

import pytest
from django.db.models.sql.compiler import SQLCompiler

from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.host_plan import DesiredState, HostStage, queue_position
from dashboard.core.training.session import HostsFor
from dashboard.models import GroupHost, TrainingSession
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import participants
from dashboard.store.training.hosts import FoundHost, NoHostError
from tests.lab.training_builders import NOW, again, participant, session

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> TrainingSession:
    """An open session with a host for each participant."""
    return session(hosts=HostsFor.PERSON)


def test_a_second_request_keeps_the_place_in_the_queue(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW + 1)
    group_host_store.request(group, NOW + 9)
    (found,) = group_host_store.load_all(NOW + 10)
    assert (found.group, found.desired, found.stage, found.since) == (
        group,
        DesiredState.RUNNING,
        HostStage.QUEUED,
        NOW + 1,
    )
    assert (found.limits.memory_mb, found.over) == (row.memory_mb, False)


def test_a_request_starts_a_stopped_host_but_not_a_failed_one(
    row: TrainingSession,
) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW)
    group_host_store.note_end(group, DesiredState.RUNNING, HostStage.STOPPED, DesiredState.STOPPED, "Idle.", NOW + 5)
    assert group_host_store.load_all(NOW + 6) == ()
    group_host_store.request(group, NOW + 7)
    assert [one.stage for one in group_host_store.load_all(NOW + 8)] == [HostStage.QUEUED]
    group_host_store.note(group, state="failed", reason="No memory.")
    group_host_store.request(group, NOW + 9)
    assert group_host_store.find(group) == FoundHost(DesiredState.RUNNING, HostStage.FAILED, "", "No memory.")


def test_a_request_starts_a_failed_host_that_has_kept_its_files(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW)
    group_host_store.note(group, state="failed", host="h1", reason="No memory.")
    group_host_store.request(group, NOW + 9)
    assert group_host_store.find(group) == FoundHost(DesiredState.RUNNING, HostStage.QUEUED, "h1", "")


def test_a_reset_of_a_host_that_is_gone_waits_behind_the_groups_in_the_queue(row: TrainingSession) -> None:
    first, second = f"{row.id}-1", f"{row.id}-2"
    group_host_store.request(first, NOW)
    group_host_store.note(first, state="failed", reason="Its engine exited 3 times.", is_moved=True)
    group_host_store.request(second, NOW + 1)
    group_host_store.reset(first, NOW + 2)
    records = {one.group: one for one in group_host_store.load_all(NOW + 3)}
    assert [queue_position(group, list(records.values())) for group in (first, second)] == [2, 1]
    assert not records[first].is_moved, "a new host is wanted, without the steps"
    assert group_host_store.find(first) == FoundHost(DesiredState.RUNNING, HostStage.QUEUED, "", "")


def test_a_reset_in_the_queue_keeps_the_place_and_a_reset_of_a_host_replaces_it(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW)
    group_host_store.reset(group, NOW + 1)
    (waiting,) = group_host_store.load_all(NOW + 2)
    assert (waiting.desired, waiting.stage, waiting.since) == (DesiredState.RUNNING, HostStage.QUEUED, NOW)
    for state in ("ready", "failed"):
        GroupHost.objects.filter(pk=group).update(wanted="running", state=state, host="h1")
        group_host_store.reset(group, NOW + 3)
        assert [one.desired for one in group_host_store.load_all(NOW + 4)] == [DesiredState.RESET]


def test_a_found_host_is_the_one_in_the_list_of_all(row: TrainingSession) -> None:
    for number, changes in enumerate(({}, {"is_moved": True, "host": "h1", "used_at": 5.0, "reason": "Moved."})):
        group = f"{row.id}-{number}"
        group_host_store.request(group, NOW)
        GroupHost.objects.filter(pk=group).update(**changes)
    TrainingSession.objects.filter(pk=row.id).update(memory_mb=700, pids=70, cpus=1.5, idle_s=60, ttl_s=600)
    records = group_host_store.load_all(NOW)
    assert [(one.is_moved, one.host, one.used_at) for one in records] == [(False, "", NOW), (True, "h1", 5.0)]
    assert records[0].limits == HostLimits(700, 70, 1.5)
    assert (records[0].ttl_s, records[0].idle_s, records[0].over) == (600, 60, False)
    found = [group_host_store.find(one.group) for one in records]
    assert found == [
        FoundHost(one.desired, one.stage, one.host, reason) for one, reason in zip(records, ("", "Moved."), strict=True)
    ]
    assert group_host_store.find("none-1") is None


def test_the_statement_that_finds_a_host_is_compiled_once(
    row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW)
    first = group_host_store.find(group)

    def compile_again(*_args: object, **_options: object) -> None:
        pytest.fail("compiled again")

    monkeypatch.setattr(SQLCompiler, "as_sql", compile_again)
    assert group_host_store.find(group) == first


def test_a_later_desired_state_is_not_overwritten(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.request(group, NOW)
    assert group_host_store.set_desired(group, DesiredState.STOPPED)
    group_host_store.note_end(group, DesiredState.RESET, HostStage.QUEUED, DesiredState.RUNNING, "", NOW + 1)
    assert GroupHost.objects.get(pk=group).wanted == "stopped"
    assert not group_host_store.set_desired("nobody-1", DesiredState.RESET)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"hosts": "none"}, "no private hosts"), ({"closed_at": NOW}, "over"), ({"expires_at": NOW - 1}, "over")],
)
def test_only_open_sessions_with_hosts_get_one(row: TrainingSession, changes: dict[str, object], words: str) -> None:
    TrainingSession.objects.filter(pk=row.pk).update(**changes)
    with pytest.raises(NoHostError, match=words):
        group_host_store.request(f"{row.id}-1", NOW)
    assert not group_host_store.has_open_sessions(NOW)
    with pytest.raises(NoHostError):
        group_host_store.request("elsewhere-1", NOW)


def test_an_expired_session_is_over_for_its_hosts(row: TrainingSession) -> None:
    group_host_store.request(f"{row.id}-1", NOW)
    assert group_host_store.has_open_sessions(NOW)
    assert [one.over for one in group_host_store.load_all(again(row).expires_at)] == [True]


def test_the_first_host_of_a_group_is_requested_once(row: TrainingSession) -> None:
    ada, _ = participant(row)
    group = f"{row.id}-{ada.group}"
    group_host_store.request_first(group, NOW + 1)
    group_host_store.note_end(group, DesiredState.RUNNING, HostStage.STOPPED, DesiredState.STOPPED, "Idle.", NOW + 5)
    group_host_store.request_first(group, NOW + 7)
    assert group_host_store.load_all(NOW + 8) == ()


def test_a_host_is_started_anew_only_when_that_of_removed_participants_has_stopped(row: TrainingSession) -> None:
    spam, _ = participant(row, "Spam")
    group = f"{row.id}-{spam.group}"
    group_host_store.request_first(group, NOW + 1)
    assert participants.remove(row.id, [spam.id], NOW + 2) == ((spam.id,), (spam.group,))
    group_host_store.set_desired(group, DesiredState.STOPPED)
    group_host_store.note(group, state="ready", host="h1")
    group_host_store.request_first(group, NOW + 4)
    assert GroupHost.objects.get(pk=group).wanted == "stopped", "not the host of the removed participant"
    group_host_store.note_end(group, DesiredState.STOPPED, HostStage.STOPPED, DesiredState.STOPPED, "", NOW + 5)
    group_host_store.request_first(group, NOW + 6)
    assert [one.stage for one in group_host_store.load_all(NOW + 7)] == [HostStage.QUEUED]
