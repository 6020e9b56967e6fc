"""The HTTP API. It returns as JSON what pages show; its OpenAPI documentation is at /api/docs."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema, Status
from ninja.errors import ValidationError
from pydantic import BaseModel, ConfigDict, Field

from dashboard import __version__
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.parts import machine_problems
from dashboard.core.experiments.messages import Comparison
from dashboard.core.experiments.validation import MAX_TITLE, title_problem
from dashboard.core.operations.json_schemas import DOCUMENT_TYPES, schema_of
from dashboard.core.reports.parse import InvalidReportError
from dashboard.export.pdf import NoPdfError
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.reports.listing import ReportNotFoundError
from dashboard.store.reports.snapshot import NotSavedError, describe_engine
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.claims.api import router as claims
from dashboard.web.experiments import machines
from dashboard.web.experiments.command_views import request_launch_again
from dashboard.web.experiments.lan_views import find_host
from dashboard.web.experiments.launch_places import default_machine, machine_names, machine_places
from dashboard.web.experiments.trace_views import traced
from dashboard.web.experiments.views import experiment_items, load_shown, load_snapshot, require_experiment
from dashboard.web.http.api_responses import Refusal, json_response
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements.api import router as measuring
from dashboard.web.operations.api_auth import SessionCookie
from dashboard.web.operations.api_docs import Documentation
from dashboard.web.operations.doctor import run_doctor
from dashboard.web.reports.api import router as reporting
from dashboard.web.service import service
from dashboard.web.training.api import router as sessions
from dashboard.web.training.group_access import group_filter

#: The maximum number of journal entries in one response.
MAX_PAGE = 1000


api = NinjaAPI(title="Netmodes", version=__version__, auth=SessionCookie(), urls_namespace="api", docs=Documentation())


#: The HTTP status for exceptions whose text is returned to the client.
STATUSES: dict[type[Exception], int] = {
    InvalidReportError: 400,
    NotSavedError: 400,
    ReportNotFoundError: 404,
    **dict.fromkeys((parts.PartError, NoHostError, QuotaError, *machines.UNAVAILABLE), 409),
    NoPdfError: 501,
}

api.add_router("", measuring)
api.add_router("", claims)
api.add_router("", reporting)
api.add_router("", sessions)


class Problem(Schema):
    """A field to correct. ``arm`` is the key of the arm, null for a field that all arms share."""

    arm: str | None = None
    field: str
    sentence: str


class InvalidExperiment(Refusal):
    """Why an experiment was refused. ``problems`` lists each field to correct."""

    problems: list[Problem] = Field(default_factory=list)


@api.exception_handler(ValidationError)
def unreadable(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Returns 422 for parameters or a body with the wrong structure, in the format of all other refusals."""
    problems = [
        {"arm": None, "field": str(one["loc"][-1])[:60], "sentence": f"{str(one['loc'][-1])[:60]}: {one['msg']}."}
        for one in error.errors
    ]
    return api.create_response(request, {"detail": problems[0]["sentence"], "problems": problems}, status=422)


def _refuse(request: HttpRequest, error: Exception, status: int) -> HttpResponse:
    return api.create_response(request, {"detail": str(error)}, status=status)


for _error, _status in STATUSES.items():
    api.add_exception_handler(_error, partial(_refuse, status=_status))


class ExperimentIn(BaseModel):
    """An experiment to launch. Each of ``modes`` becomes an arm with the shared options; ``arms`` are further arms with
    their own options."""

    model_config = ConfigDict(extra="allow")
    title: Any = None
    image: Any = None
    port: Any = None
    publish: Any = None
    names: Any = None
    modes: Any = None
    arms: Any = None
    machines: Any = None


class ExperimentOut(Schema):
    """An experiment in a list."""

    id: str
    title: str
    image: str
    port: int
    phase: str
    modes: list[str]
    created_at: str
    url: str


