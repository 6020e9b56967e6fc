"""Measurements in the database."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.networks import MAX_NETWORKS
from dashboard.core.experiments.validation import MAX_KEY
from dashboard.core.measurements.measurement import Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import make_series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.namespaces.state import Family
from dashboard.core.operations.machines import MAX_NAME
from dashboard.core.paths.model import MEASURED_KINDS, Path
from dashboard.models import MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import history as measurement_history
from dashboard.store.measurements import runs as measurement_store
from tests.store.measurements.sample import LOOPBACK, MODES, begun, measured
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_the_longest_series_fits_into_the_columns() -> None:
    """Only PostgreSQL refuses longer values; this test checks the fields, because it uses SQLite."""
    longest = max(MEASURED_KINDS, key=len)
    path = Path(longest, "", f"@{'m' * MAX_NAME}", "x" * MAX_KEY, Family.INET6, "2001:db8::1", network=MAX_NETWORKS + 1)
    series = make_series([path], (Probe.TCP_STREAM, Probe.HTTP))
    experiment = experiment_store.create_experiment(make_spec("host"))
    run = measurement_store.create_run(experiment, "a run", (Probe.TCP_STREAM, Probe.HTTP), Options(), 7)
    measurement_store.begin_run(run, series, (), Environment(), {})
    for row in MeasurementSeries.objects.all():
        row.clean_fields()


def test_a_finished_run_has_figures_verdicts_and_missing_paths() -> None:
    run = measured()
    measurement_store.finish_run(run, Stop.TIME, "The time is up.", 3.0, Environment(kernel="6.18"), {})
    found = measurement_store.load_measurement(run)
    assert found is not None
    assert found.complete
    assert found.seed == 7
    assert found.environment.kernel == "6.18"
    assert [one.n for one in found.series] == [600, 600, 0]
    assert found.series[2].unavailable == "discarded"
    assert found.comparisons[0].verdict == "slower"
    assert found.comparisons[0].delta_us == pytest.approx(30.0)


def test_the_sentence_of_a_run_is_kept_for_lists() -> None:
    run = measured()
    measurement_store.save_headline(run)
    assert MeasurementRun.objects.get(pk=run).headline


def test_the_same_blocks_and_seed_give_the_same_figures() -> None:
    run = measured()
    assert measurement_store.load_measurement(run) == measurement_store.load_measurement(run)


def test_the_figures_of_an_ended_run_are_computed_once_from_its_blocks() -> None:
    run = measured()
    assert measurement_store.load_measurement(run) is not None
    assert MeasurementRun.objects.get(pk=run).result == ""
    measurement_store.finish_run(run, Stop.TIME, "The time is up.", 3.0, Environment(kernel="6.18"), {})
    made = measurement_store.load_measurement(run)
    MeasurementBlock.objects.all().delete()
    assert measurement_store.load_measurement(run) == made
    assert made is not None
    assert made.series[0].n == 600


def test_figures_of_another_version_are_computed_again() -> None:
    run = measured()
    MeasurementRun.objects.filter(pk=run).update(state=measurement_store.FINISHED, result='{"schema": 7}')
    found = measurement_store.load_measurement(run)
    assert found is not None
    assert found.series[0].n == 600


def test_a_run_whose_process_died_is_kept_and_marked() -> None:
    run = measured()
    MeasurementRun.objects.filter(pk=run).update(driver="1:0.00")
    assert measurement_store.mark_incomplete() == 1
    assert MeasurementRun.objects.get(pk=run).state == measurement_store.INCOMPLETE
    found = measurement_store.load_measurement(run)
    assert found is not None
    assert not found.complete
    assert found.series[0].n == 600
    assert found.elapsed_s == pytest.approx(11.1), "until the end of its newest block"
    assert measurement_store.mark_incomplete() == 0


def test_a_run_starts_when_it_begins_to_measure_and_not_when_it_is_requested() -> None:
    experiment = experiment_store.create_experiment(make_spec("host"))
    waiting = measurement_store.load_measurement(
        measurement_store.create_run(experiment, "t", [Probe.HTTP], Options(), 1)
    )
    assert waiting is not None
    assert (waiting.started_at, waiting.elapsed_s) == ("", 0.0)
    run = begun()
    MeasurementRun.objects.filter(pk=run).update(started_at=1_790_000_000.5)
    found = measurement_store.load_measurement(run)
    assert found is not None
    assert found.started_at == "2026-09-21T14:13:20.500000+00:00"


def test_a_run_of_a_living_process_is_left_alone() -> None:
    measured()
    assert measurement_store.mark_incomplete() == 0


def test_only_a_waiting_or_running_measurement_can_be_cancelled() -> None:
    run = begun()
    assert not measurement_store.is_cancelled(run)
    assert measurement_store.want_cancelled(run)
    assert measurement_store.is_cancelled(run)
    measurement_store.finish_run(run, Stop.CANCELLED, "ended", 1.0, Environment(), {})
    assert not measurement_store.want_cancelled(run)


def test_waiting_runs_are_oldest_first_with_all_requested_options() -> None:
    experiment = experiment_store.create_experiment(make_spec("host"))
    options = Options(seconds=2.0, rate=100.0)
    first = measurement_store.create_run(experiment, "one", [Probe.HTTP], options, 1)
    second = measurement_store.create_run(experiment, "two", [Probe.TCP_RR], options, 2, twin=True)
    found = measurement_store.load_waiting()
    assert [one.id for one in found] == [first, second]
    assert (found[0].probes, found[0].options, found[0].seed, found[1].twin) == ((Probe.HTTP,), options, 1, True)


def test_a_series_is_found_again_in_other_runs() -> None:
    measured()
    measured()
    signature = series_signature(LOOPBACK, MODES, Options())
    points = measurement_history.history(signature)
    assert len(points) == 2
    assert points[0]["p50_us"] == pytest.approx(11.0)
    known = {one["signature"]: one["runs"] for one in measurement_history.signatures()}
    assert known[signature] == 2
