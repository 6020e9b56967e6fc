"""Pages of experiments, and the requests, commands and checks that users start on them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Self

import msgspec
from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.comparison.answer.answer import has_taken_port
from dashboard.core.comparison.machines.answer import answer as write_answer
from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.inspect_commands import COMMANDS
from dashboard.core.experiments.journal import View, advance
from dashboard.core.experiments.launching.progress import launch_progress
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.groups import mark_machines
from dashboard.core.experiments.machines.heads import apply_requests, merge_phases
from dashboard.core.experiments.messages import Column, Phase, TimelineItem
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.modes import ExperimentSpec
from dashboard.core.operations.roles import Action, OwnedKind
from dashboard.core.paths.attempts import machine_of, name_client
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.experiments import Record
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.port_users import other_port_users
from dashboard.web.experiments import machines
from dashboard.web.experiments.hub import SHOWN_ITEMS
from dashboard.web.experiments.lan_views import LaunchHost, find_host
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope
from dashboard.web.measurements.serializers import list_runs
from dashboard.web.operations.accounts.creators import creators_of
from dashboard.web.operations.accounts.guard import refusal_of
from dashboard.web.operations.machines.clients import client_choices
from dashboard.web.service import service

log = logging.getLogger(__name__)


def refuse(
    request: HttpRequest, status: int, title: str, sentence: str, what_to_do: str = "", back: str = ""
) -> HttpResponse:
    """Returns an error page that states what failed and what to do. It links to the URL ``back`` (default: the start
    page)."""
    context = {"status": status, "title": title, "sentence": sentence, "what_to_do": what_to_do, "back": back}
    return render(request, "error.html", context, status=status)


def experiment_item(row: Experiment, scope: UrlScope = SERVER_SCOPE, phases: Sequence[Phase] = ()) -> dict[str, Any]:
    """Returns an experiment as an entry of a list. ``phases`` are the phases of its parts; empty if it has no parts."""
    spec = msgspec.json.decode(row.spec, type=ExperimentSpec)
    return {
        "id": row.id,
        "title": row.title,
        "image": spec.image,
        "port": spec.port,
        "phase": str(merge_phases(phases)) if phases else row.phase,
        "modes": list(dict.fromkeys(str(arm.mode) for arm in spec.arms)),
        "created_at": row.created_at,
        "owner": row.owner_id,
        "machine": ", ".join(parts.ids_of(row.parts)) or row.machine_id,
        "url": scope.experiment(row.id),
    }


def experiment_items(rows: Iterable[Experiment], scope: UrlScope = SERVER_SCOPE) -> list[dict[str, Any]]:
    """Returns the experiments as entries of a list. Omits rows that cannot be read: a machine's lab writes the rows of
    its experiments, and may write invalid ones."""
    items = []
    rows = list(rows)
    phases = parts.phases_of([row.pk for row in rows if row.parts])
    for row in rows:
        try:
            items.append(experiment_item(row, scope, phases.get(row.pk, ())))
        except msgspec.MsgspecError as error:
            log.warning("experiment %s of machine %s cannot be read: %s", row.id, row.machine_id, error)
    return items


def load_snapshot(identity: str, at: int | None = None, ended_at: float | None = None) -> Snapshot:
    """Returns the snapshot of ``load_shown``."""
    return load_shown(identity, at, ended_at)[1]


def load_shown(identity: str, at: int | None = None, ended_at: float | None = None) -> tuple[Record, Snapshot, View]:
    """Returns the experiment's row with the current phase, its snapshot as pages show it, and the view that is shown:
    now, or after the journal entry with the number ``at``. Without ``at``, a stopped experiment is shown in its state
    before the stop. Entries after the time ``ended_at`` are ignored. Raises Http404 if there is no such experiment."""
    row = Experiment.objects.exclude(wanted=Wanted.REMOVED).filter(pk=identity).first()
    record = experiment_store.load(identity)
    if row is None or record is None:
        raise Http404(_("No experiment has this id."))
    until = at if at is not None else (parts.shown_number(record, row.shown_seq) or None)
    view, past, past_at, first, last = View(), View(), None, None, 0.0
    items: deque[TimelineItem] = deque(maxlen=SHOWN_ITEMS)
    omitted = 0
    for entry in (entry for entry in parts.read(record) if ended_at is None or entry.at <= ended_at):
        view = advance(view, entry)
        first, last = entry.at if first is None else first, max(last, entry.at)
        if until is not None and entry.seq <= until:
            past, past_at = view, entry.at
        if entry.text:
            omitted += len(items) == SHOWN_ITEMS
            items.append(timeline_item(entry, first))
    head = view.head or replace(experiment_store.waiting_head(record), phase=record.phase)
    if ended_at is None:
        head = apply_requests(head, parts.requested_phases((row.id,)).get(row.id, ()), last, row.round)
    head, record = replace(head, title=row.title), replace(record, phase=head.phase)
    shown = view if first is not None else replace(view, columns=initial_columns(row.id, record.spec.arms))
    if record.parts:
        shown = replace(shown, columns=mark_machines(shown.columns, machines.machine_notes()))
    if past_at is not None and past.seq < view.seq and (at is not None or head.phase is Phase.STOPPED):
        shown = past
        if at is not None:  # the title and the problem remain the current ones, as in a replay
            kept = {name: getattr(head, name) for name in ("title", "problem", "problem_since", "startable")}
            head = replace(past.head or experiment_store.waiting_head(record), **kept)
        head = replace(head, as_it_was=past_at)
    wide, narrow = draw(shown.columns, shown.states)
    rows = compare(shown.columns, shown.states)
    paths = draw_paths(shown.columns, shown.states, (wide, narrow))
    others = other_port_users(identity) if has_taken_port(shown.columns) else ()
    answer = write_answer(shown.columns, rows, shown.states, others)
    launching = launch_progress(head, shown.columns) if head.as_it_was is None else ()
    columns, timeline, trial = shown.columns, tuple(items), shown.trial
    snapshot = Snapshot(view.seq, head, columns, rows, wide, narrow, timeline, paths, answer, launching, trial, omitted)
    return record, snapshot, shown


@require_GET
async def experiment(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Renders the page of an experiment. It is complete without JavaScript."""
    host, _problem = await find_host(identity)
    return await to_db_thread(_render_experiment, request, identity, scope, host)


