"""Measuring the paths of a real experiment."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError
from django.db.models.functions import Now

from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Block, Measurement, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series, make_series
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.machines.client_line import ClientLines
from dashboard.lab.measurements import run as measurement_run
from dashboard.lab.measurements.run import EXPIRED, Plan, measure_paths, plan_series
from dashboard.lab.measurements.worker import MeasurementWorker
from dashboard.latency.runner import Outcome
from dashboard.models import MeasurementClient
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import clients as client_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import RequestedRun
from dashboard.store.reports import saved as saved_reports
from tests.support.lab_harness import LabHarness, fail_first_calls
from tests.support.polling import DEADLINE_S, eventually

SLEEP = "sleep 1000"


@pytest.fixture(autouse=True)
def _nobody_else_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the lab's own worker, which would take the run in its next pass."""

    async def start_next(_measurer: MeasurementWorker) -> None:
        return

    monkeypatch.setattr(MeasurementWorker, "start_next", start_next)


async def ask(lab_harness: LabHarness, experiment: str, probe: Probe, options: Options) -> RequestedRun:
    """Stores the run without waking the lab: the test itself measures."""
    identity = await lab_harness.database.run(measurement_store.create_run, experiment, "t", [probe], options, 7)
    return RequestedRun(identity, experiment, (probe,), options, 7, twin=False)


async def result(lab_harness: LabHarness, run: str) -> Measurement:
    found = await lab_harness.database.run(measurement_store.load_measurement, run)
    assert found is not None
    return found


async def arms_with_a_free_port(lab_harness: LabHarness) -> str:
    arms = [{"mode": mode, "command": SLEEP, "port": 8080, "publish": ["8080/tcp"]} for mode in ("host", "bridge")]
    return await lab_harness.running(arms=arms)


def serves(driver: ExperimentDriver) -> bool:
    """Whether the programs of host and bridge listen."""
    states = driver.view.states
    return all(any(one.port == 80 for one in states[key].listeners) for key in ("host", "bridge"))


@pytest.mark.usefixtures("usual_paths")
async def test_each_path_of_host_and_bridge_is_measured_and_named(lab_harness: LabHarness) -> None:
    experiment = await arms_with_a_free_port(lab_harness)
    run = lab_harness.driver(experiment)
    keys = ("host/loopback", "bridge/bridge-address", "bridge/published-proxy", "bridge/published-dnat")
    for seconds in (3.0, 12.0):
        asked = await ask(lab_harness, experiment, Probe.TCP_RR, Options(seconds=seconds, rate=500.0))
        await measure_paths(lab_harness.context, run, asked)
        found = await result(lab_harness, asked.id)
        by_key = {one.key: one for one in found.series}
        if all(by_key[key].n for key in keys):
            break  # on a busy machine three seconds may be over before each path has had its turn
    for key in keys:
        assert by_key[key].n > 0, by_key[key]
    assert by_key["host/published-dnat"].unavailable
    assert found.stopped is Stop.TIME
    assert found.complete
    assert found.environment.engine
    assert found.environment.userland_proxy is True
    proxy = next(one for one in found.comparisons if one.other == "bridge/published-proxy")
    assert proxy.baseline == "host/loopback"
    assert proxy.delta_us is not None
    assert proxy.delta_us > 0
    await lab_harness.stop(experiment)


