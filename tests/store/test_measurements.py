"""Measurements in the database."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.networks import MAX_NETWORKS
from dashboard.core.experiments.validation import MAX_KEY
from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series, make_series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.namespaces.state import Family
from dashboard.core.operations.machines import MAX_NAME
from dashboard.core.paths.model import MEASURED_KINDS, Path, PathKind
from dashboard.models import MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.store import experiments as experiment_store
from dashboard.store import measurement_history
from dashboard.store import measurements as measurement_store
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db

LOOPBACK = Series(
    "host/loopback", Path(PathKind.LOOPBACK, "loopback", "machine", "host", address="127.0.0.1"), Probe.TCP_RR
)
PROXY = Series(
    "bridge/published-proxy",
    Path(PathKind.PUBLISHED_PROXY, "proxy", "machine", "bridge", address="127.0.0.1"),
    Probe.TCP_RR,
)
MISSING = (
    (Path(PathKind.PUBLISHED_DNAT, "dnat", "machine", "host", unavailable="discarded"), Probe.TCP_RR, "discarded"),
)
MODES = {"host": "host", "bridge": "bridge"}


def block(series: str, number: int, us: float) -> Block:
    times = [round(us * 1000)] * 50
    return Block(
        series,
        number,
        float(number),
        0.1,
        50,
        center_us=us,
        p50_us=us,
        p90_us=us,
        p99_us=us,
        p999_us=us,
        max_us=us,
        mean_us=us,
        histogram=encode_times(times),
    )


def begun(options: Options | None = None) -> str:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    run = measurement_store.create_run(experiment, "a run", [Probe.TCP_RR], options or Options(), 7)
    measurement_store.begin_run(run, (LOOPBACK, PROXY), MISSING, Environment(kernel="6.18"), MODES)
    return run


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


def measured(rounds: int = 12) -> str:
    run = begun()
    for number in range(rounds):
        measurement_store.add_block(run, block("host/loopback", number, 10 + number % 3))
        measurement_store.add_block(run, block("bridge/published-proxy", number, 40 + number % 3))
    return run


def test_acknowledged_blocks_are_loaded_unchanged() -> None:
    run = begun()
    sent = block("host/loopback", 0, 10.0)
    measurement_store.add_block(run, sent)
    series, blocks = measurement_store.load_blocks(run)
    assert series == (LOOPBACK, PROXY)
    assert blocks == {"host/loopback": [sent]}


def test_a_block_that_is_stored_twice_is_kept_once() -> None:
    """A call is repeated if the connection was lost before the server confirmed it."""
    run = begun()
    sent = block("host/loopback", 0, 10.0)
    for _ in range(2):
        measurement_store.add_block(run, sent)
    assert measurement_store.load_blocks(run)[1] == {"host/loopback": [sent]}


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
    assert measurement_store.mark_incomplete() == 0


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


def test_blocks_for_a_chart_come_without_histograms_and_only_the_new_ones() -> None:
    run = measured(2)
    first, newest = measurement_store.light_blocks(run)
    assert len(first) == 4
    assert "histogram" not in first[0]
    assert measurement_store.light_blocks(run, newest) == ((), newest)
    measurement_store.add_block(run, block("host/loopback", 9, 11.0))
    new, _ = measurement_store.light_blocks(run, newest)
    assert [one["round"] for one in new] == [9]


def test_a_series_is_found_again_in_other_runs() -> None:
    measured()
    measured()
    signature = series_signature(LOOPBACK, MODES, Options())
    points = measurement_history.history(signature)
    assert len(points) == 2
    assert points[0]["p50_us"] == pytest.approx(11.0)
    known = {one["signature"]: one["runs"] for one in measurement_history.signatures()}
    assert known[signature] == 2


def test_ten_million_samples_take_little_room() -> None:
    """The size of a block's histogram depends on the spread of its times, not on their number."""
    size = [len(encode_times([10_000 + (i * 7919) % 40_000 for i in range(n)])) for n in (20_000, 100_000)]
    assert size[1] < 16_384
    assert size[1] < 2 * size[0]