def _out(rows: Iterable[Experiment]) -> list[dict[str, Any]]:
    return [{**item, "created_at": item["created_at"].isoformat()} for item in experiment_items(rows)]


@api.get("/doctor", tags=["engine"], summary="What this engine and kernel support (doctor/1)")
async def doctor(request: HttpRequest) -> HttpResponse:
    """Returns the report ``doctor/1``: which modes are available, and the results of all checks."""
    return json_response(await run_doctor())


@api.get(
    "/schemas/{name}/{version}",
    tags=["engine"],
    summary="The JSON Schema of a document type",
    response={200: dict, 404: Refusal},
)
def schemas(request: HttpRequest, name: str, version: str) -> Any:
    """Returns a JSON schema, for example ``/api/schemas/comparison/1``."""
    shape = f"{name}/{version}"
    if shape not in DOCUMENT_TYPES:
        return Status(404, {"detail": f"There is no document type “{shape[:60]}”: choose {', '.join(DOCUMENT_TYPES)}."})
    return Status(200, schema_of(shape))


@api.get("/experiments", tags=["experiments"], response=list[ExperimentOut], summary="Running and past experiments")
def experiments(request: HttpRequest, session: str = "") -> Any:
    """Lists the newest 200 experiments outside training sessions. With the id of a ``session`` that you may lead, lists
    the experiments of its groups instead."""
    rows = Experiment.objects.filter(**group_filter(session, request.user), parent=None).exclude(wanted=Wanted.REMOVED)
    return _out(rows.order_by("-created_at")[:200])


@api.post(
    "/experiments",
    tags=["experiments"],
    response={201: ExperimentOut, 400: InvalidExperiment},
    summary="Launch an experiment",
)
async def create(request: HttpRequest, body: ExperimentIn) -> Any:
    """Starts the launch and returns at once. Follow it at ``/api/experiments/ID`` or over the websocket. Each of
    ``arms`` runs on its ``machine`` (default: this one if it has a lab), each of ``modes`` on all ``machines``."""
    given = {name: getattr(body, name) for name in ExperimentIn.model_fields} | (body.model_extra or {})
    draft = parse_draft({name: value for name, value in given.items() if value is not None})
    names = machine_names(await to_db_thread(machine_places)) if any(arm.machine for arm in draft.spec.arms) else ()
    found = (*draft.problems, *machine_problems(draft.spec, names))
    if found:
        return Status(400, {"detail": found[0].sentence, "problems": [msgspec.to_builtins(one) for one in found]})

    def created() -> dict[str, Any]:
        identity = parts.create(draft.spec, request.user.pk, machine=default_machine())
        return _out([Experiment.objects.get(pk=identity)])[0]

    answer = await to_db_thread(created)
    service.wake()
    return Status(201, answer)


def _comparison(identity: str, at: int | None) -> Comparison:
    record, snapshot, view = load_shown(identity, at)
    engine = describe_engine(record, snapshot.experiment, service.engine)
    return Comparison(engine, snapshot.columns, view.states, snapshot.rows)


@api.get("/experiments/{identity}", tags=["experiments"], summary="Status, columns and rows of an experiment")
def experiment(request: HttpRequest, identity: str, at: int | None = None) -> HttpResponse:
    """Returns the current snapshot of the experiment or, with ``at``, that after the journal entry with this number."""
    return json_response(load_snapshot(identity, at))


@api.get("/experiments/{identity}/comparison", tags=["experiments"], summary="The comparison (comparison/1)")
def comparison(request: HttpRequest, identity: str, at: int | None = None) -> HttpResponse:
    """Returns the current columns, states and rows or, with ``at``, those after the journal entry with this number."""
    return json_response(_comparison(identity, at))


