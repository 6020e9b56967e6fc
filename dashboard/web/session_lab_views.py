"""A seat's own host: experiments and measurements at the seat's choice. The pages are those of the server's own engine;
what runs, runs on the host of the seat's group, and is shared by the group."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.class_work import WorkKind, image_problems
from dashboard.core.drafts import read_draft
from dashboard.core.lifecycle import Wanted
from dashboard.engine.protocol import EngineError
from dashboard.lab import claim_runs, class_works, store
from dashboard.lab.asked import Surroundings, surroundings
from dashboard.lab.class_store import NoHostError, RoomError
from dashboard.web import measuring_api, measuring_views, trace_views, track_views, views
from dashboard.web.forms import aimless_arms, draft_of, typed_values
from dashboard.web.measured import describe_run
from dashboard.web.service import LabAwayError, service
from dashboard.web.session_lab import Inside, in_lab, refused
from dashboard.web.workshop_views import in_database

SHOWN = 20


async def _offered(group: str) -> tuple[Surroundings | None, str]:
    """What can be launched on the group's host, or why nothing can."""
    try:
        host = await in_database(class_works.ready_host, group)
        return await service.ask_of(host, surroundings), ""
    except (NoHostError, LabAwayError, EngineError) as error:
        return None, str(error)


async def _home(
    request: HttpRequest, inside: Inside, there: Surroundings | None, problem: str, status: int = 200, **more: Any
) -> HttpResponse:
    state = inside.where.extra.get("host")

    def show() -> HttpResponse:
        rows = class_works.experiments_of(inside.group, 2 * SHOWN)
        ended = views.ENDED
        runs = class_works.measurements_of(inside.group, SHOWN)
        context = {
            **inside.where.context,
            "running": [views.listed(row, inside.where) for row in rows if row.phase not in ended],
            "past": [views.listed(row, inside.where) for row in rows if row.phase in ended][:SHOWN],
            "runs": [
                {**describe_run(run), "url": inside.where.measurement(run.pk), "verdict_line": run.headline}
                for run in runs
            ],
            "claims_history": claim_runs.history(5, group=inside.group),
            "there": there,
            "away": "" if there is not None else (getattr(state, "message", "") or problem),
            "modes": there.modes if there is not None else (),
            "images": there.images if there is not None else (),
            "defaults": {
                "image": "nginx",
                "port": "80",
                "publish": f"{there.port if there is not None else 8080}:80",
                "names": "",
            },
            "launch_url": f"{inside.where.front}experiments/",
            "problems": (),
            "values": None,
            **more,
        }
        return render(request, "session_lab.html", context, status=status)

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
    values = typed_values(request.POST)
    draft = read_draft(draft_of(values))
    there, problem = await _offered(inside.group)
    if there is None:
        return await _home(request, inside, None, problem, 409, refused=problem)
    found = (*draft.problems, *aimless_arms(values)) or image_problems(draft.spec, there.images)
    if found:
        return await _home(request, inside, there, "", 400, values=values, problems=found)
    try:
        identity = await in_database(class_works.launch, draft.spec, inside.row.owner_id, inside.group)
    except (NoHostError, RoomError) as error:
        return await _home(request, inside, there, "", 409, values=values, refused=str(error))
    service.wake()
    return redirect(inside.where.experiment(identity))


@require_GET
@in_lab(WorkKind.EXPERIMENT)
async def experiment(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """One of the group's experiments, live."""
    return await in_database(views.experiment, request, work, inside.where)


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def stop(_request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants it stopped and cleaned up."""
    await in_database(store.set_wanted, work, Wanted.STOPPED)
    service.wake()
    return redirect(inside.where.experiment(work))


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def again(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants a new round of it, on the host that the group has now. Also serves as restart."""
    back = inside.where.experiment(work)
    try:
        await in_database(class_works.launch_again, work, inside.group)
    except (NoHostError, RoomError) as error:
        return await refused(request, 409, _("It cannot be launched now"), str(error), back)
    service.wake()
    return redirect(back)


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def try_it(request: HttpRequest, inside: Inside, work: str) -> HttpResponseBase:
    """Requests the service on every path."""
    return await views.try_it(request, work, inside.where)


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def trace(request: HttpRequest, inside: Inside, work: str) -> HttpResponseBase:
    """The hops really taken by one request."""
    return await trace_views.trace(request, work, inside.where)


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def inspect(request: HttpRequest, _inside: Inside, work: str) -> HttpResponseBase:
    """One of the workshop's commands in a column."""
    return await views.inspect(request, work)


@require_GET
@in_lab(WorkKind.EXPERIMENT)
async def track(request: HttpRequest, _inside: Inside, work: str) -> HttpResponseBase:
    """What the page needs to replay it."""
    return await track_views.track(request, work)


@require_POST
@in_lab(WorkKind.EXPERIMENT)
async def measure(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants its paths measured."""
    return await in_database(measuring_views.start, request, work, inside.where)


@require_GET
@in_lab(WorkKind.MEASUREMENT)
async def measurement(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """One of the group's measurements, live."""
    return await in_database(measuring_views.measurement, request, work, inside.where)


@require_POST
@in_lab(WorkKind.MEASUREMENT)
async def cancel_measurement(request: HttpRequest, inside: Inside, work: str) -> HttpResponse:
    """Wants its end; what was measured is kept."""
    return await in_database(measuring_views.cancel, request, work, inside.where)


@require_GET
@in_lab(WorkKind.MEASUREMENT)
async def distribution(request: HttpRequest, _inside: Inside, work: str) -> HttpResponse:
    """The distribution of each of its series, as JSON."""
    found: HttpResponse = await in_database(measuring_api.distribution, request, work)
    return found
