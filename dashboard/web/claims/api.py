"""The HTTP API of claims and misconceptions: lists and runs them, returns and cancels runs."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from dashboard.core.claims.misconceptions import all_misconceptions, find_misconception
from dashboard.store import claim_runs
from dashboard.web.claims.presenters import show_catalogue
from dashboard.web.claims.views import start_misconception, start_run
from dashboard.web.http.api_responses import Refusal, Started, json_response
from dashboard.web.service import service
from dashboard.web.training.group_access import group_filter

router = Router(tags=["claims"])
NO_RUN = "This run of claims does not exist."


class RunIn(Schema):
    """The ids of the claims to run. Without ids, all claims run."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] = Field(default_factory=list, max_length=1000)


class PredictionIn(Schema):
    """The prediction: the index of the predicted choice, from 0."""

    model_config = ConfigDict(extra="forbid")
    prediction: int


@router.get("/claims", summary="Every claim, with its newest outcome")
def listing(request: HttpRequest) -> HttpResponse:
    """Lists each claim with its statement, source and command lines. A claim that has run also has a verdict and
    evidence."""
    return json_response(show_catalogue(claim_runs.newest_outcomes()))


@router.get("/claims/runs", summary="The newest runs of claims")
def runs(request: HttpRequest, session: str = "") -> HttpResponse:
    """Lists the newest runs of claims on the server's own engine, without the outcomes of the claims. With the id of a
    ``session`` that you may lead, lists the runs of its groups instead."""
    if session:
        group_filter(session, request.user)
        return json_response(claim_runs.session_runs(session))
    return json_response(claim_runs.list_runs(100))


@router.post(
    "/claims/runs",
    response={201: Started, 400: Refusal, 409: Refusal},
    summary="Run the named claims, or all",
)
def create(request: HttpRequest, body: RunIn) -> Any:
    """Queues the run and returns at once. Follow the run at ``/api/claims/runs/ID``."""
    try:
        run = start_run(body.ids, request.user.pk)
    except ValueError as error:
        return Status(400, {"detail": str(error)})
    return Status(201, {"id": run, "url": f"/claims/runs/{run}/"})


@router.get(
    "/claims/runs/{identity}", response={404: Refusal}, summary="A run: its progress and its results (claims/1)"
)
def one_run(request: HttpRequest, identity: str) -> Any:
    """Returns a run and its progress. ``claims`` contains the claims that have been executed so far."""
    found = claim_runs.load_run(identity)
    if found is None:
        return Status(404, {"detail": NO_RUN})
    outcomes = claim_runs.outcomes(identity)
    return json_response(
        {"run": found, "claims": [outcome.executed for outcome in outcomes if outcome.executed is not None]}
    )


@router.post(
    "/claims/runs/{identity}/cancel", response={202: dict, 404: Refusal}, summary="Cancel a run; its results are kept"
)
def cancel(request: HttpRequest, identity: str) -> Any:
    """Cancels the run within a second or two, and removes everything that it created."""
    if not claim_runs.exists(identity):
        return Status(404, {"detail": NO_RUN})
    wanted = claim_runs.request_cancel(identity)
    service.wake()
    return Status(202, {"cancelled": wanted})


@router.get("/misconceptions", summary="Every misconception: expectation and question")
def misconceptions(request: HttpRequest) -> HttpResponse:
    """Lists all misconceptions: what people expect, the question, and the choices. Run one to see what happens."""
    names = ("id", "title", "expected", "question", "choices")
    return json_response(
        [
            {name: getattr(each, name) for name in names} | {"lines": each.claim.shown_lines}
            for each in all_misconceptions()
        ]
    )


@router.post(
    "/misconceptions/{name}",
    response={201: Started, 400: Refusal, 404: Refusal, 409: Refusal},
    summary="Run a misconception, with a prediction",
)
def run_misconception(request: HttpRequest, name: str, body: PredictionIn) -> Any:
    """Queues the run and returns at once. Follow the run at ``/api/claims/runs/ID``."""
    misconception = find_misconception(name)
    if misconception is None:
        return Status(404, {"detail": "There is no misconception with this name."})
    try:
        run = start_misconception(misconception, str(body.prediction), request.user.pk)
    except ValueError as error:
        return Status(400, {"detail": str(error)})
    return Status(201, {"id": run, "url": f"/misconceptions/{misconception.id}/?run={run}"})
