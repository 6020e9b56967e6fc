"""Sessions: created, found by code, controlled by their owner only, closed, deleted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.roles import Role
from dashboard.core.training.host_plan import ActionKind, HostStage, ObservedHost, plan_actions
from dashboard.core.training.join_codes import digest_of, parse_code
from dashboard.core.training.pacing import Pace
from dashboard.models import Account, GroupHost, Participant, SessionEvent, TrainingSession, WorkshopProgress
from dashboard.store import experiments as experiment_store
from dashboard.store import workshops as workshop_store
from dashboard.store.training import hosts, session_state
from dashboard.store.training import sessions as training_sessions
from tests.lab.training_builders import NOW, again, instructor, participant, session, workshop
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def kinds(row: TrainingSession) -> list[tuple[str, str]]:
    return list(SessionEvent.objects.filter(session=row).values_list("kind", "detail"))


def test_a_session_starts_at_the_first_step_with_a_unique_code(monkeypatch: pytest.MonkeyPatch) -> None:
    row = session(hours=2)
    assert (row.step, row.gate, row.expires_at) == ("prepare", "prepare", NOW + 7200)
    assert parse_code(row.code) == row.code
    assert row.code_digest == digest_of(row.code)
    assert kinds(row) == [("created", "host-network"), ("pace", "together")]
    assert kinds(session(pace=Pace.GATED))[1] == ("pace", "gated")
    drawn = iter([row.code, row.code, "00000000"])
    monkeypatch.setattr(training_sessions, "code_from", lambda _: next(drawn))
    assert session().code == "00000000", "a code that exists is replaced by another"
    assert training_sessions.by_code(row.code) == row
    assert training_sessions.by_code("ZZZZZZZZ") is None


def test_only_the_owner_controls_a_session() -> None:
    row, me, other = session(), instructor(), instructor("other")
    assert training_sessions.led_by(row.id, User.objects.get(pk=me)) == row
    stranger = User.objects.get(pk=other)
    for role in (Role.INSTRUCTOR, Role.READER):
        Account.objects.update_or_create(user=stranger, defaults={"role": role})
        assert training_sessions.led_by(row.id, stranger) is None
        assert training_sessions.visible(stranger) == ()
    assert training_sessions.led_by(row.id, AnonymousUser()) is None
    assert not training_sessions.go_to(row.id, other, NOW, "launch")
    assert not training_sessions.reveal(row.id, other, NOW, "launch")
    assert not training_sessions.write_notes(row.id, other, "x")
    assert not training_sessions.mirror(row.id, other, NOW, "")
    assert not training_sessions.close(row.id, other, NOW)
    assert not training_sessions.extend(row.id, other, NOW, 8)
    assert not training_sessions.delete(row.id, other)
    assert again(row).step == "prepare"


def test_an_owner_leads_every_session_and_a_reader_none() -> None:
    row, other = session("ada"), User.objects.get(username="ada")
    owner = User.objects.get(pk=instructor())
    assert training_sessions.led_by(row.id, owner) == row
    assert training_sessions.visible(owner) == (row,)
    Account.objects.create(user=other, role=Role.INSTRUCTOR)
    assert training_sessions.led_by(row.id, other) == row
    assert training_sessions.visible(other) == (row,)
    Account.objects.update(role=Role.READER)
    assert training_sessions.led_by(row.id, other) is None


def test_actions_of_the_instructor_are_recorded_as_events() -> None:
    row, me = session(), instructor()
    assert training_sessions.change(row.id, me, NOW, timer_ends_at=NOW + 60)
    assert training_sessions.go_to(row.id, me, NOW + 1, "launch")
    assert training_sessions.set_pace(row.id, me, NOW + 2, Pace.GATED, "stop")
    assert training_sessions.reveal(row.id, me, NOW + 3, "launch")
    assert training_sessions.reveal(row.id, me, NOW + 4, "launch"), "the second time changes nothing"
    found = again(row)
    assert (found.step, found.timer_ends_at, found.pace, found.gate) == ("launch", 0.0, "gated", "stop")
    assert found.revealed() == {"launch": NOW + 3}
    names = [kind for kind, _ in kinds(row)]
    assert names == ["created", "pace", "timer", "step", "timer", "pace", "gate", "revealed"]
    with pytest.raises(ValueError, match="code"):
        training_sessions.change(row.id, me, NOW, code="x")


def test_only_own_or_ownerless_experiments_can_be_mirrored() -> None:
    row, me = session(), instructor()
    mine = experiment_store.create_experiment(make_spec("host"), me)
    of_another = experiment_store.create_experiment(make_spec("host"), instructor("other"))
    of_a_command = experiment_store.create_experiment(make_spec("host"))
    assert training_sessions.change(row.id, me, NOW, pointed_row="interfaces/eth0/mtu")
    assert training_sessions.mirror(row.id, me, NOW, mine)
    assert (again(row).mirror_id, again(row).pointed_row) == (mine, "")
    assert not training_sessions.mirror(row.id, me, NOW, of_another)
    removed = experiment_store.create_experiment(make_spec("host"), me)
    experiment_store.set_wanted(removed, Wanted.REMOVED)
    assert not training_sessions.mirror(row.id, me, NOW, removed)
    assert not training_sessions.mirror(row.id, me, NOW, "nothing")
    assert training_sessions.mirror(row.id, me, NOW, of_a_command)
    assert training_sessions.mirror(row.id, me, NOW, "")
    assert again(row).mirror_id is None


def test_a_closed_session_cannot_be_changed_and_its_hosts_are_stopped() -> None:
    row, me = session(hosts="person"), instructor()
    GroupHost.objects.create(group=f"{row.id}-1", session=row)
    training_sessions.change(row.id, me, NOW, timer_ends_at=NOW + 300)
    assert training_sessions.close(row.id, me, NOW + 5)
    assert again(row).timer_ends_at == 0.0
    assert not training_sessions.close(row.id, me, NOW + 6)
    assert not training_sessions.go_to(row.id, me, NOW, "launch")
    assert again(row).closed_at == NOW + 5
    assert GroupHost.objects.get().wanted == "stopped"


def test_a_host_of_an_extended_session_runs_until_the_new_end() -> None:
    row, me = session(hosts="person", hours=1), instructor()
    end = NOW + 3 * 3600
    GroupHost.objects.create(group="a", session=row, state=HostStage.READY, host="h1", used_at=end)
    assert training_sessions.extend(row.id, me, NOW + 1800, 2)
    observed = {"h1": ObservedHost(running=True, started=NOW)}

    def actions(now: float) -> list[ActionKind]:
        return [one.kind for one in plan_actions(hosts.load_all(now), observed, (), {}, now, capacity=1, slots=1)]

    assert actions(NOW + 3601) == actions(end - 1) == []
    assert actions(end) == [ActionKind.STOP]


def test_extending_a_session_adds_hours_to_the_end_and_never_makes_it_earlier() -> None:
    row, me = session(hosts="person", hours=4), instructor()
    assert training_sessions.extend(row.id, me, NOW + 600, 1)
    assert again(row).expires_at == NOW + 5 * 3600
    assert training_sessions.extend(row.id, me, NOW + 9 * 3600, 2)
    assert again(row).expires_at == NOW + 11 * 3600, "a session that has expired ends two hours from now"
    assert again(row).ttl_s == 11 * 3600


def test_deleting_a_session_deletes_its_participants_and_their_progress() -> None:
    row, me = session(), instructor()
    participant(row)
    assert training_sessions.reveal(row.id, me, NOW, "launch", "machine")
    workshop_store.start("user:1", "host-network", "", NOW)
    assert not training_sessions.delete(row.id, me), "it is still open"
    training_sessions.close(row.id, me, NOW)
    assert training_sessions.delete(row.id, me)
    assert not Participant.objects.exists()
    assert list(WorkshopProgress.objects.values_list("person", flat=True)) == ["user:1"]


def test_a_reveal_stores_the_reading() -> None:
    row, me = session(), instructor()
    assert training_sessions.reveal(row.id, me, NOW, "launch", "machine")
    found = session_state.histogram_of(again(row), workshop(), "launch")
    assert found is not None
    assert found.truth == "The network of this machine"
