"""The start page: the form that launches an experiment, presets, and the list of experiments."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.launching.ports import PortHolder
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.presets.catalogue import PRESETS, find_preset
from dashboard.core.experiments.presets.preset import PreparedPreset, Preset, common_reason, prepare
from dashboard.core.modes import ExperimentSpec
from dashboard.core.operations.deployment import NO_LAB
from dashboard.core.operations.machines import first_machine, place_of, split_place
from dashboard.core.operations.roles import Action, OwnedKind
from dashboard.core.reports.view import ReportView
from dashboard.engine.protocol import EngineError
from dashboard.export import example as example_report
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.experiment_calls import LaunchOptions
from dashboard.models import Experiment, Report
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.operations.storage import NoSpaceError
from dashboard.store.parts import has_ended
from dashboard.web.experiments.forms import PUBLISH_NOTHING, LaunchForm
from dashboard.web.experiments.lan_views import LaunchHost
from dashboard.web.experiments.launch_places import launch_places, machine_names, own_engine_problem
from dashboard.web.experiments.machines import arms_by_place
from dashboard.web.experiments.port_check import STOP, find_free_ports, find_holders, stop_holder
from dashboard.web.experiments.views import experiment_items
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.refusals import NO_SPACE
from dashboard.web.operations.accounts.creators import creators_of
from dashboard.web.operations.accounts.guard import refusal_of, refuse_account
from dashboard.web.service import LabUnavailableError, service

#: The maximum number of ended experiments on the start page.
PAST = 20
NO_OPTIONS = LaunchOptions((), (), 8080)


async def _launch_options(host: str = "") -> tuple[LaunchOptions, str]:
    """Returns what the form offers (modes, local images, a free port), and why the engine does not answer.

    The reason is empty if the engine answers. ``host`` is the name of the place of the launch (``launch_places``),
    empty for the server's own engine.
    """
    try:
        return await service.ask_of(host, experiment_calls.launch_options), ""
    except (LabUnavailableError, EngineError) as error:
        return NO_OPTIONS, str(error)


def _example() -> ReportView | None:
    return example_report.load()[0].view if example_report.is_there() else None


def form_of(prepared: PreparedPreset, free_port: int, machines: Sequence[str] = ()) -> LaunchForm:
    """Returns the launch form, filled in with a preset. ``machines`` are the names that the user can select."""
    values = {"publish": PUBLISH_NOTHING, "modes": [], **prepared.values}
    modes: Sequence[str] = values.pop("modes")
    return LaunchForm(mode=modes, free_port=free_port, machine_names=machines, **values)


def _items_with_hosts(rows: Iterable[Experiment], hosts: Mapping[str, LaunchHost]) -> list[dict[str, Any]]:
    """Returns the experiments as entries of a list. The ``host`` of an entry is the LAN host on which the experiment
    runs; None if it does not run on a LAN. ``hosts`` are the hosts of LANs, by id."""
    rows = list(rows)
    hosts_of = {row.id: hosts[row.host] for row in rows if row.host in hosts}
    return [{**item, "host": hosts_of.get(item["id"])} for item in experiment_items(rows)]


async def _home(
    request: HttpRequest,
    form: LaunchForm | None = None,
    *,
    preset: Preset | None = None,
    status: int = 200,
    holders: tuple[PortHolder, ...] = (),
    freed: bool = False,
    refused: str = "",
    host: str = "",
) -> HttpResponse:
    hosts = await launch_places()
    # If the server has no usable engine, the form launches on a machine that responds.
    own_problem = own_engine_problem() if first_machine(hosts) else ""
    host = host or (first_machine(hosts) if own_problem else "")
    options, problem = await _launch_options(host)
    names = machine_names(hosts, host)

    def page() -> HttpResponse:
        rows = Experiment.objects.filter(group="", parent=None).exclude(wanted=Wanted.REMOVED).order_by("-created_at")
        creators = creators_of(request)
        # Excludes experiments that were launched only for a measurement: its page shows them.
        shown = creators.filter(rows.exclude(measurements__twin=True))
        ended = has_ended()
        running = shown.exclude(ended)
        past = shown.filter(ended)[:PAST]
        prepared = form_of(prepare(preset, options.images, options.port), options.port, names) if preset else None
        presets = [prepare(one, options.images, options.port, options.modes) for one in PRESETS]
        context: dict[str, Any] = {
            "running": _items_with_hosts(running, hosts),
            "past": _items_with_hosts(past, hosts),
            "modes": options.modes,
            "images": options.images,
            "engine_problem": problem,
            "own_problem": own_problem,
            "has_own_lab": own_problem != NO_LAB,
            "form": form or prepared or LaunchForm(free_port=options.port, machine_names=names),
            "chosen": preset,
            "holders": holders,
            "freed": freed,
            "refused": refused,
            "hosts": list(hosts.values()),
            "host": hosts.get(host),
            "presets": presets,
            "presets_unavailable": common_reason(presets),
            **creators.context,
            "example": None if running or past or Report.objects.exists() else _example(),
        }
        return render(request, "experiments/home.html", context, status=status)

    return await to_db_thread(page)


def _create(spec: ExperimentSpec, owner: int | None, place: str) -> str:
    machine, host = split_place(place)
    return parts.create(spec, owner, host, machine)


def _host_gone() -> str:
    return _("This machine or host is no longer available: choose another one.")


def _preset_named(key: str) -> Preset:
    preset = find_preset(key)
    if preset is None:
        raise Http404(_("No preset has this name."))
    return preset


@require_GET
async def home(request: HttpRequest) -> HttpResponse:
    """Renders the start page. ``?preset=KEY`` fills in the form with a preset. ``?host=PLACE`` selects another machine
    or a host of a LAN."""
    key, host = request.GET.get("preset", ""), request.GET.get("host", "")
    if host and host not in await launch_places():
        return await _home(request, refused=_host_gone(), status=404)
    return await _home(request, preset=_preset_named(key) if key else None, host=host)


@require_POST
async def launch(request: HttpRequest) -> HttpResponse:
    """Launches an experiment. If the form has errors, needed ports are in use or the disk is too full, shows the form
    again with its input.

    If the form's field ``STOP`` names an experiment that holds a port, stops that experiment instead, and shows the
    form again.
    """
    host = request.POST.get("host", "")
    places = await launch_places() if host or service.labs is not None else {}
    form = LaunchForm(request.POST, machine_names=machine_names(places, host))
    spec = form.parse()
    if host and host not in places:
        return await _home(request, form, status=409, refused=_host_gone())
    if STOP in request.POST:
        record = await to_db_thread(experiment_store.load, request.POST[STOP])
        used = {host, *arms_by_place(spec.arms if spec is not None else (), host)}
        if record is None or place_of(record.machine, record.host) not in used:
            raise Http404(_("No experiment has this id."))
        refusal = await to_db_thread(refusal_of, request, Action.CHANGE, OwnedKind.EXPERIMENT, record.id)
        if refusal is not None:
            return await to_db_thread(refuse_account, request, refusal)
        holders = await stop_holder(request, spec.arms if spec is not None else (), host)
        return await _home(request, form, holders=holders or (), freed=holders == (), host=host)
    if spec is None:
        return await _home(request, form, status=400, host=host)
    (free, holders), user = await asyncio.gather(find_free_ports(request, form, spec, host), request.auser())
    if holders:
        return await _home(request, form, status=409, holders=holders, host=host)
    try:
        identity = await to_db_thread(_create, free, user.pk, host)
    except NoSpaceError as error:
        return await _home(request, form, status=NO_SPACE, refused=str(error), host=host)
    service.wake()
    return redirect(f"/experiments/{identity}/")


@require_POST
async def launch_preset(request: HttpRequest) -> HttpResponse:
    """Launches a preset. Redirects to the part of the experiment's page that shows the difference between the modes.

    If needed ports are in use or a mode is unavailable, shows the form instead.
    """
    preset = _preset_named(request.POST.get("preset", ""))
    host = request.POST.get("host", "")
    if host and host not in await launch_places():
        return await _home(request, preset=preset, status=409, refused=_host_gone())
    options, _problem = await _launch_options(host)
    prepared = prepare(preset, options.images, options.port, options.modes)
    if prepared.unavailable:
        return await _home(request, preset=preset, status=409, host=host)
    draft = parse_draft(prepared.values)
    holders = await find_holders(request, draft.spec.arms, host=host)
    if holders:
        return await _home(request, preset=preset, status=409, holders=holders, host=host)
    user = await request.auser()
    identity = await to_db_thread(_create, draft.spec, user.pk, host)
    service.wake()
    return redirect(f"/experiments/{identity}/{preset.query}#{preset.tab}")
