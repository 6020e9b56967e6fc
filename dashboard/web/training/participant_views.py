"""One person of a class, as the instructor sees and helps them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training.group_quota import WorkKind
from dashboard.core.training.session import HostsFor, group_key, line_of, name_of, text_of
from dashboard.core.workshops.progress import summarise
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote.training_calls import ContainerThere, containers
from dashboard.models import Participant, TrainingSession
from dashboard.store import claim_runs
from dashboard.store import workshops as store
from dashboard.store.training import group_runs, participants, session_state
from dashboard.store.training.hosts import NoHostError
from dashboard.store.training.participants import JoinRefusedError
from dashboard.web.experiments.views import listed, load_snapshot
from dashboard.web.http.database import in_database
from dashboard.web.http.url_scope import Where
from dashboard.web.measurements.serializers import describe_run
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hub import hub
from dashboard.web.training.join_views import qr_code
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.step_context import PART
from dashboard.web.workshops.views import page

SHOWN_EVENTS = 60
SHOWN_WORKS = 10
CONTAINERS_S = 2.0


def _participant(row: TrainingSession, participant: str) -> Participant:
    found = participants.get(row.id, participant)
    if found is None or found.removed_at:
        raise Http404(_("There is nobody with this number in this session."))
    return found


def _person(row: TrainingSession, participant: str) -> dict[str, Any]:
    found, workshop, now = _participant(row, participant), workshop_in(row), time.time()
    person = participants.person_of(found.id)
    walk = store.walk_of(person, row.workshop)
    records = session_state.records_of(row, walk, now)
    keeps = session_state.pacing(row, workshop)
    line = line_of(workshop, records, now, hand_raised_at=found.hand_raised_at, until=keeps.until, free=keeps.free)
    lines = summarise(workshop, records).lines
    return {
        "session": row,
        "workshop": workshop,
        "participant": found,
        "here": hub.present(row.id).get(found.id, False),
        "line": line,
        "steps": list(zip(lines, line.cells, strict=True)),
        "said": session_state.said_to(row.id, found.id),
        "events": store.events(person, row.workshop)[-SHOWN_EVENTS:][::-1],
        "url": f"/sessions/{row.id}/console/seats/{found.id}/",
        "class_ws": f"/ws/sessions/{row.id}/",
        **_works(row, found),
    }


def _works(row: TrainingSession, participant: Participant) -> dict[str, Any]:
    """What the person's group runs and ran besides the steps."""
    if row.hosts == HostsFor.NONE:
        return {"group": "", "works": False}
    group = group_key(row.id, participant.group)
    here = Where(f"/sessions/{row.id}/console/seats/{participant.id}/")
    return {
        "group": group,
        "works": True,
        "experiments": [listed(one, here) for one in group_runs.experiments_of(group, SHOWN_WORKS)],
        "runs": [
            {**describe_run(one), "verdict_line": one.headline or one.stop_reason}
            for one in group_runs.measurements_of(group, SHOWN_WORKS)
        ],
        "claim_runs": claim_runs.history(SHOWN_WORKS, group=group),
    }


async def _there(row: TrainingSession, group: str) -> dict[str, Any]:
    """The containers on the host of the group, or why they cannot be told."""
    if not group or row.closed_at:
        return {}
    try:
        host = await in_database(group_runs.ready_host, group)
        async with asyncio.timeout(CONTAINERS_S):
            found: tuple[ContainerThere, ...] = await service.ask_of(host, containers)
    except TimeoutError:
        return {"containers": (), "containers_away": _("The host does not answer now.")}
    except (NoHostError, LabUnavailableError, EngineError) as error:
        away = _("The host does not run now.") if isinstance(error, NoHostError) else str(error)
        return {"containers": (), "containers_away": away}
    return {"containers": found}


def _is_theirs(row: TrainingSession, participant: Participant, work: str) -> bool:
    return group_runs.group_of(WorkKind.EXPERIMENT, work) == group_key(row.id, participant.group)


async def _show(
    request: HttpRequest, row: TrainingSession, participant: str, status: int = 200, **more: Any
) -> HttpResponse:
    context = await in_database(_person, row, participant)
    context |= await _there(row, context["group"])
    context |= {"base": "fragment_base.html" if PART in request.headers else "base.html", **more}
    response = await page(request, "training/participant.html", context, status)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@for_instructor
async def person(request: HttpRequest, row: TrainingSession, participant: str) -> HttpResponse:
    """How far somebody has come, what they did last, and what was written."""
    return await _show(request, row, participant)


@require_GET
@for_instructor
async def live(request: HttpRequest, row: TrainingSession, participant: str, work: str) -> HttpResponse:
    """One of the experiments of somebody's group, live and to be read, with a hint to be written beside it."""

    def read() -> dict[str, Any]:
        found = _participant(row, participant)
        if not _is_theirs(row, found, work):
            raise Http404(_("This person's group has no experiment with this number."))
        snapshot = load_snapshot(work)
        over = snapshot.experiment.as_it_was is not None
        return {
            "session": row,
            "person": found,
            "person_url": f"/sessions/{row.id}/console/seats/{found.id}/",
            "snapshot": snapshot,
            "read_only": True,
            "base": "base.html",
            "experiment_url": f"/sessions/{row.id}/console/seats/{found.id}/experiments/{work}/",
            "ws_path": "" if over else f"/ws/experiments/{work}/",
            "path_key": request.GET.get("path", "")[:200],
        }

    response = await page(request, "experiments/experiment.html", await in_database(read))
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_instructor
async def change(request: HttpRequest, row: TrainingSession, participant: str, what: str) -> HttpResponse:
    """Renames, removes, admits, answers, takes a hand down, or makes the link to another device."""
    found, now = await in_database(_participant, row, participant), time.time()
    try:
        match what:
            case "rename":
                await in_database(participants.rename, row.id, found.id, name_of(request.POST.get("name", "")))
            case "remove":
                await in_database(participants.remove, row.id, found.id, now)
                hub.dismiss_participant(row.id, found.id)
            case "admit":
                await in_database(participants.admit, row.id, found.id, now)
            case "lower":
                await in_database(participants.raise_hand, row.id, found.id, now, up=False)
            case "say":
                text = text_of(request.POST.get("text", ""))
                await in_database(session_state.say, row.id, found.id, row.step, text, now, from_instructor=True)
                await in_database(participants.raise_hand, row.id, found.id, now, up=False)
            case "link":
                token = await in_database(participants.make_link, row.id, found.id)
                link = request.build_absolute_uri(f"/seat/{token}/")
                qr = qr_code(link, _("This person's link as a QR code"))
                return await _show(request, row, participant, 201, link=link, qr=qr)
            case _:
                raise Http404(_("There is nothing of this name that can be done."))
    except (ValueError, JoinRefusedError) as error:
        status = 400 if isinstance(error, ValueError) else 409
        return await _show(request, row, participant, status, problem=str(error))
    hub.tell(row.id, found.id)
    home = f"/sessions/{row.id}/console/"
    work = request.POST.get("from", "")[:16]
    if what == "say" and work and await in_database(_is_theirs, row, found, work):
        return redirect(f"{home}seats/{found.id}/experiments/{work}/")
    gone = what in {"remove", "admit"} or work == "console"
    return redirect(home if gone else f"{home}seats/{found.id}/")
