"""Requested runs begin, wait, or fail with a reason."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import responder_experiment
from dashboard.lab import reconciler
from dashboard.lab.context import Context
from dashboard.lab.measurements import worker as measurement_worker
from dashboard.lab.measurements.worker import MeasurementWorker
from dashboard.models import MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import RequestedRun
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually, others_run
from tests.support.specs import make_spec


def state_of(run: str) -> tuple[str, str]:
    row = MeasurementRun.objects.get(pk=run)
    return row.state, row.stop_reason


async def ends(lab_harness: LabHarness, run: str, deadline_s: float = 30.0) -> tuple[str, str]:
    async def ended() -> tuple[str, str] | None:
        found = await lab_harness.database.run(state_of, run)
        return None if found[0] in {measurement_store.WAITING, measurement_store.RUNNING} else found

    found: tuple[str, str] = await eventually(ended, deadline_s)
    return found


def create_cancelled(experiment: str, probes: list[Probe], *, twin: bool = False) -> str:
    """The id of a new run that is cancelled before any pass of the lab can see it."""
    run = measurement_store.create_run(experiment, "t", probes, Options(seconds=1.0), 3, twin=twin)
    assert measurement_store.want_cancelled(run)
    return run


async def test_a_run_with_a_twin_launches_measures_and_ends_it(lab_harness: LabHarness) -> None:
    database, expected = lab_harness.database, {"loopback", "bridge-address", "published-proxy"}
    for seconds in (3.0, 12.0):
        twin = await database.run(experiment_store.create_experiment, responder_experiment(make_spec("host", "bridge")))
        options = Options(seconds=seconds, rate=500.0)
        run = await database.run(measurement_store.create_run, twin, "t", [Probe.TCP_RR], options, 3, twin=True)
        lab_harness.lab.wake()
        assert (await ends(lab_harness, run, 60.0))[0] == measurement_store.FINISHED
        await lab_harness.reaches(twin, Phase.STOPPED)
        found = await database.run(measurement_store.load_measurement, run)
        assert found is not None
        measured = {one.path for one in found.series if one.n}
        if measured >= expected:
            break  # on a busy machine three seconds may be over before each path has had its turn
    assert measured >= expected


async def test_the_headline_is_shown_on_the_experiment_that_the_twin_replaces(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("host", "bridge")
    twin = await lab_harness.database.run(
        experiment_store.create_experiment, responder_experiment(make_spec("host", "bridge"))
    )
    run = await lab_harness.database.run(
        measurement_store.create_run,
        twin,
        "t",
        [Probe.TCP_RR],
        Options(seconds=1.5, rate=500.0),
        3,
        twin=True,
        source=experiment,
    )
    lab_harness.lab.wake()
    await ends(lab_harness, run)

    async def shown() -> bool:
        head = (await lab_harness.view(experiment)).head
        return head is not None and head.measurement == run

    assert await eventually(shown)
    head = (await lab_harness.view(experiment)).head
    assert head is not None
    inconclusive = await lab_harness.database.run(measurement_store.is_inconclusive, run)
    headline = await lab_harness.database.run(measurement_store.load_headline, run)
    assert head.measured == ("" if inconclusive else headline)
    await lab_harness.stop(experiment)


async def test_a_run_of_an_experiment_that_does_not_run_is_given_up_with_a_sentence(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("none")
    await lab_harness.stop(experiment)
    run = await lab_harness.database.run(
        measurement_store.create_run, experiment, "t", [Probe.HTTP], Options(seconds=1.0), 3
    )
    lab_harness.lab.wake()
    assert await ends(lab_harness, run) == (
        measurement_store.FAILED,
        "The experiment is not running. Launch it again first.",
    )


async def test_a_run_whose_experiment_was_removed_before_it_started_has_a_reason(lab_harness: LabHarness) -> None:
    def create_and_remove() -> str:
        """In one call, between whose parts no pass of the lab can launch the experiment."""
        experiment = experiment_store.create_experiment(make_spec("none"))
        run = measurement_store.create_run(experiment, "t", [Probe.HTTP], Options(seconds=1.0), 3)
        experiment_store.delete(experiment)
        return run

    run = await lab_harness.database.run(create_and_remove)
    lab_harness.lab.wake()
    assert await ends(lab_harness, run) == (
        measurement_store.FAILED,
        "The experiment was removed before it could be measured: launch it again.",
    )


async def test_a_run_that_is_cancelled_before_it_starts_has_a_reason(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("none")
    run = await lab_harness.database.run(create_cancelled, experiment, [Probe.HTTP])
    lab_harness.lab.wake()
    assert (await ends(lab_harness, run))[0] == measurement_store.CANCELLED
    await lab_harness.stop(experiment)


async def queue_twin(fake_lab: LabHarness, twin: str) -> str:
    """Queues a run whose twin is already running."""
    run = await fake_lab.database.run(
        measurement_store.create_run, twin, "t", [Probe.TCP_RR], Options(seconds=1.0), 3, twin=True
    )
    fake_lab.lab.wake()
    return run


def turn_of_another(fake_lab: LabHarness) -> asyncio.Lock:
    """The lock that a run on another host holds while it is measured."""
    worker = fake_lab.lab._measurer
    assert worker is not None
    return worker._turn


async def cancel_while_it_waits(fake_lab: LabHarness, twin: str) -> str:
    """Queues a run and requests its cancellation once it waits for its turn. Returns the id of the run."""
    worker = fake_lab.lab._measurer
    assert worker is not None
    run = await queue_twin(fake_lab, twin)
    await eventually(lambda: worker._task is not None)
    assert await fake_lab.database.run(measurement_store.want_cancelled, run)
    return run


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that got their turn. None of them begins or ends by itself."""
    ids: list[str] = []

    async def measure(_context: Context, _driver: object, request: RequestedRun, **_options: Any) -> None:
        ids.append(request.id)
        await asyncio.Event().wait()

    monkeypatch.setattr(measurement_worker, "measure_paths", measure)
    return ids


