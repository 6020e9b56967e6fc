"""Runs of groups on their hosts: within the quota, ended with the host, deleted with the session."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.training.group_quota import RunKind
from dashboard.core.training.session import HostsFor
from dashboard.models import ClaimRun, Experiment, GroupHost, MeasurementRun, TrainingSession
from dashboard.store import claim_runs, machines, unsettled
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.hosts import NoHostError, QuotaError
from tests.lab.training_builders import NOW, again, session
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
RR = (Probe.TCP_RR,)


@pytest.fixture
def row() -> TrainingSession:
    """An open session with a host for each participant."""
    return session(hosts=HostsFor.PERSON)


def host_of(row: TrainingSession, number: int = 1, host: str = "abc") -> str:
    """The key of a group whose host is ready."""
    group = f"{row.id}-{number}"
    group_host_store.request(group, NOW)
    group_host_store.note(group, state="ready", host=host)
    return group


def test_a_group_has_a_maximum_of_experiments_and_containers(row: TrainingSession) -> None:
    group, other = host_of(row), host_of(row, 2, "other")
    made = [group_runs.launch(make_spec("host", "bridge"), None, group) for _ in range(3)]
    with pytest.raises(QuotaError, match="at most 3 experiments"):
        group_runs.launch(make_spec("host", "bridge"), None, group)
    group_runs.launch(make_spec("host", "bridge"), None, other)
    assert len(experiment_store.load_unsettled("abc")) == 3
    assert experiment_store.load_unsettled() == ()
    assert unsettled.load_hosts() == {"abc", "other"}
    Experiment.objects.filter(group=group).update(wanted="stopped", phase="stopped")
    group_runs.launch(make_spec(*["bridge"] * 8), None, group)
    with pytest.raises(QuotaError, match="at most 12 containers, and 8"):
        group_runs.launch(make_spec(*["bridge"] * 5), None, group)
    assert group_runs.launch_again(made[0], group), "a stopped one is launched again"
    assert group_runs.launch_again(made[1], group)
    with pytest.raises(QuotaError, match="at most 3 experiments"):
        group_runs.launch_again(made[2], group)
    assert group_runs.launch_again(made[0], group), "a restart does not count twice"
    assert not group_runs.launch_again(made[0], other), "not an experiment of another group"


def test_a_stopped_experiment_is_launched_again_on_the_new_machine_of_its_group(row: TrainingSession) -> None:
    machines.register("lab2", {}, MachineFacts())
    group = host_of(row)
    assert group_runs.ready_place(group) == "abc"
    experiment = group_runs.launch(make_spec("host"), None, group)
    run = group_runs.measure(experiment, group, [Probe.HTTP], Options(), None)
    Experiment.objects.update(wanted="stopped", phase="stopped")
    GroupHost.objects.update(machine="lab2", host="def")
    assert group_runs.ready_place(group) == "@lab2/def"
    assert group_runs.launch_again(experiment, group)
    assert Experiment.objects.get(pk=experiment).machine_id == "lab2"
    assert MeasurementRun.objects.get(pk=run).machine_id == "lab2"


def test_without_a_ready_host_nothing_starts(row: TrainingSession) -> None:
    group = f"{row.id}-1"
    for words in ("Start it first", "is starting"):
        with pytest.raises(NoHostError, match=words):
            group_runs.launch(make_spec("none", "host"), None, group)
        with pytest.raises(NoHostError, match=words):
            group_runs.run_claims([], group, None)
        group_host_store.request(group, NOW)
    group_host_store.note(group, reason="It was stopped after 30 minutes without use.")
    with pytest.raises(NoHostError, match="without use"):
        group_runs.launch(make_spec("none", "host"), None, group)
    assert not Experiment.objects.exists()


def test_one_short_measurement_at_a_time_on_the_current_host(row: TrainingSession) -> None:
    group = host_of(row)
    experiment = group_runs.launch(make_spec("host", "bridge"), None, group)
    with pytest.raises(QuotaError, match="at most 60 s"):
        group_runs.measure(experiment, group, RR, Options(seconds=61), None)
    run = group_runs.measure(experiment, group, RR, Options(seconds=1), None)
    with pytest.raises(QuotaError, match="waiting or running"):
        group_runs.measure(experiment, group, RR, Options(seconds=1), None)
    made = MeasurementRun.objects.get(pk=run)
    assert (made.host, made.group, made.twin, made.source_id) == ("abc", group, True, experiment)
    twin = Experiment.objects.get(pk=made.experiment_id)
    assert (twin.host, twin.group) == ("abc", group)
    assert [one.id for one in group_runs.experiments_of(group, 9)] == [experiment], "twins are not listed"
    assert [one.id for one in measurement_store.load_waiting("abc")] == [run]
    assert measurement_store.load_waiting() == ()
    assert measurement_store.hosts_waiting() == {"abc"}
    measurement_store.fail_run(run, "Enough.")
    group_host_store.note(group, host="new")
    with pytest.raises(QuotaError, match="host on which the experiment ran is gone"):
        group_runs.measure(experiment, group, RR, Options(seconds=1), None)


def test_the_measurement_of_a_step_that_has_not_ended_is_not_requested_twice(row: TrainingSession) -> None:
    group = host_of(row)
    spec = make_spec("host", "bridge")
    run = group_runs.measure_step(spec, group, Options(seconds=1), None)
    assert group_runs.measure_step(spec, group, Options(seconds=1), None) == run
    measurement_store.fail_run(run, "Enough.")
    assert group_runs.measure_step(spec, group, Options(seconds=1), None) != run


def test_one_claim_run_at_a_time_and_only_in_the_group_s_history(row: TrainingSession) -> None:
    group = host_of(row)
    run = group_runs.run_claims(["host-shares-netns"], group, None)
    with pytest.raises(QuotaError, match="waiting or running"):
        group_runs.run_claims([], group, None)
    with pytest.raises(ValueError, match="not quiet"):
        group_runs.run_claims(["proxy-costs"], group, None)
    assert claim_runs.hosts_with_queued_runs() == {"abc"}
    assert (claim_runs.live_run(), claim_runs.list_runs(), claim_runs.newest_outcomes()) == (None, (), {})
    live = claim_runs.live_run(group)
    assert live is not None
    assert live.id == run
    assert set(claim_runs.newest_outcomes(group)) == {"host-shares-netns"}


def test_waiting_runs_end_with_their_host_and_all_runs_are_deleted_with_the_session(row: TrainingSession) -> None:
    group, other = host_of(row), host_of(row, 2, "other")
    experiment = group_runs.launch(make_spec("host", "bridge"), None, group)
    run = group_runs.measure(experiment, group, RR, Options(seconds=1), None)
    claims = group_runs.run_claims(["host-shares-netns"], group, None)
    theirs = group_runs.launch(make_spec("none", "host"), None, other)
    mine = experiment_store.create_experiment(make_spec("none", "host"))
    Experiment.objects.filter(host="abc").update(wanted="stopped")
    assert group_runs.end_host("abc", "The host is gone.") == (run,)
    assert {one.pk: one.phase for one in Experiment.objects.filter(pk__in=(experiment, theirs))} == {
        experiment: "stopped",
        theirs: "waiting",
    }
    measurement = MeasurementRun.objects.get(pk=run)
    assert (measurement.state, measurement.stop_reason) == ("cancelled", "The host is gone.")
    claim_run = ClaimRun.objects.get(pk=claims)
    assert (claim_run.state, claim_run.problem) == ("cancelled", "The host is gone.")
    training_sessions.close(row.id, row.owner_id, NOW)
    GroupHost.objects.all().delete()
    assert training_sessions.delete(row.id, row.owner_id)
    assert list(Experiment.objects.values_list("pk", flat=True)) == [mine]
    assert not MeasurementRun.objects.exists()
    assert not ClaimRun.objects.exists()


def test_an_experiment_that_never_started_ends_with_its_host(row: TrainingSession) -> None:
    group = host_of(row)
    experiment = group_runs.launch(make_spec("none", "host"), None, group)
    experiment_store.set_wanted(experiment, Wanted.STOPPED)
    group_runs.end_host("abc", "Gone.")
    assert Experiment.objects.get(pk=experiment).phase == Phase.STOPPED
    assert unsettled.load_hosts() == frozenset()
    group_host_store.note(group, host="new")
    assert group_runs.launch_again(experiment, group), "on the current host"
    assert [one.id for one in experiment_store.load_unsettled("new")] == [experiment]


def test_a_group_s_experiment_cannot_be_mirrored(row: TrainingSession) -> None:
    experiment = group_runs.launch(make_spec("none", "host"), row.owner_id, host_of(row))
    assert not training_sessions.mirror(row.id, row.owner_id, NOW, experiment)
    assert again(row).mirror_id is None
    assert group_runs.group_of(RunKind.EXPERIMENT, experiment) == f"{row.id}-1"
    assert group_runs.group_of(RunKind.EXPERIMENT, "nobody") is None
