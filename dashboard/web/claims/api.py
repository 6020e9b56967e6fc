"""Claims and misconceptions over HTTP: what there is, run, follow, cancel."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from dashboard.core.claims.misconceptions import all_misconceptions, misconception
from dashboard.core.experiments.messages import encode
from dashboard.store import claim_runs
from dashboard.web.claims.presenters import show_catalogue
from dashboard.web.claims.views import start_misconception, start_run
from dashboard.web.http.refusal import Refusal
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.group_access import group_filter

router = Router(tags=["claims"])
NO_RUN = "There is no run of claims with this number."


class RunIn(Schema):
    """Which claims shall be executed; none named: all."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] = Field(default_factory=list, max_length=1000)


class PredictionIn(Schema):
    """The number of the choice that is predicted, from 0."""

    model_config = ConfigDict(extra="forbid")
    prediction: int


class Started(Schema):
    """A run that is wanted."""

    id: str
    url: str


def _json(value: object) -> HttpResponse:
    return HttpResponse(encode(value), content_type="application/json")


@router.get("/claims", summary="Every claim, with its newest outcome")
def listing(request: HttpRequest) -> HttpResponse:
    """Statement, source, lines; verdict and evidence where it was executed."""
    return _json(show_catalogue(claim_runs.newest_outcomes()))


@router.get("/claims/runs", summary="The newest runs of claims")
def runs(request: HttpRequest, session: str = "") -> HttpResponse:
    """Without their outcomes. On the server's own engine, or with ``session`` those of a class of yours."""
    if session:
        group_filter(session, request.user)
        return _json([run for _group, _claim, run in claim_runs.of_session(session)])
    return _json(claim_runs.history(100))


@router.post(
    "/claims/runs",
    response={201: Started, 400: Refusal, 409: Refusal},
    summary="Execute claims, all where none is named",
)
def create(request: HttpRequest, body: RunIn) -> Any:
    """Answers at once; follow it at ``/api/claims/runs/ID``."""
    try:
        run = start_run(body.ids, request.user.pk)
    except ValueError as error:
        return Status(400, {"detail": str(error)})
    except LabUnavailableError as error:
        return Status(409, {"detail": str(error)})
    return Status(201, {"id": run, "url": f"/claims/runs/{run}/"})


@router.get("/claims/runs/{identity}", response={404: Refusal}, summary="A run: how far it is, and claims/1")
def one_run(request: HttpRequest, identity: str) -> Any:
    """``claims`` holds those that are done."""
    found = claim_runs.describe(identity)
    if found is None:
        return Status(404, {"detail": NO_RUN})
    outcomes = claim_runs.outcomes(identity)
    return _json({"run": found, "claims": [one.executed for one in outcomes if one.executed is not None]})


@router.post(
    "/claims/runs/{identity}/cancel", response={202: dict, 404: Refusal}, summary="End a run; what it found is kept"
)
def cancel(request: HttpRequest, identity: str) -> Any:
    """Ends it within a second or two, and removes what it made."""
    if not claim_runs.exists(identity):
        return Status(404, {"detail": NO_RUN})
    wanted = claim_runs.want_cancelled(identity)
    service.wake()
    return Status(202, {"cancelled": wanted})


@router.get("/misconceptions", summary="Every misconception: what people expect, and the question")
def misconceptions(request: HttpRequest) -> HttpResponse:
    """What happens is found by running it."""
    names = ("id", "title", "expected", "question", "choices")
    found = [
        {name: getattr(one, name) for name in names} | {"lines": one.claim.shown_lines} for one in all_misconceptions()
    ]
    return _json(found)


@router.post(
    "/misconceptions/{name}",
    response={201: Started, 400: Refusal, 404: Refusal, 409: Refusal},
    summary="Execute a misconception, with a prediction",
)
def run_misconception(request: HttpRequest, name: str, body: PredictionIn) -> Any:
    """Answers at once; follow it at ``/api/claims/runs/ID``."""
    one = misconception(name)
    if one is None:
        return Status(404, {"detail": "There is no misconception with this name."})
    try:
        run = start_misconception(one, str(body.prediction), request.user.pk)
    except ValueError as error:
        return Status(400, {"detail": str(error)})
    except LabUnavailableError as error:
        return Status(409, {"detail": str(error)})
    return Status(201, {"id": run, "url": f"/misconceptions/{one.id}/?run={run}"})
