"""The pages. Commands are POSTs that write what is wanted and wake the lab."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.inspect_commands import COMMANDS
from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ExperimentHead, ModeReport, Phase
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.modes import ExperimentSpec
from dashboard.core.reports.view import ReportView
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError
from dashboard.export import example as example_report
from dashboard.lab.bootstrap import endpoint
from dashboard.lab.doctor import examine, unavailable_report
from dashboard.lab.experiments import actions
from dashboard.lab.remote import experiment_calls
from dashboard.models import Experiment, Report
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.forms import aimless_arms, draft_of, typed_values
from dashboard.web.experiments.hub import SHOWN_ITEMS
from dashboard.web.http.url_scope import HERE, Where
from dashboard.web.service import LabUnavailableError, service

ENDED = {Phase.STOPPED, Phase.FAILED}
PAST = 20


def refuse(
    request: HttpRequest, status: int, title: str, sentence: str, what_to_do: str = "", back: str = ""
) -> HttpResponse:
    """A refusal that says what to do, and where to go ``back`` to: the start page, unless it is said."""
    context = {"status": status, "title": title, "sentence": sentence, "what_to_do": what_to_do, "back": back}
    return render(request, "error.html", context, status=status)


def listed(row: Experiment, where: Where = HERE) -> dict[str, Any]:
    """An experiment as a line of a list."""
    spec = msgspec.json.decode(row.spec, type=ExperimentSpec)
    return {
        "id": row.id,
        "title": row.title,
        "image": spec.image,
        "port": spec.port,
        "phase": row.phase,
        "modes": list(dict.fromkeys(str(arm.mode) for arm in spec.arms)),
        "created_at": row.created_at,
        "url": where.experiment(row.id),
    }


async def _surroundings() -> tuple[tuple[ModeReport, ...], tuple[str, ...], int, str]:
    """Modes, local images, a free port to publish, and what is wrong with the engine."""
    try:
        found = await service.ask(experiment_calls.surroundings)
    except (LabUnavailableError, EngineError) as error:
        return (), (), 8080, str(error)
    return found.modes, found.images, found.port, ""


def _example() -> ReportView | None:
    """The report that comes with Netmodes, for who has nothing of their own yet."""
    return example_report.view() if example_report.is_there() else None


async def _home(request: HttpRequest, status: int = 200, **extra: Any) -> HttpResponse:
    modes, images, port, problem = await _surroundings()

    def page() -> HttpResponse:
        rows = Experiment.objects.filter(host="").exclude(wanted=Wanted.REMOVED).order_by("-created_at")
        shown = rows.exclude(measurements__twin=True)
        running = shown.exclude(phase__in=[str(phase) for phase in ENDED])[:PAST]
        # What was launched beside an experiment to measure it is over with the measurement, which has a page.
        past = shown.filter(phase__in=[str(phase) for phase in ENDED])[:PAST]
        context = {
            "running": [listed(row) for row in running],
            "past": [listed(row) for row in past],
            "modes": modes,
            "images": images,
            "engine_problem": problem,
            "defaults": {"image": "nginx", "port": "80", "publish": f"{port}:80", "names": ""},
            "problems": (),
            "values": None,
            "example": None if running or past or Report.objects.exists() else _example(),
            **extra,
        }
        return render(request, "experiments/home.html", context, status=status)

    response: HttpResponse = await database_sync_to_async(page, thread_sensitive=False)()
    return response


@require_GET
async def home(request: HttpRequest) -> HttpResponse:
    """The start page: launch, running and past experiments."""
    return await _home(request)


@require_POST
async def launch(request: HttpRequest) -> HttpResponse:
    """Writes a new experiment; what cannot be launched comes back with everything that was typed."""
    values = typed_values(request.POST)
    draft = parse_draft(draft_of(values))
    if problems := (*draft.problems, *aimless_arms(values)):
        return await _home(request, 400, values=values, problems=problems)
    user = await request.auser()
    identity = await database_sync_to_async(experiment_store.create_experiment, thread_sensitive=False)(
        draft.spec, user.pk
    )
    service.wake()
    return redirect(f"/experiments/{identity}/")


def load_snapshot(identity: str, at: int | None = None) -> Snapshot:
    """The experiment as it is, or as it was after entry ``at``; a stopped one as it was before the stop.

    Http404 if there is none.
    """
    row = Experiment.objects.exclude(wanted=Wanted.REMOVED).filter(pk=identity).first()
    if row is None:
        raise Http404(_("There is no experiment with this number."))
    entries = experiment_store.entries(identity)
    view = replay(entries)
    spec = msgspec.json.decode(row.spec, type=ExperimentSpec)
    waiting = ExperimentHead(row.id, row.title, spec.image, spec.port, Phase(row.phase), row.created_at.timestamp())
    head = view.head or waiting
    if 0 < head.round < row.round:
        # Another round is asked for, and the lab has not begun it yet: what follows is live.
        head = replace(head, phase=Phase.WAITING, stopped_at=None, proof=())
    shown = view if entries else replace(view, columns=initial_columns(row.id, spec.arms))
    until = at if at is not None else (row.shown_seq or None)
    if until is not None and until < view.seq and (at is not None or head.phase is Phase.STOPPED):
        kept = [entry for entry in entries if entry.seq <= until]
        shown = replay(kept)
        head = replace(head, as_it_was=kept[-1].at if kept else None)
    first = entries[0].at if entries else 0.0
    items = tuple(timeline_item(entry, first) for entry in entries if entry.text)[-SHOWN_ITEMS:]
    wide, narrow = draw(shown.columns, shown.states)
    rows = compare(shown.columns, shown.states)
    paths = draw_paths(shown.columns, shown.states, (wide, narrow))
    return Snapshot(view.seq, head, shown.columns, rows, wide, narrow, items, paths)


@require_GET
def experiment(request: HttpRequest, identity: str, where: Where = HERE) -> HttpResponse:
    """One experiment, complete at first paint."""
    at = request.GET.get("at", "")
    if at and not (at.isascii() and at.isdigit() and len(at) < 10):
        sentence = _("“at” must be the number of a journal entry.")
        return refuse(
            request, 400, _("That moment cannot be shown"), sentence, _("Leave it out to see the newest state.")
        )
    snapshot = load_snapshot(identity, int(at) if at else None)
    frozen = snapshot.experiment.as_it_was is not None
    context = {
        "snapshot": snapshot,
        "experiment_url": where.experiment(identity),
        "ws_path": "" if frozen else f"/ws/experiments/{identity}/",
        "inspect_commands": list(COMMANDS.values()),
        "path_key": request.GET.get("path", "")[:200],
        **where.context,
    }
    return render(request, "experiments/experiment.html", context)


def _wish(request: HttpRequest, identity: str, wanted: Wanted, *, again: bool = False) -> HttpResponse:
    if not experiment_store.set_wanted(identity, wanted, again=again):
        raise Http404(_("There is no experiment with this number."))
    service.wake()
    return redirect("/" if wanted is Wanted.REMOVED else f"/experiments/{identity}/")


@require_POST
def stop(request: HttpRequest, identity: str) -> HttpResponse:
    """Wants the experiment stopped and cleaned up."""
    return _wish(request, identity, Wanted.STOPPED)


@require_POST
def again(request: HttpRequest, identity: str) -> HttpResponse:
    """Wants a new round: the same arms, fresh containers. Also serves as restart."""
    return _wish(request, identity, Wanted.RUNNING, again=True)


@require_POST
def remove(request: HttpRequest, identity: str) -> HttpResponse:
    """Wants the experiment stopped and forgotten."""
    return _wish(request, identity, Wanted.REMOVED)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


async def require_experiment(identity: str) -> None:
    """Http404 if there is none."""
    if not await database_sync_to_async(experiment_store.exists, thread_sensitive=False)(identity):
        raise Http404(_("There is no experiment with this number."))


@require_POST
async def try_it(request: HttpRequest, identity: str, where: Where = HERE) -> HttpResponse:
    """Requests the service on every path."""
    await require_experiment(identity)
    try:
        attempts = await service.ask_about(identity, actions.try_ways, identity)
    except (LabUnavailableError, actions.NotRunningError) as error:
        if _wants_json(request):
            return JsonResponse({"detail": str(error)}, status=409)
        title = _("It cannot be tried now")
        return await sync_to_async(refuse)(request, 409, title, str(error), back=where.experiment(identity))
    answers = [{**asdict(one), "from": one.origin} for one in attempts]
    if _wants_json(request):
        return JsonResponse({"attempts": answers})
    context = {
        "attempts": answers,
        "experiment_url": where.experiment(identity),
        "trace_url": f"{where.experiment(identity)}trace/",
        **where.context,
    }
    return await sync_to_async(render)(request, "paths/try_result.html", context)


@require_POST
async def inspect(request: HttpRequest, identity: str) -> HttpResponseBase:
    """Runs one of the workshop's commands in a column; the answer is its output as it prints."""
    column, command, name = (request.POST.get(key, "") for key in ("column", "command", "name"))
    await require_experiment(identity)
    try:
        output = await service.ask_about(identity, actions.inspect, identity, column, command, name)
    except ValueError as error:
        return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
    except (LabUnavailableError, actions.NotRunningError) as error:
        return HttpResponse(f"{error}\n", status=409, content_type="text/plain; charset=utf-8")

    async def chunks() -> AsyncIterator[bytes]:
        async with aclosing(output):
            async for text in output:
                yield text.encode()

    return StreamingHttpResponse(
        chunks(),
        content_type="text/plain; charset=utf-8",
        headers={"X-Accel-Buffering": "no", "Content-Encoding": "identity", "Cache-Control": "no-store"},
    )


@require_GET
async def doctor(request: HttpRequest) -> HttpResponse:
    """What works here, mode by mode."""
    found = await run_doctor()
    return await sync_to_async(render)(request, "operations/doctor.html", {"doctor": found})


async def run_doctor() -> Any:
    """``doctor/1``, also where no lab could be started."""
    try:
        return await service.ask(experiment_calls.doctor)
    except LabUnavailableError as error:
        if not service.role.drives:
            return unavailable_report(str(error))
        engine = DockerEngine(endpoint())
        try:
            return await examine(engine, private=False)
        finally:
            await engine.close()
