"""The LANs page: creates and removes LANs of private hosts, forms swarms of them, and offers the hosts for launches."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.operations.roles import Role
from dashboard.engine.lans.lan import MAX_HOSTS, MAX_NEIGHBOURS
from dashboard.lab.lans.states import LanStage, LanState
from dashboard.lab.remote import lan_calls
from dashboard.store import experiments as experiment_store
from dashboard.store import unsettled
from dashboard.store.operations import accounts
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.accounts.guard import role_in
from dashboard.web.service import LabUnavailableError, service

#: Seconds to wait for the lab's answer about the host of an experiment, so that the page appears even if the lab hangs.
ANSWER_S = 2.0
#: The numeric fields in the form of a new LAN, with their defaults.
FIELDS = {"hosts": 2, "neighbours": 1, "mtu": 1500, "delay": 0, "loss": 0}
#: The labels of these fields on the page.
LABELS = {
    "hosts": gettext_lazy("Private hosts"),
    "neighbours": gettext_lazy("Neighbours"),
    "mtu": gettext_lazy("MTU of every link (bytes)"),
    "delay": gettext_lazy("Delay of every link (ms)"),
    "loss": gettext_lazy("Loss on every link (percent)"),
}


#: The stage of a LAN during each change that a user can request.
STAGES = {
    "remove": LanStage.REMOVING,
    "start": LanStage.STARTING,
    "swarm": LanStage.FORMING,
    "leave": LanStage.LEAVING,
}


@dataclass(frozen=True, slots=True)
class LaunchHost:
    """A host of a LAN, or a machine, on which experiments can be launched.

    ``lan`` is the name of the LAN or of the machine. ``address`` is the IP address of a host, or the engine's name and
    version for a machine. ``swarm`` is true if the hosts of the LAN form a swarm.
    """

    id: str
    lan: str
    address: str
    swarm: bool


async def load_lans() -> tuple[tuple[LanState, ...], str]:
    """Returns the states of all LANs, and why they cannot be read (empty if they can)."""
    try:
        return await service.ask(lan_calls.lans), ""
    except LabUnavailableError as error:
        return (), str(error)


async def launch_hosts() -> dict[str, LaunchHost]:
    """Returns the hosts of LANs on which experiments can be launched, by id.

    Hosts that have ended, hosts of LANs that are being removed, and the host of the server's own engine are omitted.
    """
    lans, _problem = await load_lans()
    return {
        host.id: LaunchHost(host.id, lan.name, host.addresses[0], lan.swarm)
        for lan in lans
        if lan.stage is not LanStage.REMOVING
        for host in lan.hosts
        if host.running and not host.own
    }


async def find_host(experiment: str) -> tuple[LaunchHost | None, str]:
    """Returns the host of a LAN on which an experiment runs or ran, and an empty text.

    If this host was removed, returns None and a sentence for the user. If the experiment is not on a host of a LAN, or
    if the lab does not answer, returns None and an empty text.
    """
    identity = await to_db_thread(experiment_store.lan_host, experiment)
    if not identity:
        return None, ""
    try:
        async with asyncio.timeout(ANSWER_S):
            lans, away = await load_lans()
    except TimeoutError:
        return None, ""
    if away:
        return None, ""
    for lan in lans:
        for host in lan.hosts if lan.stage is not LanStage.REMOVING else ():
            if host.id == identity:
                return LaunchHost(host.id, lan.name, host.addresses[0], lan.swarm), ""
    return None, _(
        "The private host on which this experiment ran was removed. Launch the same modes on another host or engine, "
        "from the start page."
    )


async def _show(
    request: HttpRequest, *, typed: Mapping[str, str] | None = None, problem: str = "", status: int = 200
) -> HttpResponse:
    lans, away = await load_lans()
    running = await to_db_thread(unsettled.count_by_host)
    # Each LAN with the number of experiments that end if it is removed.
    removals = [(lan, sum(running["" if host.own else host.id] for host in lan.hosts)) for lan in lans]
    context = {
        "lans": removals,
        "away": away,
        "is_live": bool(away) or any(lan.stage is not LanStage.READY for lan in lans),
        "stamp": hashlib.sha256(repr((removals, away)).encode()).hexdigest()[:16],
        "problem": problem,
        "typed": typed or {"name": ""} | {name: str(default) for name, default in FIELDS.items()},
        "max_hosts": MAX_HOSTS,
        "max_neighbours": MAX_NEIGHBOURS,
    }
    return await to_db_thread(lambda: render(request, "experiments/lans.html", context, status=status))


@require_GET
async def listing(request: HttpRequest) -> HttpResponse:
    """Renders the page of all LANs."""
    return await _show(request)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


@require_POST
async def create(request: HttpRequest) -> HttpResponse:
    """Starts the creation of a LAN. If it is refused, shows the form again with its input."""
    typed = {
        name: request.POST.get(name, str(default)).strip()[:40] for name, default in {"name": "", **FIELDS}.items()
    }
    if wrong := next((name for name in FIELDS if not _is_number(typed[name])), None):
        problem = _("“%(text)s” is not a whole number: correct “%(field)s”.") % {
            "text": typed[wrong],
            "field": LABELS[wrong],
        }
        return await _show(request, typed=typed, problem=problem, status=400)
    try:
        problem = await service.ask(lan_calls.create_lan, typed["name"], *(int(typed[name]) for name in FIELDS))
    except LabUnavailableError as error:
        return await _show(request, typed=typed, problem=str(error), status=409)
    if problem:
        return await _show(request, typed=typed, problem=problem, status=400)
    return redirect("/lans/")


def _refuse_change(request: HttpRequest, lan: LanState) -> str:
    """Returns why this account may not change the LAN; empty if it may. Queries the database.

    Only an owner may change a LAN on which experiments of other accounts run.
    """
    if role_in(request) is Role.OWNER:
        return ""
    others = unsettled.load_owners(["" if host.own else host.id for host in lan.hosts]) - {request.user.pk}
    names = accounts.creator_names()
    listed = ", ".join(sorted(names[owner] for owner in others if owner in names))
    if not listed:
        return ""
    return _(
        "Experiments of other accounts run on this LAN: %(names)s. Ask these users to stop them, or ask a user with "
        "the role owner to change the LAN."
    ) % {"names": listed}


@require_POST
async def change(request: HttpRequest, name: str, what: str) -> HttpResponse:
    """Changes a LAN. ``what`` is remove, start (start its ended hosts), swarm (form a swarm of its hosts) or leave (end
    the swarm)."""
    lans, away = await load_lans()
    if away:
        return await _show(request, problem=away, status=409)
    found = next((lan for lan in lans if lan.name == name), None)
    if found is None:
        return await _show(request, problem=_("No LAN has this name. Choose one from the list."), status=404)
    if problem := await to_db_thread(_refuse_change, request, found):
        return await _show(request, problem=problem, status=409)
    if found.stage not in {LanStage.READY, STAGES.get(what)}:  # the lab would drop the command
        problem = _("The LAN %(name)s is being changed. Try again when that has ended.") % {"name": name}
        return await _show(request, problem=problem, status=409)
    try:
        if what == "remove":
            await service.ask(lan_calls.remove_lan, name)
        elif what == "start":
            await service.ask(lan_calls.start_lan, name)
        elif what in {"swarm", "leave"}:
            await service.ask(lan_calls.set_swarm, name, what == "swarm")
        else:
            return await _show(request, problem=_("This action is unknown. Use the buttons on this page."), status=404)
    except LabUnavailableError as error:
        return await _show(request, problem=str(error), status=409)
    return redirect("/lans/")
