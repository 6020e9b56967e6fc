"""A participant's own host: experiments and measurements at the participant's choice. The pages are those of the server's own engine;
what runs, runs on the host of the participant's group, and is shared by the group."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.training.group_quota import RunKind, missing_images
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote.experiment_calls import Surroundings, surroundings
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.experiments import replay_views, trace_views
from dashboard.web.experiments import views as experiment_views
from dashboard.web.experiments.forms import LaunchForm
from dashboard.web.http.database import in_database
from dashboard.web.measurements import api as measurement_api
from dashboard.web.measurements import views as measurement_views
from dashboard.web.measurements.serializers import describe_run
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.participant_host import Inside, in_lab, refused

SHOWN = 20


async def _offered(group: str) -> tuple[Surroundings | None, str]:
    """What can be launched on the group's host, or why nothing can."""
    try:
        host = await in_database(group_runs.ready_host, group)
        return await service.ask_of(host, surroundings), ""
    except (NoHostError, LabUnavailableError, EngineError) as error:
        return None, str(error)


async def _home(
    request: HttpRequest, inside: Inside, there: Surroundings | None, problem: str, status: int = 200, **more: Any
) -> HttpResponse:
    state = inside.where.extra.get("host")

    def show() -> HttpResponse:
        rows = group_runs.experiments_of(inside.group, 2 * SHOWN)
        ended = experiment_views.ENDED
        runs = group_runs.measurements_of(inside.group, SHOWN)
        context = {
            **inside.where.context,
            "running": [experiment_views.experiment_item(row, inside.where) for row in rows if row.phase not in ended],
            "past": [experiment_views.experiment_item(row, inside.where) for row in rows if row.phase in ended][:SHOWN],
            "runs": [
                {**describe_run(run), "url": inside.where.measurement(run.pk), "verdict_line": run.headline}
                for run in runs
            ],
            "claims_history": claim_runs.history(5, group=inside.group),
            "there": there,
            "away": "" if there is not None else (getattr(state, "message", "") or problem),
            "modes": there.modes if there is not None else (),
            "images": there.images if there is not None else (),
            "form": LaunchForm(publish=f"{there.port if there is not None else 8080}:80"),
            "launch_url": f"{inside.where.front}experiments/",
            **more,
        }
        return render(request, "training/host.html", context, status=status)

    return await in_database(show)


@require_GET
@in_lab()
async def home(request: HttpRequest, inside: Inside) -> HttpResponse:
    """What runs and ran on the group's host, and the form for more."""
    return await _home(request, inside, *await _offered(inside.group))


@require_POST
@in_lab()
async def launch(request: HttpRequest, inside: Inside) -> HttpResponse:
    """An experiment; what cannot be launched comes back with everything that was typed."""
    form = LaunchForm(request.POST)
    spec = form.parse()
    there, problem = await _offered(inside.group)
    if there is None:
        return await _home(request, inside, None, problem, 409, refused=problem)
    if spec is not None:
        form.add_problems(missing_images(spec, there.images), spec)
    if spec is None or form.problems:
        return await _home(request, inside, there, "", 400, form=form)
    try:
        identity = await in_database(group_runs.launch, spec, inside.row.owner_id, inside.group)
    except (NoHostError, QuotaError) as error:
        return await _home(request, inside, there, "", 409, form=form, refused=str(error))
    service.wake()
    return redirect(inside.where.experiment(identity))


@require_GET
@in_lab(RunKind.EXPERIMENT)
async def experiment(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """One of the group's experiments, live."""
    return await in_database(experiment_views.experiment, request, work, inside.where)


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def stop(_request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants it stopped and cleaned up."""
    await in_database(experiment_store.set_wanted, work, Wanted.STOPPED)
    service.wake()
    return redirect(inside.where.experiment(work))


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def again(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants a new round of it, on the host that the group has now. Also serves as restart."""
    back = inside.where.experiment(work)
    try:
        await in_database(group_runs.launch_again, work, inside.group)
    except (NoHostError, QuotaError) as error:
        return await refused(request, 409, _("It cannot be launched now"), str(error), back)
    service.wake()
    return redirect(back)


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def try_it(request: HttpRequest, inside: Inside, work: str) -> HttpResponseBase:
    """Requests the service on every path."""
    return await experiment_views.try_it(request, work, inside.where)


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def trace(request: HttpRequest, inside: Inside, work: str) -> HttpResponseBase:
    """The hops really taken by one request."""
    return await trace_views.trace(request, work, inside.where)


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def inspect(request: HttpRequest, _inside: Inside, work: str) -> HttpResponseBase:
    """One of the workshop's commands in a column."""
    return await experiment_views.inspect(request, work)


@require_GET
@in_lab(RunKind.EXPERIMENT)
async def track(request: HttpRequest, _inside: Inside, work: str) -> HttpResponseBase:
    """What the page needs to replay it."""
    return await replay_views.track(request, work)


@require_POST
@in_lab(RunKind.EXPERIMENT)
async def measure(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants its paths measured."""
    return await in_database(measurement_views.start, request, work, inside.where)


@require_GET
@in_lab(RunKind.MEASUREMENT)
async def measurement(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """One of the group's measurements, live."""
    return await in_database(measurement_views.measurement, request, work, inside.where)


@require_POST
@in_lab(RunKind.MEASUREMENT)
async def cancel_measurement(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants its end; what was measured is kept."""
    return await in_database(measurement_views.cancel, request, work, inside.where)


@require_GET
@in_lab(RunKind.MEASUREMENT)
async def distribution(request: HttpRequest, _inside: Inside, work: str) -> HttpResponse:
    """The distribution of each of its series, as JSON."""
    found: HttpResponse = await in_database(measurement_api.distribution, request, work)
    return found
