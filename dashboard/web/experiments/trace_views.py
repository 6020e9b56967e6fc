"""One request traced, and another mode's beside it."""

from __future__ import annotations

from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.core.experiments.picture import DrawnPath
from dashboard.core.paths.trace import Trace
from dashboard.core.paths.try_paths import Way
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.remote import experiment_calls
from dashboard.web.experiments.views import load_snapshot, refuse, require_experiment
from dashboard.web.http.database import in_database
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope
from dashboard.web.service import LabUnavailableError, service


@dataclass(frozen=True, slots=True)
class Shown:
    """A trace with the mode of its server and, where the picture has it, its path."""

    trace: Trace
    mode: str
    path: DrawnPath | None


async def traced(identity: str, way: str, beside: str) -> tuple[tuple[Trace, ...], tuple[Way, ...]]:
    """The traces, and the ways that could be chosen. LabUnavailableError, NotRunningError, or ValueError with a sentence."""
    return await service.ask_about(identity, experiment_calls.trace_ways, identity, way, beside)


@require_POST
async def trace(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Makes the request ``way``, and that of ``beside`` or of another mode, and shows what each passed."""
    await require_experiment(identity)
    way, beside = request.POST.get("way", ""), request.POST.get("beside", "")
    title = _("This path cannot be traced now")
    try:
        traces, ways = await traced(identity, way, beside)
    except ValueError as error:
        return await sync_to_async(refuse)(request, 400, title, str(error), back=scope.experiment(identity))
    except (LabUnavailableError, NotRunningError) as error:
        return await sync_to_async(refuse)(request, 409, title, str(error), back=scope.experiment(identity))

    def page() -> HttpResponse:
        snapshot = load_snapshot(identity)
        modes = {one.key: one.mode for one in snapshot.columns}
        paths = {one.key: one for one in snapshot.paths if not one.unavailable}
        context = {
            "snapshot": snapshot,
            "experiment_url": scope.experiment(identity),
            "traces": [Shown(one, modes.get(one.server, ""), paths.get(_drawn_key(one))) for one in traces],
            "ways": ways,
            "chosen": [one.key for one in traces],
            **scope.context,
        }
        return render(request, "paths/trace.html", context)

    response: HttpResponse = await in_database(page)
    return response


def _drawn_key(one: Trace) -> str:
    """The key of the same path in the picture (``core.paths.model.Path.key``)."""
    return one.key.rpartition("/")[0] + ("-ipv6" if "[" in one.url else "")
