"""The instructor's pages: the console, the projector, and the shared comparison, in which the instructor points at
rows."""

from collections import Counter
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.experiments.picture import Picture, choose_larger
from dashboard.core.experiments.stream import Snapshot, row_id
from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.join_codes import format_code
from dashboard.core.training.predictions import has_everyone_answered
from dashboard.core.training.session import HOURS, STUCK_FAILURES, STUCK_S, HostsFor, JoinStatus, group_key
from dashboard.core.workshops.progress import StepStage
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.step import StepLockedError
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.experiments.views import load_snapshot
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.console.machines import machines_of
from dashboard.web.training.hosts.host_requests import absent_machines, capacity
from dashboard.web.training.hub import hub
from dashboard.web.training.join_views import join_link
from dashboard.web.training.lobby_views import mirrored_page
from dashboard.web.training.responses import private_page, qr_code
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.training.views import status_of

#: The width and height, as a ratio, of the part of the projector's page that contains the diagram.
PICTURE_SHAPE = (6.0, 5.0)
SHOWN_EXPERIMENTS = 20


def _console(request: HttpRequest, row: TrainingSession) -> dict[str, Any]:
    now, workshop, present = shared_clock(), workshop_in(row), hub.present(row.id)
    join = join_address(request)
    link = join_link(join.origin, row.code)
    grid = session_state.progress_grid(row, workshop, now, present)
    number = workshop.index(row.step) or 0
    step = workshop.steps[number]
    status = status_of(row, now)
    experiments = training_sessions.showable(row.owner_id).filter(parent=None).exclude(measurements__twin=True)
    return {
        "session": row,
        "workshop": workshop,
        "code": format_code(row.code),
        "join": join,
        "link": link,
        "qr": qr_code(link, _("The link to this session as a QR code")),
        "status": status,
        "open": status in {JoinStatus.OPEN, JoinStatus.ADMISSION},
        "grid": grid,
        "present": sum(person.present for person in grid.people),
        **_turnout(grid, number),
        "step": step,
        "number": number + 1,
        "histogram": session_state.histogram_of(row, workshop, step.slug, peek=True),
        "revealed": row.revealed(),
        "questions": session_state.questions(row.id),
        "experiments": experiments.order_by("-created_at")[:SHOWN_EXPERIMENTS],
        "hours": HOURS,
        "failures": STUCK_FAILURES,
        "minutes": STUCK_S / 60,
        "url": f"/sessions/{row.id}/console/",
        "session_ws": f"/ws/sessions/{row.id}/",
        "rows": _rows(row),
    }


def _turnout(grid: session_state.ProgressGrid, number: int) -> dict[str, Any]:
    """Returns template variables: how many participants have answered the question of the step with the index
    ``number``, and whether everyone, or everyone present, has answered it."""
    answered = {person.participant.id for person in grid.people if person.row.cells[number].predicted}
    people = {person.participant.id for person in grid.people}
    present = {person.participant.id for person in grid.people if person.present}
    return {
        "answered": len(answered),
        "everyone_answered": has_everyone_answered(people, answered),
        "everyone_here_answered": has_everyone_answered(present, answered),
    }


def _mirrored(row: TrainingSession) -> Snapshot | None:
    """Returns the snapshot of the experiment that is shown to all participants; None if none is shown."""
    try:
        return load_snapshot(row.mirror_id) if row.mirror_id else None
    except Http404:
        return None


def _rows(row: TrainingSession) -> list[dict[str, str]]:
    """Lists the rows of the shared comparison, one of which the instructor can point at."""
    snapshot = _mirrored(row)
    if snapshot is None:
        return []
    return [{"id": row_id(one), "section": str(one.section), "name": f"{one.key} {one.field}"} for one in snapshot.rows]


@require_GET
@for_instructor
async def console(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Renders the instructor's console."""
    context = await to_db_thread(_console, request, row)
    if row.hosts != HostsFor.NONE:
        context["capacity"] = (await capacity(HostLimits(row.memory_mb, row.pids, row.cpus))).sentence
        states = await to_db_thread(lambda: group_host_store.states_of(row.id, absent_machines()))
        context["machines"] = await machines_of(row)
        context["host_states"] = dict(Counter(state for state, _reason in states.values()))
    return await private_page(request, "training/console/console.html", context)


@require_GET
@for_instructor
async def projector(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Renders the page for the projector, with large text and nothing about individual participants."""

    def read() -> dict[str, Any]:
        context = _console(request, row)
        context["is_revealed"] = row.step in context["revealed"]
        context["histogram"] = session_state.histogram_of(row, context["workshop"], row.step)
        context["snapshot"] = snapshot = _mirrored(row)
        context["pointed"] = _pointed_row(snapshot, row.pointed_row) if snapshot is not None else None
        return context

    context = await to_db_thread(read)
    context["shows_result"] = context["is_revealed"] or context["snapshot"] is not None
    if context["snapshot"] is not None:
        context["picture"] = choose_larger((context["snapshot"].wide, context["snapshot"].narrow), *PICTURE_SHAPE)
    elif context["is_revealed"]:
        context["picture"] = await _picture(row, context["grid"], context["number"] - 1)
    return await private_page(request, "training/projector/projector.html", context)


def _pointed_row(snapshot: Snapshot, pointer: str) -> dict[str, Any] | None:
    """Returns the row that the instructor points at, with the title and cell of each column; None if it does not exist.

    ``pointer`` is the id of the row.
    """
    row = next((one for one in snapshot.rows if row_id(one) == pointer), None)
    if row is None:
        return None
    cells = [(column.title, row.cells.get(column.key)) for column in snapshot.columns if column.key in row.cells]
    return {
        "section": str(row.section),
        "name": f"{row.key} {row.field}",
        "label": row.label,
        "why": row.why,
        "cells": cells,
    }


async def _picture(row: TrainingSession, grid: session_state.ProgressGrid, number: int) -> Picture | None:
    """Returns the diagram for the projector; None if the engine cannot be read.

    In a session without private hosts, it shows the server's engine. Otherwise it shows the host of a participant who
    has done the step with the index ``number``. Returns None if no participant has done it.
    """
    done = (person.participant for person in grid.people if person.row.cells[number].stage is StepStage.DONE)
    last = next(done, None)
    if row.hosts != HostsFor.NONE and last is None:
        return None
    group = "" if row.hosts == HostsFor.NONE or last is None else group_key(row.id, last.group)
    try:
        pictures = await service.ask_group(group, workshop_calls.picture, group)
    except (LabUnavailableError, EngineError, StepLockedError):
        return None
    return choose_larger(pictures, *PICTURE_SHAPE) if pictures is not None else None


@require_GET
@for_instructor
async def mirror(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Renders the shared comparison as participants see it. If the instructor selects a row, participants see it
    highlighted."""
    context = {"base": "base.html", "pointing": f"/sessions/{row.id}/console/steer/", "session": row}
    return await mirrored_page(request, row, context)
