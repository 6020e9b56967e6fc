"""The page of a traced request, compared with a request over another path."""

from dataclasses import dataclass, replace

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.core.experiments.machines.groups import shared_key
from dashboard.core.experiments.machines.journals import shared_request
from dashboard.core.experiments.picture import DrawnPath
from dashboard.core.paths.hops import Trace
from dashboard.core.paths.model import Path, kind_of
from dashboard.lab.remote import experiment_calls
from dashboard.store import parts
from dashboard.web.experiments.machines import UNAVAILABLE
from dashboard.web.experiments.views import load_snapshot, refuse, require_experiment
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope
from dashboard.web.service import service


@dataclass(frozen=True, slots=True)
class ShownTrace:
    """A trace and the mode of its server. ``path`` is the traced path in the diagram, None if it is not drawn."""

    trace: Trace
    mode: str
    path: DrawnPath | None


async def traced(identity: str, key: str, beside: str) -> tuple[tuple[Trace, ...], dict[str, Path]]:
    """Traces a request over a path, and one over a second path for comparison.

    ``key`` and ``beside`` are the keys of these requests (``request_key``). If ``beside`` is empty, the lab chooses a
    path of another mode. Returns the traces, and all traceable paths by request key. Raises one of ``UNAVAILABLE``,
    or ValueError with a message for the user.
    """
    place = await to_db_thread(parts.find_request, identity, key)
    other = await to_db_thread(parts.find_request, identity, beside) if beside else place
    if other.experiment != place.experiment:
        raise ValueError(_("These paths are on different machines. Choose two paths of the same machine."))
    traces, paths = await service.ask_about(
        place.experiment, experiment_calls.trace_paths, place.experiment, place.column, other.column if beside else ""
    )
    return _of_all_machines(traces, place.number), {
        shared_request(one, place.number): path for one, path in paths.items()
    }


def _of_all_machines(traces: tuple[Trace, ...], number: int) -> tuple[Trace, ...]:
    return tuple(
        replace(one, key=shared_request(one.key, number), server=shared_key(one.server, number)) for one in traces
    )


@require_POST
async def trace(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Renders the traces of two requests: one over the path in the field ``way``, one over the path in the field
    ``beside``. If ``beside`` is empty, the second path is one of another mode."""
    await require_experiment(identity)
    key, beside = request.POST.get("way", ""), request.POST.get("beside", "")
    title = _("This path cannot be traced now")
    try:
        traces, paths = await traced(identity, key, beside)
    except ValueError as error:
        return await sync_to_async(refuse)(request, 400, title, str(error), back=scope.experiment(identity))
    except UNAVAILABLE as error:
        return await sync_to_async(refuse)(request, 409, title, str(error), back=scope.experiment(identity))

    def page() -> HttpResponse:
        snapshot = load_snapshot(identity)
        modes = {column.key: column.mode for column in snapshot.columns}
        drawn = {f"{kind_of(path.key)}/{path.target}": path for path in snapshot.paths if path.target}
        context = {
            "snapshot": snapshot,
            "experiment_url": scope.experiment(identity),
            "traces": [ShownTrace(one, modes.get(one.server, ""), drawn.get(one.key)) for one in traces],
            "choices": {key: f"{path.title} ({key})" for key, path in paths.items()},
            "chosen": [one.key for one in traces],
            **scope.context,
        }
        return render(request, "paths/trace.html", context)

    response: HttpResponse = await to_db_thread(page)
    return response
