"""What a group runs on its host: begun within limits, marked when the host is gone, forgotten with the session."""

from __future__ import annotations

import pytest

from dashboard.core.class_work import WorkKind
from dashboard.core.lifecycle import Wanted
from dashboard.core.measurement import Options, Probe
from dashboard.core.stream import Phase
from dashboard.core.training import HostsFor
from dashboard.lab import claim_runs, class_store, class_works, measurements, store, training
from dashboard.lab.class_store import NoHostError, RoomError, works_of
from dashboard.models import ClaimRun, Experiment, HostRow, MeasurementRun, TrainingSession
from tests.lab.classes import NOW, again, session
from tests.specs import make_spec

pytestmark = pytest.mark.django_db
RR = (Probe.TCP_RR,)


@pytest.fixture
def row() -> TrainingSession:
    """An open session with a host for everybody."""
    return session(hosts=HostsFor.PERSON)


def host_of(row: TrainingSession, number: int = 1, host: str = "abc") -> str:
    """The key of a group whose host is ready."""
    group = f"{row.id}-{number}"
    class_store.ask_for(group, NOW)
    class_store.note(group, state="ready", host=host)
    return group


def test_a_group_has_so_many_experiments_and_containers_and_no_more(row: TrainingSession) -> None:
    group, other = host_of(row), host_of(row, 2, "other")
    made = [class_works.launch(make_spec("host", "bridge"), None, group) for _ in range(3)]
    with pytest.raises(RoomError, match="at most 3 experiments"):
        class_works.launch(make_spec("host", "bridge"), None, group)
    class_works.launch(make_spec("host", "bridge"), None, other)
    assert len(store.load_unsettled("abc")) == 3
    assert store.load_unsettled() == ()
    assert store.hosts_unsettled() == {"abc", "other"}
    Experiment.objects.filter(group=group).update(wanted="stopped", phase="stopped")
    class_works.launch(make_spec(*["bridge"] * 8), None, group)
    with pytest.raises(RoomError, match="at most 12 containers, and 8"):
        class_works.launch(make_spec(*["bridge"] * 5), None, group)
    assert class_works.launch_again(made[0], group), "one that ended is launched again"
    assert class_works.launch_again(made[1], group)
    with pytest.raises(RoomError, match="at most 3 experiments"):
        class_works.launch_again(made[2], group)
    assert class_works.launch_again(made[0], group), "a restart is not one more"
    assert not class_works.launch_again(made[0], other), "nobody launches what is another's"