def _render_experiment(request: HttpRequest, identity: str, scope: UrlScope, host: LaunchHost | None) -> HttpResponse:
    at = request.GET.get("at", "")
    if at and not (at.isascii() and at.isdigit() and len(at) < 10):
        title, sentence = _("Invalid journal entry"), _("“at” must be the number of a journal entry.")
        return refuse(request, 400, title, sentence, _("Omit it to see the current state."))
    record, snapshot, _view = load_shown(identity, int(at) if at else None)
    frozen = snapshot.experiment.as_it_was is not None
    ids = parts.ids_of(record.parts)
    machine = None if ids else record.machine
    context = {
        "snapshot": snapshot,
        "current_phase": record.phase,
        "experiment_url": scope.experiment(identity),
        "experiments_url": scope.experiments,
        "ws_path": "" if frozen else f"/ws/experiments/{identity}/",
        "inspect_commands": list(COMMANDS.values()),
        "runs": list_runs(measurement_store.runs_of(identity), scope),
        "path_key": request.GET.get("path", "")[:200],
        "machine": machine,
        "on_server_engine": not (ids or record.machine or record.host),
        "lan_host": host,
        "parts": {name: scope.experiment(part) for name, part in ids.items()},
        "whole": scope.experiment(record.parent) if record.parent else "",
        "is_stop_requested": identity in parts.requested_phases((identity,)),
        "machine_clients": client_choices(identity),
        "is_machine_absent": machine and service.labs is not None and not service.labs.of(machine).accepts_calls,
        **_creator_context(request, identity, scope),
        **scope.context,
    }
    return render(request, "experiments/experiment.html", context)