@api.get("/experiments/{identity}/journal", tags=["experiments"], summary="The journal after entry ``after``")
def journal(
    request: HttpRequest, identity: str, after: int = 0, limit: int = MAX_PAGE, cursor: str = ""
) -> HttpResponse:
    """Returns numbered entries with causes and facts, at most ``limit`` (1,000). For further entries, repeat the
    request with the last number as ``after``, until the list is empty. If the experiment runs on several machines,
    follow the link ``next`` in the header ``Link`` instead, until it is missing; it contains a ``cursor``."""
    record = experiment_store.load(identity)
    if record is None or record.wanted is Wanted.REMOVED:
        raise Http404(_("No experiment has this id."))
    limit = max(1, min(limit, MAX_PAGE))
    try:
        entries, following = machines.read_page(record, after, cursor, limit)
    except ValueError as error:
        return api.create_response(request, {"detail": str(error)}, status=400)
    response = json_response(entries)
    if following and entries:
        url = f"/api/experiments/{identity}/journal?cursor={following}&limit={limit}"
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response


class TraceIn(Schema):
    """The request to trace. ``way`` is the key of its path. ``beside`` is the key of a second path, for comparison; the
    default is a path of another mode."""

    way: str = Field(max_length=200)
    beside: str = Field("", max_length=200)


@api.post(
    "/experiments/{identity}/trace",
    tags=["experiments"],
    response={200: dict, 400: Refusal, 404: Refusal, 409: Refusal},
    summary="The observed hops of one request",
)
async def trace(request: HttpRequest, identity: str, body: TraceIn) -> Any:
    """Sends requests over the paths ``way`` and ``beside``. Returns the evidence for every hop of both paths."""
    await require_experiment(identity)
    try:
        traces, _ = await traced(identity, body.way, body.beside)
    except ValueError as error:
        return Status(400, {"detail": str(error)})
    return Status(200, {"traces": msgspec.to_builtins(traces)})


class NameIn(Schema):
    """The new name of an experiment. If it is empty, the name becomes the default: the image and the port."""

    title: str = Field("", max_length=MAX_TITLE)


@api.post(
    "/experiments/{identity}/rename",
    tags=["experiments"],
    response={200: ExperimentOut, 400: Refusal, 404: Refusal},
    summary="Rename an experiment",
)
def rename(request: HttpRequest, identity: str, body: NameIn) -> Any:
    """Changes the name that lists show. Reports that are saved from now on contain it too."""
    title = body.title.strip()
    if sentence := title_problem(title):
        return Status(400, {"detail": sentence})
    name = experiment_store.rename(identity, title)
    if name is None:
        return Status(404, {"detail": "No experiment has this id."})
    service.renamed(identity, name)
    return Status(200, _out([Experiment.objects.get(pk=identity)])[0])


@api.post(
    "/experiments/{identity}/{action}",
    tags=["experiments"],
    response={202: dict, 400: Refusal, 404: Refusal, 409: Refusal, 200: dict},
    summary="Stop, launch again or remove an experiment, or try its paths",
)
async def act(request: HttpRequest, identity: str, action: str, multicast: bool = False) -> Any:
    """``stop`` removes the containers and networks. ``remove`` also deletes the experiment. ``again`` launches it
    again. ``try`` sends a request over every path, also from other machines. With ``?multicast=true``, ``try`` also
    sends datagrams to a multicast group."""
    await require_experiment(identity)
    if action == "try":
        attempts = await machines.try_paths(identity, multicast=multicast)
        return Status(200, {"attempts": msgspec.to_builtins(attempts)})
    wanted = {"stop": Wanted.STOPPED, "again": Wanted.RUNNING, "remove": Wanted.REMOVED}
    if action not in wanted:
        return Status(400, {"detail": f"There is no action “{action[:40]}”: choose stop, again, remove or try."})
    if action == "again":
        if problem := (await find_host(identity))[1]:
            return Status(409, {"detail": problem})
        is_stored = await request_launch_again(identity)
    else:
        is_stored = await to_db_thread(parts.set_wanted, identity, wanted[action])
        service.wake()
    if not is_stored:
        return Status(404, {"detail": "No experiment has this id."})
    return Status(202, {"wanted": str(wanted[action])})