def test_without_a_ready_host_nothing_begins(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    for words in ("start it first", "being started"):
        with pytest.raises(NoHostError, match=words):
            class_works.launch(make_spec("none", "host"), None, group)
        with pytest.raises(NoHostError, match=words):
            class_works.execute([], group, None)
        class_store.ask_for(group, NOW)
    class_store.note(group, reason="It was stopped because nobody used it.")
    with pytest.raises(NoHostError, match="nobody used it"):
        class_works.launch(make_spec("none", "host"), None, group)
    assert not Experiment.objects.exists()


def test_a_measurement_takes_its_turn_its_time_and_its_room(row: TrainingSession) -> None:
    group = host_of(row)
    experiment = class_works.launch(make_spec("host", "bridge"), None, group)
    with pytest.raises(RoomError, match="at most 60 s"):
        class_works.measure(experiment, group, RR, Options(seconds=61), None)
    run = class_works.measure(experiment, group, RR, Options(seconds=1), None)
    with pytest.raises(RoomError, match="one at a time"):
        class_works.measure(experiment, group, RR, Options(seconds=1), None)
    made = MeasurementRun.objects.get(pk=run)
    assert (made.host, made.group, made.twin, made.source_id) == ("abc", group, True, experiment)
    twin = Experiment.objects.get(pk=made.experiment_id)
    assert (twin.host, twin.group) == ("abc", group)
    assert [one.id for one in class_works.experiments_of(group, 9)] == [experiment], "a twin is nobody's experiment"
    assert [one.id for one in measurements.load_waiting("abc")] == [run]
    assert measurements.load_waiting() == ()
    assert measurements.hosts_waiting() == {"abc"}
    measurements.fail_run(run, "Enough.")
    class_store.note(group, host="new")
    with pytest.raises(RoomError, match="host on which it ran is gone"):
        class_works.measure(experiment, group, RR, Options(seconds=1), None)


def test_claims_are_executed_one_run_at_a_time_and_kept_apart(row: TrainingSession) -> None:
    group = host_of(row)
    run = class_works.execute(["host-shares-netns"], group, None)
    with pytest.raises(RoomError, match="one at a time"):
        class_works.execute([], group, None)
    with pytest.raises(ValueError, match="not quiet"):
        class_works.execute(["proxy-costs"], group, None)
    assert claim_runs.hosts_waiting() == {"abc"}
    assert (claim_runs.live_run(), claim_runs.history(), claim_runs.newest_outcomes()) == (None, (), {})
    live = claim_runs.live_run(group)
    assert live is not None
    assert live.id == run
    assert set(claim_runs.newest_outcomes(group)) == {"host-shares-netns"}


def test_what_waits_ends_with_its_host_and_all_of_it_is_told_and_forgotten(row: TrainingSession) -> None:
    group, other = host_of(row), host_of(row, 2, "other")
    experiment = class_works.launch(make_spec("host", "bridge"), None, group)
    run = class_works.measure(experiment, group, RR, Options(seconds=1), None)
    claims = class_works.execute(["host-shares-netns"], group, None)
    theirs = class_works.launch(make_spec("none", "host"), None, other)
    mine = store.create_experiment(make_spec("none", "host"))
    Experiment.objects.filter(host="abc").update(wanted="stopped")
    assert class_works.end_of_host("abc", "The host is gone.") == (run,)
    told = {one.id: one for one in works_of(row.id)}
    assert set(told) == {experiment, run, claims, theirs}
    assert {(one.group, str(one.kind), one.state, one.ended > 0) for one in told.values()} == {
        (1, "experiment", "stopped", True),
        (1, "measurement", "cancelled", True),
        (1, "claims", "cancelled", True),
        (2, "experiment", "waiting", False),
    }
    assert told[experiment].modes == ("host", "bridge") == told[run].modes
    assert told[run].summary == told[claims].summary == "The host is gone."
    assert told[claims].title == "host-shares-netns"
    training.close(row.id, row.owner_id, NOW)
    HostRow.objects.all().delete()
    assert training.delete(row.id, row.owner_id)
    assert works_of(row.id) == ()
    assert list(Experiment.objects.values_list("pk", flat=True)) == [mine]
    assert not MeasurementRun.objects.exists()
    assert not ClaimRun.objects.exists()


def test_what_was_never_taken_up_is_over_when_its_host_is(row: TrainingSession) -> None:
    group = host_of(row)
    experiment = class_works.launch(make_spec("none", "host"), None, group)
    store.set_wanted(experiment, Wanted.STOPPED)
    class_works.end_of_host("abc", "Gone.")
    assert Experiment.objects.get(pk=experiment).phase == Phase.STOPPED
    assert store.hosts_unsettled() == frozenset()
    class_store.note(group, host="new")
    assert class_works.launch_again(experiment, group), "on the host that there is now"
    assert [one.id for one in store.load_unsettled("new")] == [experiment]


def test_nobody_shows_to_all_what_is_a_group_s(row: TrainingSession) -> None:
    experiment = class_works.launch(make_spec("none", "host"), row.owner_id, host_of(row))
    assert not training.show(row.id, row.owner_id, NOW, experiment)
    assert again(row).mirror_id is None
    assert class_works.group_of(WorkKind.EXPERIMENT, experiment) == f"{row.id}-1"
    assert class_works.group_of(WorkKind.EXPERIMENT, "nobody") is None