async def test_http_asks_the_programs_own_server(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("host", "bridge", publish="18300:80")
    run = lab_harness.driver(experiment)
    await eventually(lambda: serves(run))
    keys = {"host/loopback", "bridge/bridge-address", "bridge/published-proxy"}
    for seconds in (2.5, 12.0):
        asked = await ask(lab_harness, experiment, Probe.HTTP, Options(seconds=seconds, rate=500.0))
        await measure_paths(lab_harness.context, run, asked)
        measured = {one.key for one in (await result(lab_harness, asked.id)).series if one.n > 0}
        if keys <= measured:
            break  # as above
    assert keys <= measured
    await lab_harness.stop(experiment)


async def test_a_container_that_stops_in_the_middle_ends_its_series_and_the_rest_goes_on(
    lab_harness: LabHarness,
) -> None:
    experiment = await lab_harness.running("host", "bridge")
    run = lab_harness.driver(experiment)
    await eventually(lambda: serves(run))
    asked = await ask(lab_harness, experiment, Probe.HTTP, Options(seconds=60.0, rate=500.0, timeout_s=0.2))
    work = asyncio.create_task(measure_paths(lab_harness.context, run, asked))

    async def begun() -> bool:
        return len((await lab_harness.database.run(block_store.light_blocks, asked.id))[0]) >= 6

    await eventually(begun, 20)
    container = next(one.container for one in run.view.columns if one.key == "bridge")
    assert container is not None
    await lab_harness.context.engine.remove_container(container.id)

    async def the_rest_goes_on() -> bool:
        by_key = {one.key: one for one in (await result(lab_harness, asked.id)).series}
        ended, other = by_key["bridge/bridge-address"], by_key["host/loopback"]
        return bool(ended.errors) and other.n > ended.n

    await eventually(the_rest_goes_on)
    assert await lab_harness.database.run(measurement_store.want_cancelled, asked.id)
    await asyncio.wait_for(work, 20)
    await lab_harness.stop(experiment)


async def test_a_cancelled_run_keeps_its_blocks(lab_harness: LabHarness) -> None:
    experiment = await arms_with_a_free_port(lab_harness)
    run = lab_harness.driver(experiment)
    asked = await ask(lab_harness, experiment, Probe.TCP_RR, Options(seconds=60.0))
    work = asyncio.create_task(measure_paths(lab_harness.context, run, asked))

    async def begun() -> bool:
        return bool((await lab_harness.database.run(block_store.light_blocks, asked.id))[0])

    await eventually(begun, 20)
    assert await lab_harness.database.run(measurement_store.want_cancelled, asked.id)
    await asyncio.wait_for(work, 20)
    found = await result(lab_harness, asked.id)
    assert found.stopped is Stop.CANCELLED
    assert not found.complete
    assert sum(one.n for one in found.series) > 0
    await lab_harness.stop(experiment)


async def test_a_path_that_does_not_exist_is_named_with_its_reason(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("none")
    run = lab_harness.driver(experiment)
    plan = plan_series(run, (Probe.TCP_RR,))
    assert plan.series == ()
    assert any("loopback only" in reason for _, _, reason in plan.missing)
    asked = await ask(lab_harness, experiment, Probe.TCP_RR, Options(seconds=60.0))
    await measure_paths(lab_harness.context, run, asked)
    found = await result(lab_harness, asked.id)
    assert found.stopped is Stop.FAILED
    assert found.stop_reason == (
        "There is no path to measure: none has loopback only: no interface leads to it. "
        "Add an arm in host or bridge mode."
    )
    assert [one.unavailable for one in found.series] == ["none has loopback only: no interface leads to it"]
    await lab_harness.reaches(experiment, Phase.RUNNING)
    await lab_harness.stop(experiment)


async def test_a_run_that_waited_too_long_is_measured_without_other_machines(lab_harness: LabHarness) -> None:
    experiment = await lab_harness.running("none")
    run = lab_harness.driver(experiment)
    options, database = Options(seconds=60.0), lab_harness.database
    probes = (Probe.TCP_RR,)
    identity = await database.run(client_store.create_run, ("lab2",), experiment, "t", probes, options, 7)
    await database.run(lambda: MeasurementClient.objects.update(valid_until=Now() - timedelta(seconds=1)))
    asked = RequestedRun(identity, experiment, probes, options, 7, twin=False)
    await measure_paths(lab_harness.context, run, asked, lines=ClientLines())
    found = await result(lab_harness, identity)
    assert [one.unavailable for one in found.series if one.client == "@lab2"] == [EXPIRED.format("lab2")]
    await lab_harness.stop(experiment)


async def test_a_run_with_more_series_than_a_report_may_have_fails_and_can_be_saved(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [Path(PathKind.LOOPBACK, "", "machine", f"arm{number}", address="127.0.0.1") for number in range(200)]
    missing = tuple((replace(path, kind=PathKind.INSIDE), Probe.TCP_RR, "not visible") for path in paths[:57])
    plan = Plan(make_series(paths, [Probe.TCP_RR]), missing)
    monkeypatch.setattr(measurement_run, "plan_series", lambda *_arguments: plan)
    experiment = await fake_lab.running("host")
    asked = await ask(fake_lab, experiment, Probe.TCP_RR, Options(seconds=60.0))
    await measure_paths(fake_lab.context, fake_lab.driver(experiment), asked)
    found = await result(fake_lab, asked.id)
    assert (found.stopped, found.series) == (Stop.FAILED, ())
    assert found.stop_reason.startswith("The run would have 257 series; the limit is 256.")
    assert await fake_lab.database.run(saved_reports.save_measurement, asked.id)


async def replaced(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch, measure: Callable[..., Awaitable[Outcome]]
) -> tuple[ExperimentDriver, RequestedRun]:
    """Requests a measurement of the series of ``BLOCK``, for which ``measure`` is called instead of the real
    function."""
    series = make_series([Path(PathKind.LOOPBACK, "", "machine", "host", address="127.0.0.1")], [Probe.TCP_RR])
    monkeypatch.setattr(measurement_run, "plan_series", lambda *_arguments: Plan(series, ()))
    monkeypatch.setattr(measurement_run, "run_measurement", measure)
    experiment = await fake_lab.running("host")
    asked = await ask(fake_lab, experiment, Probe.TCP_RR, Options(seconds=60.0))
    return fake_lab.driver(experiment), asked


async def test_a_measurement_goes_on_while_the_database_does_not_answer(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("server closed the connection")
    failures: list[Callable[[], float]] = []

    async def measure(
        series: Sequence[Series], *_arguments: Any, on_block: Callable[[Block], Awaitable[None]], **_options: Any
    ) -> Outcome:
        await on_block(Block(series[0].key, 0, 0.0, 0.1, 10, center_us=20.0))
        await eventually(lambda: not any(left() for left in failures))
        return Outcome(Stop.TIME, "The time is up.", 60.0, 1)

    driver, asked = await replaced(fake_lab, monkeypatch, measure)
    monkeypatch.setattr("dashboard.store.database.RETRY_S", 0.0)
    monkeypatch.setattr(measurement_run, "CANCEL_LOOK_S", 0.01)
    failures.append(fail_first_calls(monkeypatch, measurement_store, "is_cancelled", error))
    failures.append(fail_first_calls(monkeypatch, block_store, "add_block", error))
    fail_first_calls(monkeypatch, measurement_store, "finish_run", error)
    await measure_paths(fake_lab.context, driver, asked)
    found = await result(fake_lab, asked.id)
    assert (found.stopped, [one.blocks for one in found.series]) == (Stop.TIME, [1])


async def test_a_cancelled_run_keeps_its_cores_and_why_paths_were_abandoned(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def measure(series: Sequence[Series], *_arguments: Any, refused: dict[str, str], **_options: Any) -> Outcome:
        refused[series[0].key] = "Abandoned after the first block failed: no answer."
        assert await fake_lab.database.run(measurement_store.want_cancelled, asked.id)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("dashboard.latency.environment.pick_cores", lambda: (1, 0))
    driver, asked = await replaced(fake_lab, monkeypatch, measure)
    await measure_paths(fake_lab.context, driver, asked)
    found = await result(fake_lab, asked.id)
    assert found.stopped is Stop.CANCELLED
    assert [one.errors for one in found.series] == [("Abandoned after the first block failed: no answer.",)]
    assert (found.environment.client_core, found.environment.responder_core) == (1, 0)


async def test_another_error_of_the_database_ends_the_measurement(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def measure(*_arguments: Any, **_options: Any) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    driver, asked = await replaced(fake_lab, monkeypatch, measure)
    fail_first_calls(monkeypatch, measurement_store, "is_cancelled", ProgrammingError("no such column"))
    with pytest.raises(ProgrammingError):
        await measure_paths(fake_lab.context, driver, asked)
    assert ended.is_set()


async def test_a_measurement_of_a_server_that_stops_does_not_wait_for_the_database(
    fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def measure(*_arguments: Any, **_options: Any) -> Outcome:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    driver, asked = await replaced(fake_lab, monkeypatch, measure)
    error = OperationalError("server closed the connection")
    fail_first_calls(monkeypatch, measurement_store, "finish_run", error, math.inf)
    task = asyncio.create_task(measure_paths(fake_lab.context, driver, asked))
    await began.wait()
    task.cancel()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(OperationalError):
            await task


def test_a_failed_block_does_not_count() -> None:
    assert not Block("a", 0, 0.0, 0.1, 10, error="refused").counts
