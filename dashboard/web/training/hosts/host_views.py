"""A participant's pages about experiments and measurements on the group's private host.

They show the same as the pages of the server's own engine, but have the URLs of the group.
"""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ENDED
from dashboard.core.modes import ExperimentSpec
from dashboard.core.training.group_quota import RunKind, missing_images
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote.experiment_calls import LaunchOptions, launch_options
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store.operations.storage import NoSpaceError
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.experiments import replay_views, trace_views
from dashboard.web.experiments import views as experiment_views
from dashboard.web.experiments.command_views import request_launch_again, url_after
from dashboard.web.experiments.forms import LaunchForm
from dashboard.web.experiments.port_check import STOP, find_free_ports, show_held_ports, stop_holder
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.refusals import NO_SPACE
from dashboard.web.measurements import api as measurement_api
from dashboard.web.measurements import views as measurement_views
from dashboard.web.measurements.serializers import list_runs
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hosts.participant_host import ParticipantHostContext, on_group_host
from dashboard.web.training.responses import refused

SHOWN = 20


async def _launch_options(group: str) -> tuple[LaunchOptions | None, str]:
    """Returns the launch options of the group's host. If nothing can be launched, returns None and the reason."""
    try:
        place = await to_db_thread(group_runs.ready_place, group)
        return await service.ask_of(place, launch_options), ""
    except (NoHostError, LabUnavailableError, EngineError) as error:
        return None, str(error)


async def _home(
    request: HttpRequest,
    host: ParticipantHostContext,
    available: LaunchOptions | None,
    problem: str,
    status: int = 200,
    **extra: Any,
) -> HttpResponse:
    state, scope = host.scope.extra.get("host"), host.scope

    def show() -> HttpResponse:
        rows = group_runs.experiments_of(host.group, 2 * SHOWN)
        context = {
            **scope.context,
            "running": experiment_views.experiment_items([row for row in rows if row.phase not in ENDED], scope),
            "past": experiment_views.experiment_items([row for row in rows if row.phase in ENDED], scope)[:SHOWN],
            "runs": list_runs(group_runs.measurements_of(host.group, SHOWN), scope),
            "claims_history": claim_runs.list_runs(5, group=host.group),
            "available": available,
            "unavailable": "" if available is not None else (getattr(state, "message", "") or problem),
            "modes": available.modes if available is not None else (),
            "images": available.images if available is not None else (),
            "form": LaunchForm(free_port=available.port if available is not None else 8080),
            "launch_url": f"{scope.front}experiments/",
            "experiments_url": scope.experiments,
            **extra,
        }
        return render(request, "training/host.html", context, status=status)

    return await to_db_thread(show)


@require_GET
@on_group_host()
async def home(request: HttpRequest, host: ParticipantHostContext) -> HttpResponse:
    """Renders the page with the group's running and ended runs, and with the form that launches an experiment."""
    return await _home(request, host, *await _launch_options(host.group))


@require_POST
@on_group_host()
async def launch(request: HttpRequest, host: ParticipantHostContext) -> HttpResponse:
    """Launches an experiment. If it is refused, or if needed ports are in use, shows the form again with its input.

    If the form's field ``STOP`` names an experiment that holds a port, stops that experiment instead, and shows the
    form again.
    """
    form = LaunchForm(request.POST)
    spec = form.parse()
    available, problem = await _launch_options(host.group)
    if STOP in request.POST:
        return await _stop_holder(request, host, form, spec, available, problem)
    if available is None:
        return await _home(request, host, None, problem, 409, refused=problem)
    if spec is not None:
        form.add_problems(missing_images(spec, available.images), spec)
    if spec is None or form.problems:
        return await _home(request, host, available, "", 400, form=form)
    try:
        place = await to_db_thread(group_runs.ready_place, host.group)
        spec, held = await find_free_ports(request, form, spec, place)
        if held:
            return await _home(request, host, available, "", 409, form=form, holders=held)
        identity = await to_db_thread(group_runs.launch, spec, host.row.owner_id, host.group)
    except (NoHostError, QuotaError) as error:
        return await _home(request, host, available, "", 409, form=form, refused=str(error))
    except NoSpaceError as error:
        return await _home(request, host, available, "", NO_SPACE, form=form, refused=str(error))
    service.wake()
    return redirect(host.scope.experiment(identity))


async def _stop_holder(
    request: HttpRequest,
    host: ParticipantHostContext,
    form: LaunchForm,
    spec: ExperimentSpec | None,
    available: LaunchOptions | None,
    problem: str,
) -> HttpResponse:
    if await to_db_thread(group_runs.group_of, RunKind.EXPERIMENT, request.POST[STOP]) != host.group:
        raise Http404(_("Your group has no experiment, measurement or run with this id."))
    try:
        place = await to_db_thread(group_runs.ready_place, host.group)
    except NoHostError as error:
        return await _home(request, host, available, problem, 409, form=form, refused=str(error))
    holders = await stop_holder(request, spec.arms if spec is not None else (), place)
    return await _home(request, host, available, problem, form=form, holders=holders or (), freed=holders == ())


@require_POST
@on_group_host(RunKind.EXPERIMENT)
async def stop(request: HttpRequest, host: ParticipantHostContext, run_id: str) -> HttpResponse:
    """Stops an experiment of the group."""
    await to_db_thread(experiment_store.set_wanted, run_id, Wanted.STOPPED)
    service.wake()
    return redirect(url_after(request, run_id, host.scope))


@require_POST
@on_group_host(RunKind.EXPERIMENT)
async def launch_again(request: HttpRequest, host: ParticipantHostContext, run_id: str) -> HttpResponse:
    """Launches an experiment again on the group's current host, even if it is running.

    If needed ports are in use, shows the programs that hold them instead.
    """
    url = host.scope.experiment(run_id)
    try:
        place = await to_db_thread(group_runs.ready_place, host.group)
        held = await show_held_ports(request, run_id, host.scope, place)
        if held is not None:
            return held
        await request_launch_again(run_id)
    except (NoHostError, QuotaError) as error:
        return await refused(request, 409, _("The experiment cannot be launched now"), str(error), url)
    return redirect(url)


def _shared(kind: RunKind, view: Callable[..., Any], *, with_scope: bool = True) -> Callable[..., Any]:
    """Converts ``view``, a view for runs on the server's own engine, to a view for runs of the group.

    If ``with_scope`` is true, ``view`` takes a ``UrlScope``. ``kind`` is the kind of the runs.
    """

    @on_group_host(kind)
    async def shared(request: HttpRequest, host: ParticipantHostContext, run_id: str) -> HttpResponseBase:
        args = (request, run_id, host.scope) if with_scope else (request, run_id)
        response: HttpResponseBase = await (view(*args) if iscoroutinefunction(view) else to_db_thread(view, *args))
        return response

    return shared


experiment = _shared(RunKind.EXPERIMENT, experiment_views.experiment)
try_it = _shared(RunKind.EXPERIMENT, experiment_views.try_it)
trace = _shared(RunKind.EXPERIMENT, trace_views.trace)
inspect = _shared(RunKind.EXPERIMENT, experiment_views.inspect, with_scope=False)
track = _shared(RunKind.EXPERIMENT, replay_views.track, with_scope=False)
measure = _shared(RunKind.EXPERIMENT, measurement_views.start)
measurement = _shared(RunKind.MEASUREMENT, measurement_views.measurement)
cancel_measurement = _shared(RunKind.MEASUREMENT, measurement_views.cancel)
distribution = require_GET(_shared(RunKind.MEASUREMENT, measurement_api.distribution, with_scope=False))
