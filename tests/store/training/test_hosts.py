"""What is wanted of the hosts of classes, and what stands in their way."""

from __future__ import annotations

import pytest

from dashboard.core.training.host_plan import HostStage, Wish
from dashboard.core.training.session import HostsFor
from dashboard.models import GroupHost, TrainingSession
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training.hosts import NoHostError
from tests.lab.training_builders import NOW, again, session

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> TrainingSession:
    """An open session with a host for everybody."""
    return session(hosts=HostsFor.PERSON)


def test_who_asks_twice_waits_once(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.ask_for(group, NOW + 1)
    group_host_store.ask_for(group, NOW + 9)
    (found,) = group_host_store.load_all(NOW + 10)
    assert (found.group, found.wish, found.stage, found.since) == (group, Wish.RUNNING, HostStage.QUEUED, NOW + 1)
    assert (found.limits.memory_mb, found.over) == (row.memory_mb, False)


def test_a_host_that_was_stopped_comes_back_when_it_is_asked_for_and_a_failed_one_waits_for_a_reset(
    row: TrainingSession,
) -> None:
    group = f"{row.id}-1"
    group_host_store.ask_for(group, NOW)
    group_host_store.note_end(group, Wish.RUNNING, HostStage.STOPPED, Wish.STOPPED, "Idle.", NOW + 5)
    assert group_host_store.load_all(NOW + 6) == ()
    group_host_store.ask_for(group, NOW + 7)
    assert [one.stage for one in group_host_store.load_all(NOW + 8)] == [HostStage.QUEUED]
    group_host_store.note(group, state="failed", reason="No room.")
    group_host_store.ask_for(group, NOW + 9)
    found = group_host_store.find(group, NOW + 9)
    assert found is not None
    assert (found[0].stage, found[2]) == (HostStage.FAILED, "No room.")


def test_what_somebody_wants_meanwhile_is_not_forgotten(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    group_host_store.ask_for(group, NOW)
    assert group_host_store.want(group, Wish.STOPPED)
    group_host_store.note_end(group, Wish.RESET, HostStage.QUEUED, Wish.RUNNING, "", NOW + 1)
    assert GroupHost.objects.get(pk=group).wanted == "stopped"
    assert not group_host_store.want("nobody-1", Wish.RESET)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"hosts": "none"}, "no private hosts"), ({"closed_at": NOW}, "over"), ({"expires_at": NOW - 1}, "over")],
)
def test_no_host_without_an_open_session_that_has_some(
    row: TrainingSession, changes: dict[str, object], words: str
) -> None:
    TrainingSession.objects.filter(pk=row.pk).update(**changes)
    with pytest.raises(NoHostError, match=words):
        group_host_store.ask_for(f"{row.id}-1", NOW)
    assert not group_host_store.hosts_wanted(NOW)
    with pytest.raises(NoHostError):
        group_host_store.ask_for("elsewhere-1", NOW)


def test_a_session_that_is_over_is_over_for_its_hosts(row: TrainingSession) -> None:
    group_host_store.ask_for(f"{row.id}-1", NOW)
    assert group_host_store.hosts_wanted(NOW)
    assert [one.over for one in group_host_store.load_all(again(row).expires_at)] == [True]
