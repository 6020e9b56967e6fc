"""The instructor's page about one participant: progress, messages, and the runs of the participant's group."""

import asyncio
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training.group_quota import RunKind
from dashboard.core.training.predictions import without_late_predictions
from dashboard.core.training.session import HostsFor, group_key, parse_name, parse_text, progress_row
from dashboard.core.workshops.progress import summarise
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote.training_calls import HostContainer, containers
from dashboard.models import Participant, TrainingSession
from dashboard.store import claim_runs
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import group_runs, participants, session_state
from dashboard.store.training.hosts import NoHostError
from dashboard.store.training.participants import JoinRefusedError
from dashboard.web.experiments.views import experiment_items, load_snapshot
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import UrlScope
from dashboard.web.measurements.serializers import list_runs
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.console.removal import remove_participants
from dashboard.web.training.hub import hub
from dashboard.web.training.responses import private_page, qr_code
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.step_context import PART_HEADER

SHOWN_EVENTS = 60
SHOWN_RUNS = 10
CONTAINERS_TIMEOUT_S = 2.0


def _url(row: TrainingSession, participant: str) -> str:
    return f"/sessions/{row.id}/console/seats/{participant}/"


def find_participant(row: TrainingSession, participant: str) -> Participant:
    """Returns a participant of the session. Raises Http404 if no participant has this id, or if they were removed."""
    found = participants.get(row.id, participant)
    if found is None or found.removed_at:
        raise Http404(_("This session has no participant with this id."))
    return found


def _context(row: TrainingSession, key: str) -> dict[str, Any]:
    participant, workshop = find_participant(row, key), workshop_in(row)
    person, now = participants.person_of(participant.id), shared_clock()
    records = session_state.records_of(row, workshop_store.load_progress(person, row.workshop))
    pacing = session_state.pacing(row, workshop)
    progress = progress_row(
        workshop,
        records,
        now,
        hand_raised_at=participant.hand_raised_at,
        until=pacing.until,
        free=pacing.free,
        closed_at=row.closed_at,
    )
    counting = without_late_predictions(records, row.revealed())
    return {
        "session": row,
        "workshop": workshop,
        "participant": participant,
        "here": participant.id in hub.present(row.id),
        "row": progress,
        "steps": list(zip(summarise(workshop, counting).lines, progress.cells, strict=True)),
        "messages": session_state.messages_of(row.id, participant.id),
        "events": workshop_store.load_events(person, row.workshop)[-SHOWN_EVENTS:][::-1],
        "url": _url(row, participant.id),
        "session_ws": f"/ws/sessions/{row.id}/",
        **_runs(row, participant),
    }


def _runs(row: TrainingSession, participant: Participant) -> dict[str, Any]:
    """Returns template variables with the newest runs of the participant's group. Omits experiments that were launched
    only for a measurement."""
    if row.hosts == HostsFor.NONE:
        return {"group": ""}
    group, scope = group_key(row.id, participant.group), UrlScope(_url(row, participant.id))
    return {
        "group": group,
        "experiments": experiment_items(group_runs.experiments_of(group, SHOWN_RUNS), scope),
        "runs": list_runs(group_runs.measurements_of(group, SHOWN_RUNS)),
        "claim_runs": claim_runs.list_runs(SHOWN_RUNS, group=group),
    }


async def _containers(row: TrainingSession, group: str) -> dict[str, Any]:
    """Returns template variables with the containers on the group's host, or with the reason why they cannot be listed.

    Returns no variables after the session, and in a session without private hosts (``group`` is empty).
    """
    if not group or row.closed_at:
        return {}
    try:
        place = await to_db_thread(group_runs.ready_place, group)
        async with asyncio.timeout(CONTAINERS_TIMEOUT_S):
            listed_containers: tuple[HostContainer, ...] = await service.ask_of(place, containers)
    except TimeoutError:
        return {"containers": (), "containers_problem": _("The host does not respond.")}
    except NoHostError:
        return {"containers": (), "containers_problem": _("The host is not running.")}
    except (LabUnavailableError, EngineError) as error:
        return {"containers": (), "containers_problem": str(error)}
    return {"containers": listed_containers}


