"""The HTTP API of measurements: starts, reads and cancels them, and returns distributions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.histogram import cumulative_shares, merge_histograms
from dashboard.core.training.group_quota import RunKind
from dashboard.models import MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.web.http.api_responses import Refusal, Started, json_response
from dashboard.web.measurements.serializers import describe_runs, show_run
from dashboard.web.measurements.views import InvalidOptionsError, start_run
from dashboard.web.service import service
from dashboard.web.training.group_access import group_filter, may_open

router = Router(tags=["measurements"])
POINTS = 200


class InvalidMeasurement(Refusal):
    """Why a measurement was refused. ``problems`` contains one sentence for each problem."""

    problems: list[str] = Field(default_factory=list)


class MeasurementIn(Schema):
    """The id of the experiment to measure, and the fields of the form that starts a measurement."""

    model_config = ConfigDict(extra="forbid")
    experiment: str
    probe: list[str] = Field(default_factory=lambda: ["tcp-rr"])
    seconds: float | str = 10.0
    payload: int | str = ""
    rate: float | str = ""
    width: float | str = ""
    under_load: bool = False
    conditions: str = str(Conditions.QUIET)
    name: str = "localhost"
    machine: str = ""
    from_machine: list[str] = Field(default_factory=list)


@router.get("/measurements", summary="The newest 200 runs")
def listing(request: HttpRequest, session: str = "") -> HttpResponse:
    """Lists the newest 200 runs outside training sessions. With the id of a ``session`` that you may lead, lists the
    runs of its groups instead."""
    rows = MeasurementRun.objects.filter(**group_filter(session, request.user)).order_by("-created_at")
    return json_response([run for _, run in describe_runs(rows[:200])])


@router.post(
    "/measurements",
    response={201: Started, 400: InvalidMeasurement, 404: Refusal, 409: Refusal},
    summary="Measure an experiment's paths",
)
def create(request: HttpRequest, body: MeasurementIn) -> Any:
    """Queues the run and returns at once. Follow the run at ``/api/measurements/ID`` or over the websocket."""
    if not experiment_store.exists(body.experiment) or not may_open(RunKind.EXPERIMENT, body.experiment, request.user):
        return Status(404, {"detail": "No experiment has this id."})
    try:
        run = start_run(body.experiment, body.model_dump(exclude={"experiment"}), request.user.pk)
    except InvalidOptionsError as error:
        return Status(400, {"detail": str(error), "problems": list(error.sentences)})
    return Status(201, {"id": run, "url": f"/measurements/{run}/"})


@router.get("/measurements/{identity}", response={404: Refusal}, summary="A run with its figures (measurement/1)")
def measurement(request: HttpRequest, identity: str) -> Any:
    """Returns the run, and its figures as ``measurement/1``."""
    shown = show_run(identity)
    if shown is None:
        return Status(404, {"detail": "No measurement has this id."})
    return json_response({"run": shown.run, "measurement": shown.measurement})


@router.get("/measurements/{identity}/distribution", response={404: Refusal}, summary="The distribution of each series")
def distribution(request: HttpRequest, identity: str) -> Any:
    """Returns for each series the cumulative share of requests by duration in microseconds, with at most 200 points."""
    if not measurement_store.exists(identity):
        return Status(404, {"detail": "No measurement has this id."})
    series, blocks = block_store.load_blocks(identity)
    found = []
    for one in series:
        parts = [block.histogram for block in blocks.get(one.key, ()) if block.counts]
        points = cumulative_shares(merge_histograms(parts), POINTS) if parts else ()
        found.append({"key": one.key, "points": points})
    return json_response({"series": found})


@router.post(
    "/measurements/{identity}/cancel",
    response={202: dict, 404: Refusal},
    summary="Cancel a run; finished blocks are kept",
)
def cancel(request: HttpRequest, identity: str) -> Any:
    """Cancels the run within a second. Finished blocks are kept."""
    if not measurement_store.exists(identity):
        return Status(404, {"detail": "No measurement has this id."})
    wanted = measurement_store.want_cancelled(identity)
    service.wake()
    return Status(202, {"cancelled": wanted})