def _creator_context(request: HttpRequest, identity: str, scope: UrlScope) -> dict[str, Any]:
    """Returns template variables: the creator of an experiment, and whether the experiment belongs to another account,
    so that the page hides commands."""
    if scope.group:
        return {}
    names = creators_of(request).names
    owner = Experiment.objects.filter(pk=identity).values_list("owner_id", flat=True).first() if names else None
    foreign = refusal_of(request, Action.CHANGE, OwnedKind.EXPERIMENT, identity) is not None
    return {"creators": names, "owner": owner, "foreign": foreign}


async def require_experiment(identity: str) -> None:
    """Raises Http404 if the experiment does not exist."""
    if not await to_db_thread(experiment_store.exists, identity):
        raise Http404(_("No experiment has this id."))


def _columns_of(identity: str) -> tuple[Column, ...]:
    record = experiment_store.load(identity)
    return parts.view(record).columns if record is not None else ()


@require_POST
async def try_it(request: HttpRequest, identity: str, scope: UrlScope = SERVER_SCOPE) -> HttpResponse:
    """Sends a request over every path, also from other machines. With the field ``multicast``, sends datagrams to a
    multicast group as well. Returns the results as a page or as JSON."""
    await require_experiment(identity)
    wants_json = "application/json" in request.headers.get("Accept", "")
    try:
        attempts = await machines.try_paths(identity, multicast="multicast" in request.POST)
    except machines.UNAVAILABLE as error:
        if wants_json:
            return JsonResponse({"detail": str(error)}, status=409)
        title = _("The request cannot be sent now")
        return await sync_to_async(refuse)(request, 409, title, str(error), back=scope.experiment(identity))
    columns = await to_db_thread(_columns_of, identity)
    if wants_json:
        answers = [
            asdict(one) | {"from": name_client(one.origin, columns), "machine": machine_of(one.server, columns)}
            for one in attempts
        ]
        return JsonResponse({"attempts": answers})
    context = {
        "attempts": attempts,
        "columns": columns,
        "experiment_url": scope.experiment(identity),
        "trace_url": f"{scope.experiment(identity)}trace/",
        **scope.context,
    }
    return await sync_to_async(render)(request, "paths/try_result.html", context)


class OutputStream:
    """The output of a command as bytes. ``close`` ends the command.

    It is not an async generator. If the browser disconnected before the first item, none of a generator's code would
    run, and the command would continue.
    """

    def __init__(self, output: AsyncGenerator[str]) -> None:
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    def __aiter__(self) -> Self:
        """Returns this object."""
        return self

    async def __anext__(self) -> bytes:
        """Returns the next piece of output."""
        return (await anext(self._output)).encode()

    def close(self) -> None:
        """Ends the command if it still runs. The response calls this method; it may do so from any thread."""
        if not self._is_closed and not self._loop.is_closed():
            self._is_closed = True
            asyncio.run_coroutine_threadsafe(self._output.aclose(), self._loop)

    def __del__(self) -> None:
        # If a disconnect cancels the request between the view and the handler, the response is dropped but not closed.
        self.close()


@require_POST
async def inspect(request: HttpRequest, identity: str) -> HttpResponseBase:
    """Runs a command in a column of the comparison, and streams its output."""
    column, command, name = (request.POST.get(key, "") for key in ("column", "command", "name"))
    await require_experiment(identity)
    try:
        output = await machines.inspect(identity, column, command, name)
    except ValueError as error:
        return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
    except machines.UNAVAILABLE as error:
        return HttpResponse(f"{error}\n", status=409, content_type="text/plain; charset=utf-8")
    return StreamingHttpResponse(
        OutputStream(output),
        content_type="text/plain; charset=utf-8",
        headers={"X-Accel-Buffering": "no", "Content-Encoding": "identity", "Cache-Control": "no-store"},
    )
