"""Measurements on pages and in the API: requested runs are stored, and runs that cannot be measured are refused with
the reason."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from django.test import Client

from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.operations.storage import DiskUsage
from dashboard.core.paths.model import Path, PathKind
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, parts
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.clients import load_clients
from dashboard.store.operations import storage
from dashboard.web.measurements import views
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}


@pytest.fixture
def experiment() -> str:
    return experiment_store.create_experiment(make_spec("host", "bridge"))


def series(column: str, kind: PathKind) -> Series:
    path = Path(kind, f"{kind} of {column}", "machine", column, address="127.0.0.1", port=8080, hops=("lo",))
    return Series(path.key, path, Probe.TCP_RR)


def measured(experiment: str, rounds: int = 12, keys: tuple[str, str] = ("host", "bridge")) -> str:
    run = measurement_store.create_run(experiment, "nginx on port 80", [Probe.TCP_RR], Options(), 7)
    both = (series(keys[0], PathKind.LOOPBACK), series(keys[1], PathKind.PUBLISHED_PROXY))
    modes = dict(zip(keys, ("host", "bridge"), strict=True))
    measurement_store.begin_run(run, both, (), Environment(kernel="6.18"), modes)
    for number in range(rounds):
        for one, us in zip(both, (10.0, 40.0), strict=True):
            value = us + number % 3
            block = Block(
                one.key,
                number,
                float(number),
                0.1,
                50,
                center_us=value,
                p50_us=value,
                p99_us=value,
                histogram=encode_times([round(value * 1000)] * 50),
            )
            block_store.add_block(run, block)
    measurement_store.finish_run(run, Stop.TIME, "The time of 10 s is up.", 10.0, Environment(kernel="6.18"), {})
    measurement_store.save_headline(run)
    return run


def test_a_measurement_with_a_responder_launches_the_same_arms_again(owner: Client, experiment: str) -> None:
    answer = owner.post(f"/experiments/{experiment}/measure/", {"probe": "tcp-rr", "seconds": "2"}, **HERE)
    assert answer.status_code == 302
    run = MeasurementRun.objects.get()
    assert answer["Location"] == f"/measurements/{run.pk}/"
    assert (run.twin, run.state, run.probes) == (True, "waiting", "tcp-rr")
    assert run.experiment_id != experiment
    twin = experiment_store.load(str(run.experiment_id))
    assert twin is not None
    assert [arm.command for arm in twin.spec.arms] == [("sleep", "86400")] * 2
    page = owner.get(answer["Location"]).content.decode()
    assert f'href="/experiments/{experiment}/">The experiment' in page, "the one that was measured, not its twin"


def test_http_is_requested_from_the_running_containers(owner: Client, experiment: str) -> None:
    owner.post(f"/experiments/{experiment}/measure/", {"probe": "http"}, **HERE)
    run = MeasurementRun.objects.get()
    assert (run.twin, run.experiment_id) == (False, experiment)
    assert Experiment.objects.count() == 1


def test_the_machine_to_measure_on_is_not_another_one(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form offers all machines of the experiment, because only a style sheet can hide the chosen one."""
    monkeypatch.setattr(views, "other_machines", lambda machine: {"server": ""} if machine == "lab2" else {})
    machines.register("lab2", {}, MachineFacts())
    whole = parts.create(make_spec("host", machines=["server", "lab2"]))
    fields = {"probe": "http", "machine": "lab2", "from_machine": ["lab2", "server"]}
    assert owner.post(f"/experiments/{whole}/measure/", fields, **HERE).status_code == 302
    run = MeasurementRun.objects.get()
    assert (run.machine_id, load_clients(run.pk)) == ("lab2", ("server",))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"seconds": "0"}, "The time limit must be 0.5 to 3600 seconds, not 0."),
        ({"seconds": "86400"}, "The time limit must be 0.5 to 3600 seconds, not 86400."),
        ({"seconds": "soon"}, "The duration must be a number, not “soon”."),
        ({"seconds": "nan"}, "The time limit must be 0.5 to 3600 seconds, not nan."),
        ({"rate": "0"}, "The rate must be 1 to 100,000 requests per second, not 0."),
        ({"payload": "64.5"}, "The payload must be a whole number, not “64.5”."),
        ({"payload": "9" * 5000}, "The payload must be a whole number, not “9999"),
        ({"payload": "10000000000"}, "The payload must be 1 to 1048576 bytes, not 10000000000."),
        ({"payload": "-5"}, "The payload must be 1 to 1048576 bytes, not -5."),
        ({"conditions": "loud"}, "Unknown conditions “loud”: choose quiet or ordinary."),
        ({"probe": "icmp"}, "There is no probe “icmp”"),
        ({"probe": ["http", "tcp-rr"]}, "measure them separately"),
    ],
)
def test_an_invalid_measurement_is_refused_with_a_sentence_and_leaves_nothing(
    owner: Client, experiment: str, typed: dict[str, Any], sentence: str
) -> None:
    answer = owner.post(f"/experiments/{experiment}/measure/", typed, **HERE)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert MeasurementRun.objects.count() == 0
    assert Experiment.objects.count() == 1