async def test_a_waiting_run_is_cancelled_while_another_is_measured(fake_lab: LabHarness, measured: list[str]) -> None:
    """Only the measurement itself ends the run that has its turn, also before this run begins."""
    twin = await fake_lab.running("host")
    first = await queue_twin(fake_lab, await fake_lab.running("host"))
    await eventually(lambda: measured)
    second = await queue_twin(fake_lab, twin)
    for run in (first, second):
        assert await fake_lab.database.run(measurement_store.want_cancelled, run)
    fake_lab.lab.wake()
    expected = (measurement_store.CANCELLED, "It was cancelled before it started.")
    assert await ends(fake_lab, second) == expected
    await fake_lab.reaches(twin, Phase.STOPPED)
    assert await fake_lab.database.run(state_of, first) == (measurement_store.WAITING, "")
    assert measured == [first]


async def test_a_run_that_waits_for_a_run_on_another_host_is_cancelled_at_once(
    fake_lab: LabHarness, measured: list[str]
) -> None:
    twin = await fake_lab.running("host")
    async with turn_of_another(fake_lab):
        run = await cancel_while_it_waits(fake_lab, twin)
        fake_lab.lab.wake()
        assert (await ends(fake_lab, run))[0] == measurement_store.CANCELLED
        await fake_lab.reaches(twin, Phase.STOPPED)
    following = await queue_twin(fake_lab, await fake_lab.running("host"))
    await eventually(lambda: measured)
    assert measured == [following]


async def test_a_run_that_was_cancelled_while_it_waited_is_not_measured(
    fake_lab: LabHarness, measured: list[str]
) -> None:
    """The cancellation precedes the next pass of the lab."""
    twin = await fake_lab.running("host")
    async with turn_of_another(fake_lab):
        run = await cancel_while_it_waits(fake_lab, twin)
    assert (await ends(fake_lab, run))[0] == measurement_store.CANCELLED
    await fake_lab.reaches(twin, Phase.STOPPED)
    assert measured == []


class YieldingDatabase:
    """One waiting run; every call lets other tasks run first."""

    async def run(self, function: Any, *_arguments: Any) -> Any:
        await others_run()
        request = measurement_store.RequestedRun("run", "experiment", (Probe.HTTP,), Options(), 1, twin=False)
        return (request,) if function is measurement_store.load_waiting else False


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that a worker has started."""
    ids: list[str] = []

    async def measure(_worker: MeasurementWorker, request: measurement_store.RequestedRun, _run: object) -> None:
        ids.append(request.id)
        await asyncio.Event().wait()

    monkeypatch.setattr(MeasurementWorker, "_measure", measure)
    return ids


@pytest.fixture
def worker() -> MeasurementWorker:
    """A worker with one waiting run, whose experiment is running."""
    driver = SimpleNamespace(view=SimpleNamespace(head=SimpleNamespace(phase=Phase.RUNNING)))
    context: Any = SimpleNamespace(database=YieldingDatabase(), host="")
    return MeasurementWorker(context, lambda _experiment: driver, lambda: None)  # type: ignore[arg-type, return-value]


async def test_a_worker_that_is_closed_starts_no_run(worker: MeasurementWorker, started: list[str]) -> None:
    starting = asyncio.ensure_future(worker.start_next())
    await others_run()
    await worker.close()
    await starting
    await worker.start_next()
    await others_run()
    assert started == []


async def test_concurrent_wake_ups_start_a_run_once(worker: MeasurementWorker, started: list[str]) -> None:
    await asyncio.gather(worker.start_next(), worker.start_next())
    await others_run()
    await worker.close()
    assert started == ["run"]


@pytest.mark.parametrize(("store", "function"), [(measurement_store, "fail_run"), (experiment_store, "set_wanted")])
@pytest.mark.parametrize("starts", [True, False])
async def test_the_end_of_a_run_is_stored_once_the_database_answers_again(
    fake_lab: LabHarness,
    fake: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    store: Any,
    function: str,
    starts: bool,
) -> None:
    """Both for a run that fails while it is measured and for one that is cancelled before it starts."""
    real = getattr(store, function)
    left = iter(range(2))

    def locked(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is not None:
            raise OperationalError("database is locked")
        return real(*arguments, **options)

    async def measure(*_arguments: Any, **_options: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(reconciler, "RETRY_S", 0.05)
    monkeypatch.setattr(measurement_worker, "measure_paths", measure)
    twin = await fake_lab.running("host")
    monkeypatch.setattr(store, function, locked)
    if starts:
        run = await fake_lab.database.run(
            measurement_store.create_run, twin, "t", [Probe.TCP_RR], Options(seconds=1.0), 3, twin=True
        )
    else:
        run = await fake_lab.database.run(partial(create_cancelled, twin, [Probe.TCP_RR], twin=True))
    fake_lab.lab.wake()
    expected = (
        (measurement_store.FAILED, "The measurement failed: server closed the connection.")
        if starts
        else (measurement_store.CANCELLED, "It was cancelled before it started.")
    )
    assert await ends(fake_lab, run) == expected
    await fake_lab.reaches(twin, Phase.STOPPED)
    assert fake.made == {}