def _is_own_run(row: TrainingSession, participant: Participant, run_id: str) -> bool:
    return group_runs.group_of(RunKind.EXPERIMENT, run_id) == group_key(row.id, participant.group)


async def _page(
    request: HttpRequest, row: TrainingSession, participant: str, status: int = 200, **extra: Any
) -> HttpResponse:
    context = await to_db_thread(_context, row, participant)
    context |= {**await _containers(row, context["group"]), **extra}
    return await private_page(request, "training/console/participants/participant.html", context, status)


async def _refused(
    request: HttpRequest, row: TrainingSession, participant: str, status: int, sentence: str
) -> HttpResponse:
    """Returns a refusal: the page about the participant with the sentence, or only the sentence to a script."""
    if PART_HEADER in request.headers:
        return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")
    return await _page(request, row, participant, status, problem=sentence)


@require_GET
@for_instructor
async def overview(request: HttpRequest, row: TrainingSession, participant: str) -> HttpResponse:
    """Renders the page about a participant."""
    return await _page(request, row, participant)


@require_GET
@for_instructor
async def live(request: HttpRequest, row: TrainingSession, participant: str, run_id: str) -> HttpResponse:
    """Renders an experiment of the participant's group, live and read-only, with a form to send a hint."""

    def read() -> dict[str, Any]:
        found = find_participant(row, participant)
        if not _is_own_run(row, found, run_id):
            raise Http404(_("This participant's group has no experiment with this id."))
        snapshot, url = load_snapshot(run_id), _url(row, found.id)
        return {
            "session": row,
            "person": found,
            "person_url": url,
            "snapshot": snapshot,
            "read_only": True,
            "experiment_url": f"{url}experiments/{run_id}/",
            "ws_path": "" if snapshot.experiment.as_it_was is not None else f"/ws/experiments/{run_id}/",
            "path_key": request.GET.get("path", "")[:200],
        }

    return await private_page(request, "experiments/experiment.html", await to_db_thread(read))


@require_POST
@for_instructor
async def change(request: HttpRequest, row: TrainingSession, participant: str, what: str) -> HttpResponse:
    """Changes a participant. ``what``: rename, remove, admit, lower (their hand), say (send a message), or link.

    ``link`` creates a link with which the participant moves to another device.
    """
    found, now = await to_db_thread(find_participant, row, participant), shared_clock()
    if row.closed_at and what in {"say", "admit"}:
        return await _refused(request, row, participant, 409, _("This session is over and cannot be changed."))
    try:
        match what:
            case "rename":
                await to_db_thread(participants.rename, row.id, found.id, parse_name(request.POST.get("name", "")))
            case "remove":
                await remove_participants(row, [found.id])
            case "admit":
                await to_db_thread(participants.admit, row.id, found.id, now)
            case "lower":
                await to_db_thread(participants.raise_hand, row.id, found.id, now, up=False)
            case "say":
                text = parse_text(request.POST.get("text", ""))
                await to_db_thread(
                    session_state.add_message, row.id, found.id, row.step, text, now, from_instructor=True
                )
                await to_db_thread(participants.raise_hand, row.id, found.id, now, up=False)
            case "link":
                token = await to_db_thread(participants.make_link, row.id, found.id)
                link = f"{(await to_db_thread(join_address, request)).origin}/seat/{token}/"
                qr = qr_code(link, _("This participant's link as a QR code"))
                return await _page(request, row, participant, 201, link=link, qr=qr)
            case _:
                raise Http404(_("This action is unknown."))
    except (ValueError, JoinRefusedError) as error:
        status = 400 if isinstance(error, ValueError) else 409
        return await _refused(request, row, participant, status, str(error))
    hub.tell(row.id, found.id)
    if PART_HEADER in request.headers:
        return HttpResponse(status=204)
    source = request.POST.get("from", "")[:16]
    if what == "say" and source and await to_db_thread(_is_own_run, row, found, source):
        return redirect(f"{_url(row, found.id)}experiments/{source}/")
    to_console = what in {"remove", "admit"} or source == "console"
    return redirect(f"/sessions/{row.id}/console/" if to_console else _url(row, found.id))
