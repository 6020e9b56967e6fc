"""Checks before a launch whether the ports that it needs are held, and shows by whom."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.core.experiments.launching.ports import PortHolder
from dashboard.core.modes import ArmSpec
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import experiment_calls
from dashboard.store import experiments as experiment_store
from dashboard.web.http.database import in_database
from dashboard.web.http.url_scope import UrlScope
from dashboard.web.service import LabUnavailableError, service

#: The field of a form that launches although ports are held.
ANYWAY = "anyway"


async def find_holders(
    request: HttpRequest, arms: tuple[ArmSpec, ...], experiment: str = "", host: str = ""
) -> tuple[PortHolder, ...]:
    """Who holds the ports that ``arms`` need, except ``experiment`` itself. ``host`` is the private host of a training
    session. Empty if the user launches anyway, and if the lab does not answer: the experiment shows why it waits."""
    if ANYWAY in request.POST:
        return ()
    try:
        return await service.ask_of(host, experiment_calls.port_holders, arms, experiment)
    except (LabUnavailableError, EngineError):
        return ()


async def show_held_ports(request: HttpRequest, identity: str, scope: UrlScope, host: str = "") -> HttpResponse | None:
    """A page on who holds the ports that a launch of this experiment needs; None if it can be launched. ``host`` is by
    default the private host on which the experiment ran, if it did."""
    record = await in_database(experiment_store.load, identity)
    if record is None:
        return None
    holders = await find_holders(request, record.spec.arms, identity, host or record.host)
    if not holders:
        return None
    context = {
        "holders": holders,
        "title": record.title,
        "identity": identity,
        "experiment_url": scope.experiment(identity),
        "experiments_url": scope.experiments,
        **scope.context,
    }
    return await in_database(lambda: render(request, "experiments/trouble/ports_held.html", context, status=409))
