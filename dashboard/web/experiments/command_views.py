"""Views for commands on an experiment: POST requests that write the wanted state and wake the lab."""

from contextlib import suppress

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.validation import title_problem
from dashboard.core.training.group_quota import RunKind
from dashboard.lab.remote import experiment_calls
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import NoHostError, QuotaError
from dashboard.web.experiments.lan_views import find_host
from dashboard.web.experiments.port_check import show_held_ports
from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope
from dashboard.web.service import LabUnavailableError, service


def url_after(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> str:
    """Returns the URL of the page to show after a command.

    The form's field ``back`` names the page: the id of an experiment, or ``/`` for the start page. Without ``back``,
    the page is that of the experiment ``identity``. If ``identity`` is empty as well, it is the start page. The URL of
    an experiment has the fragment ``#state``. It moves the focus to the experiment's state, because the button that was
    pressed no longer exists.
    """
    back = request.POST.get("back", "")
    shown = back if back.isascii() and back.isalnum() else identity
    return scope.front if back == "/" or not shown else f"{scope.experiment(shown)}#state"


def _set_wanted(identity: str, wanted: Wanted) -> None:
    if not parts.set_wanted(identity, wanted):
        raise Http404(_("No experiment has this id."))
    service.wake()


@require_POST
def stop(request: HttpRequest, identity: str) -> HttpResponse:
    """Stops the experiment and removes its containers and networks."""
    _set_wanted(identity, Wanted.STOPPED)
    return redirect(url_after(request, identity))


async def request_launch_again(identity: str) -> bool:
    """Requests that an experiment is launched again, and shows in open pages that it waits. An experiment of a group is
    launched on the group's current host, within its quota.

    Returns False if the experiment does not exist. Raises NoHostError, QuotaError, MachineClosedError or NoSpaceError.
    """
    if not await to_db_thread(_store_launch_again, identity):
        return False
    service.launched_again(identity)
    service.wake()
    return True


def _store_launch_again(identity: str) -> bool:
    group = group_runs.group_of(RunKind.EXPERIMENT, identity)
    if group:
        return group_runs.launch_again(identity, group)
    return parts.set_wanted(identity, Wanted.RUNNING, again=True)


def _place_of_group(identity: str) -> str:
    """Returns the place of the current host of the experiment's group; empty if the experiment belongs to no group.
    Raises NoHostError if the host is not ready."""
    group = group_runs.group_of(RunKind.EXPERIMENT, identity)
    return group_runs.ready_place(group) if group else ""


@require_POST
async def launch_again(request: HttpRequest, identity: str) -> HttpResponse:
    """Launches the same arms again in new containers, even if the experiment is running.

    If needed ports are in use, shows a page with the programs that hold them instead. Refuses if the private host on
    which the experiment ran was removed, or if the host of the experiment's group is not ready or has no room.
    """
    title = _("This experiment cannot be launched again")
    _host, problem = await find_host(identity)
    if problem:
        return await to_db_thread(refuse, request, 409, title, problem)
    try:
        place = await to_db_thread(_place_of_group, identity)
        held = await show_held_ports(request, identity, SERVER_SCOPE, place)
        if held is not None:
            return held
        is_stored = await request_launch_again(identity)
    except (NoHostError, QuotaError) as error:
        return await to_db_thread(refuse, request, 409, title, str(error))
    if not is_stored:
        raise Http404(_("No experiment has this id."))
    return redirect(url_after(request, identity))


@require_POST
async def start_engine(request: HttpRequest) -> HttpResponse:
    """Starts the engine of the server's own private host. The page offers this after an automatic start has failed."""
    with suppress(LabUnavailableError):
        await service.ask(experiment_calls.start_engine)
    return redirect(url_after(request, ""))


@require_POST
def remove(request: HttpRequest, identity: str) -> HttpResponse:
    """Stops the experiment and deletes it."""
    try:
        _set_wanted(identity, Wanted.REMOVED)
    except parts.PartError as error:
        return refuse(
            request,
            409,
            _("An experiment on several machines can only be removed as a whole"),
            str(error),
            back=SERVER_SCOPE.experiment(error.whole),
        )
    return redirect("/")


@require_POST
def rename(request: HttpRequest, identity: str) -> HttpResponse:
    """Renames the experiment. An empty name restores the default, which consists of the image and the port."""
    title = request.POST.get("title", "").strip()
    url = SERVER_SCOPE.experiment(identity)
    if sentence := title_problem(title):
        return refuse(request, 400, _("This name cannot be used"), sentence, back=url)
    name = experiment_store.rename(identity, title)
    if name is None:
        raise Http404(_("No experiment has this id."))
    service.renamed(identity, name)
    return redirect(url)