def test_a_full_disk_keeps_the_entered_values(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    monkeypatch.setattr(storage, "disk_usage", lambda: DiskUsage(95, 5))
    answer = owner.post(
        f"/experiments/{experiment}/measure/", {"probe": "tcp-rr", "seconds": "7.25", "payload": "321"}, **HERE
    )
    page = answer.content.decode()
    assert answer.status_code == 507
    assert "95% of the disk" in page
    assert 'value="7.25"' in page
    assert 'value="321"' in page


def test_conditions_are_stored_and_shown(owner: Client, experiment: str) -> None:
    for typed, stored in (({}, "quiet"), ({"conditions": ""}, "quiet"), ({"conditions": "ordinary"}, "ordinary")):
        answer = owner.post(f"/experiments/{experiment}/measure/", {"probe": "http", **typed}, **HERE)
        run = answer["Location"].split("/")[-2]
        assert owner.get(f"/api/measurements/{run}").json()["measurement"]["options"]["conditions"] == stored
        assert f"<dd>{stored}: " in owner.get(answer["Location"]).content.decode()
        assert next(one for one in owner.get("/api/measurements").json() if one["id"] == run)["conditions"] == stored


def test_the_api_refuses_unknown_conditions(owner: Client, experiment: str) -> None:
    body = {"experiment": experiment, "probe": ["http"], "conditions": "loud"}
    answer = owner.post("/api/measurements", body, content_type="application/json", **HERE)
    assert answer.status_code == 400
    assert answer.json()["problems"] == ["Unknown conditions “loud”: choose quiet or ordinary."]
    body["conditions"] = "ordinary"
    assert owner.post("/api/measurements", body, content_type="application/json", **HERE).status_code == 201


def test_a_finished_run_shows_its_verdict_and_every_path(owner: Client, experiment: str) -> None:
    page = owner.get(f"/measurements/{measured(experiment)}/").content.decode()
    for text in ("host/loopback", "bridge/published-proxy", "slower", "The time of 10 s is up."):
        assert text in page


def test_a_column_with_a_name_of_its_own_keeps_its_mode_in_every_part(owner: Client) -> None:
    arms = [{"mode": "host", "key": "web"}, {"mode": "bridge", "key": "inside"}]
    run = measured(experiment_store.create_experiment(make_spec(arms=arms)), keys=("web", "inside"))
    page = owner.get(f"/measurements/{run}/").content.decode()
    main = page.partition("<main")[2]
    assert set(re.findall(r'data-mode="([^"]+)"', main)) == {"host", "bridge"}
    drawn = json.loads(re.findall(r'id="chart-data"[^>]*>(.*?)</script>', page)[0])
    assert {one["key"]: one["mode"] for one in drawn["series"]} == {
        "web/loopback": "host",
        "inside/published-proxy": "bridge",
    }


def test_before_a_run_begins_columns_have_the_modes_of_its_experiment(experiment: str) -> None:
    run = measurement_store.create_run(experiment, "t", [Probe.HTTP], Options(), 1)
    assert measurement_store.column_modes(run) == {"host": "host", "bridge": "bridge"}


def test_runs_are_listed_and_a_series_is_followed_over_time(owner: Client, experiment: str) -> None:
    first, second = measured(experiment), measured(experiment)
    page = owner.get("/measurements/").content.decode()
    assert f"/measurements/{first}/" in page
    assert ">127.0.0.1 → published port (docker-proxy)</a>" in page
    signature = series_signature(series("bridge", PathKind.PUBLISHED_PROXY), {"bridge": "bridge"}, Options())
    history = owner.get("/measurements/history/", {"signature": signature})
    assert history.status_code == 200
    assert "<h1>127.0.0.1 → published port (docker-proxy) <code" in history.content.decode()
    assert f"/measurements/{second}/" in history.content.decode()
    assert owner.get("/measurements/history/", {"signature": "nothing"}).status_code == 404


def test_a_listed_series_without_a_successful_block_has_a_page(owner: Client, experiment: str) -> None:
    measured(experiment, rounds=0)
    links = re.findall(r'href="(/measurements/history/[^"]+)"', owner.get("/measurements/").content.decode())
    assert len(links) == 2
    for link in links:
        answer = owner.get(link)
        assert answer.status_code == 200
        assert "0 points. " in answer.content.decode()
        assert "No chart" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_experiment_lists_its_measurements(owner: Client, experiment: str) -> None:
    assert "Measurements of this experiment" not in owner.get(f"/experiments/{experiment}/").content.decode()
    run = measured(experiment)
    page = owner.get(f"/experiments/{experiment}/").content.decode()
    listed = page[page.index("Measurements of this experiment") :]
    assert f'href="/measurements/{run}/"' in listed[: listed.index("</ul>")]
    assert MeasurementRun.objects.get(pk=run).headline in listed


def test_a_run_that_cannot_be_read_is_missing_in_lists_and_breaks_no_page(owner: Client, experiment: str) -> None:
    good, bad = measured(experiment), measured(experiment)
    MeasurementRun.objects.filter(pk=bad).update(options="x")
    for path in ("/measurements/", "/api/measurements"):
        answer = owner.get(path)
        assert answer.status_code == 200
        assert f"/measurements/{good}/" in answer.content.decode()
        assert f"/measurements/{bad}/" not in answer.content.decode()


@pytest.mark.parametrize("step_s", [0.0, 3600.0, -3600.0])
def test_progress_is_shown_by_the_monotonic_clock_of_the_run(
    owner: Client, experiment: str, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    run = measured(experiment, rounds=3)
    MeasurementRun.objects.filter(pk=run).update(
        state=measurement_store.RUNNING, driver=experiment_store.this_process(), elapsed_s=0.0
    )
    really = time.time
    monkeypatch.setattr(time, "time", lambda: really() + step_s)
    told = owner.get(f"/api/measurements/{run}").json()["run"]
    assert (told["elapsed_s"], told["remaining_s"]) == (pytest.approx(2.1), pytest.approx(7.9))


@pytest.mark.parametrize("state", [measurement_store.FAILED, measurement_store.INCOMPLETE])
def test_a_run_that_ended_unexpectedly_lasted_to_the_end_of_its_newest_block(
    owner: Client, experiment: str, state: str
) -> None:
    run = measured(experiment, rounds=3)
    MeasurementRun.objects.filter(pk=run).update(state=state, elapsed_s=0.0, result="")
    answer = owner.get(f"/api/measurements/{run}").json()
    assert (answer["run"]["elapsed_s"], answer["measurement"]["elapsed_s"]) == (pytest.approx(2.1), pytest.approx(2.1))


def test_cancelling_is_requested_and_not_immediate(owner: Client, experiment: str) -> None:
    run = measurement_store.create_run(experiment, "t", [Probe.HTTP], Options(), 1)
    assert owner.post(f"/measurements/{run}/cancel/", **HERE).status_code == 302
    assert measurement_store.is_cancelled(run)


@pytest.mark.parametrize("path", ["", "cancel/"])
def test_a_missing_run_is_404(owner: Client, path: str) -> None:
    ask = owner.post if path else owner.get
    assert ask(f"/measurements/nothing/{path}", **HERE).status_code == 404


def test_the_api_starts_shows_and_cancels(owner: Client, experiment: str) -> None:
    body = json.dumps({"experiment": experiment, "probe": ["http"], "seconds": 3})
    answer = owner.post("/api/measurements", body, content_type="application/json", **HERE)
    assert answer.status_code == 201, answer.content
    run = answer.json()["id"]
    assert owner.get(f"/api/measurements/{run}").json()["run"]["state"] == "waiting"
    assert owner.post(f"/api/measurements/{run}/cancel", content_type="application/json", **HERE).status_code == 202
    wrong = json.dumps({"experiment": experiment, "seconds": 0})
    refused = owner.post("/api/measurements", wrong, content_type="application/json", **HERE)
    assert refused.status_code == 400
    assert "not 0." in refused.json()["detail"]


def test_the_api_names_an_unknown_field(owner: Client) -> None:
    body = json.dumps({"experiment": "nobody", "probe": ["http"]})
    answer = owner.post("/api/measurements", body, content_type="application/json", **HERE)
    assert (answer.status_code, answer.json()["detail"]) == (404, "No experiment has this id.")


def test_the_distribution_rises_to_one(owner: Client, experiment: str) -> None:
    found = owner.get(f"/api/measurements/{measured(experiment)}/distribution").json()["series"]
    assert [one["key"] for one in found] == ["host/loopback", "bridge/published-proxy"]
    for one in found:
        shares = [share for _, share in one["points"]]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)
        assert len(one["points"]) <= 200
