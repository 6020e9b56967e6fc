"""The instructor's console: who is where, who needs help, the step, the gate, the timer, the reveal, the comparison."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.experiments.stream import row_id
from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.join_codes import shown
from dashboard.core.training.pacing import Pace, step_beside, timer_ends
from dashboard.core.training.session import HOURS, STUCK_FAILURES, STUCK_S, Door, HostsFor, door, text_of
from dashboard.core.workshops.model import Workshop
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.step import NotOpenError
from dashboard.models import Experiment, TrainingSession
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.experiments.views import refuse, load_snapshot
from dashboard.web.http.database import in_database
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.capacity import capacity
from dashboard.web.training.hub import hub
from dashboard.web.training.join_views import join_link, qr_code
from dashboard.web.training.lobby_views import mirrored
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.step_context import PART
from dashboard.web.workshops.views import page

SHOWN_EXPERIMENTS = 20


def _console(row: TrainingSession, workshop: Workshop, link: str) -> dict[str, Any]:
    now = time.time()
    found = session_state.class_of(row, workshop, now, hub.present(row.id))
    number = workshop.index(row.step) or 0
    stands = door(row.closed_at, row.expires_at, now, shut=row.admission_required)
    experiments = Experiment.objects.filter(host="").exclude(wanted="removed").order_by("-created_at")
    return {
        "session": row,
        "workshop": workshop,
        "code": shown(row.code),
        "link": link,
        "qr": qr_code(link, _("The link to this session as a QR code")),
        "door": str(stands),
        "open": stands in {Door.OPEN, Door.SHUT},
        "found": found,
        "present": sum(1 for one in found.people if one.present),
        "step": workshop.steps[number],
        "number": number + 1,
        "histogram": session_state.histogram_of(row, workshop, workshop.steps[number].slug, peek=True),
        "revealed": row.revealed(),
        "questions": session_state.asked(row.id),
        "experiments": experiments[:SHOWN_EXPERIMENTS],
        "hours": HOURS,
        "failures": STUCK_FAILURES,
        "minutes": STUCK_S / 60,
        "url": f"/sessions/{row.id}/console/",
        "class_ws": f"/ws/sessions/{row.id}/",
        "rows": _rows(row),
    }


def _rows(row: TrainingSession) -> list[dict[str, str]]:
    """The rows of the mirrored comparison that can be pointed at."""
    if not row.mirror_id:
        return []
    try:
        snapshot = load_snapshot(row.mirror_id)
    except Http404:
        return []
    return [{"id": row_id(one), "section": str(one.section), "name": f"{one.key} {one.field}"} for one in snapshot.rows]


@require_GET
@for_instructor
async def console(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Everything at a glance."""
    workshop = await in_database(workshop_in, row)
    context = await in_database(_console, row, workshop, join_link(request, row.code))
    if row.hosts != HostsFor.NONE:
        context["capacity"] = (await capacity(HostLimits(row.memory_mb, row.pids, row.cpus))).sentence
        states = await in_database(session_state.hosts_of, row.id)
        context["host_states"] = dict(Counter(state for state, _ in states.values()))
    context["base"] = "fragment_base.html" if PART in request.headers else "base.html"
    response = await page(request, "training/console.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@for_instructor
async def projector(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """For the wall: large, and with nothing on it that is anybody's own."""
    workshop = await in_database(workshop_in, row)

    def read() -> dict[str, Any]:
        context = _console(row, workshop, join_link(request, row.code))
        revealed = row.step in row.revealed()
        context["histogram"] = session_state.histogram_of(row, workshop, row.step)
        context["state"] = session_state.state_of(row, workshop, len(hub.present(row.id)))
        return {**context, "is_revealed": revealed}

    context = await in_database(read)
    context["base"] = "fragment_base.html" if PART in request.headers else "base.html"
    response = await page(request, "training/projector.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@for_instructor
async def mirror(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """What the class sees of the comparison; a row that is chosen here is pointed at."""
    context = {"base": "base.html", "pointing": f"/sessions/{row.id}/console/steer/", "session": row}
    return await mirrored(request, row, context)


async def _truth(workshop: Workshop, step: str) -> str:
    """What the kernel of this server's engine says about the step's question just now; empty where nobody can say."""
    try:
        return await service.ask(workshop_calls.truth, workshop.slug, workshop.digest, step)
    except (LabUnavailableError, EngineError, NotOpenError):
        return ""


type Steering = Callable[[HttpRequest, TrainingSession, Workshop, float], Awaitable[bool]]


def _step_of(request: HttpRequest, workshop: Workshop) -> str:
    step = request.POST.get("step", "")
    if workshop.index(step) is None:
        raise ValueError(_("Choose one of the steps."))
    return step


async def _go(request: HttpRequest, row: TrainingSession, workshop: Workshop, now: float) -> bool:
    by = {"next": 1, "back": -1}.get(request.POST.get("by", ""))
    step = step_beside(workshop, row.step, by) if by is not None else _step_of(request, workshop)
    return await in_database(training_sessions.go_to, row.id, row.owner_id, now, step)


async def _pace(request: HttpRequest, row: TrainingSession, workshop: Workshop, now: float) -> bool:
    if request.POST.get("pace") not in set(Pace):
        raise ValueError(_("Choose one of those that are offered."))
    pace, gate = Pace(request.POST["pace"]), _step_of(request, workshop)
    return await in_database(training_sessions.set_pace, row.id, row.owner_id, now, pace, gate)


async def _lock(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    locked = request.POST.get("locked") == "yes"
    return await in_database(training_sessions.steer, row.id, row.owner_id, now, locked=locked)


async def _doors(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    shut = request.POST.get("shut") == "yes"
    done = await in_database(training_sessions.steer, row.id, row.owner_id, now, admission_required=shut)
    if done and not shut:
        hub.tell(row.id, *await in_database(participants.admit_all, row.id, now))
    return done


async def _timer(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    try:
        minutes = float(request.POST.get("minutes", "").replace(",", ".") or 0)
    except ValueError:
        raise ValueError(_("Type the minutes as a number.")) from None
    ends = timer_ends(minutes, now)
    return await in_database(training_sessions.steer, row.id, row.owner_id, now, timer_ends_at=ends)


async def _reveal(request: HttpRequest, row: TrainingSession, workshop: Workshop, now: float) -> bool:
    step = _step_of(request, workshop)
    known = await in_database(session_state.truths, row, [step])
    truth = "" if known else await _truth(workshop, step)
    return await in_database(training_sessions.reveal, row.id, row.owner_id, now, step, truth)


async def _mirror(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    experiment = request.POST.get("experiment", "")[:16]
    done = await in_database(training_sessions.show, row.id, row.owner_id, now, experiment)
    if done:
        hub.end_mirrors(row.id)
    elif not row.closed_at:
        raise ValueError(_("There is no experiment with this number."))
    return done


async def _pointer(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    pointer = request.POST.get("row", "")[:300]
    return await in_database(training_sessions.steer, row.id, row.owner_id, now, pointed_row=pointer)


async def _notes(request: HttpRequest, row: TrainingSession, _workshop: Workshop, _now: float) -> bool:
    return await in_database(training_sessions.write_notes, row.id, row.owner_id, request.POST.get("notes", ""))


async def _say(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    text = text_of(request.POST.get("text", ""))
    return await in_database(session_state.say, row.id, None, row.step, text, now, from_instructor=True)


async def _extend(request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    if request.POST.get("hours") not in {str(one) for one in HOURS}:
        raise ValueError(_("Choose one of those that are offered."))
    return await in_database(training_sessions.extend, row.id, row.owner_id, now, int(request.POST["hours"]))


async def _close(_request: HttpRequest, row: TrainingSession, _workshop: Workshop, now: float) -> bool:
    done = await in_database(training_sessions.close, row.id, row.owner_id, now)
    service.wake()
    return done


STEERING: dict[str, Steering] = {
    "step": _go,
    "pace": _pace,
    "lock": _lock,
    "doors": _doors,
    "timer": _timer,
    "reveal": _reveal,
    "mirror": _mirror,
    "pointer": _pointer,
    "notes": _notes,
    "say": _say,
    "extend": _extend,
    "close": _close,
}


@require_POST
@for_instructor
async def steer(request: HttpRequest, row: TrainingSession, what: str) -> HttpResponse:
    """One of ``STEERING``: what the instructor sets, for everybody."""
    do = STEERING.get(what)
    if do is None:
        raise Http404(_("There is nothing of this name that can be set."))
    workshop = await in_database(workshop_in, row)
    try:
        done = await do(request, row, workshop, time.time())
    except ValueError as error:
        return await _refused(request, row, 400, str(error))
    if not done:
        return await _refused(request, row, 409, _("This session is over: nothing in it changes any more."))
    hub.tell(row.id)
    if PART in request.headers:
        return HttpResponse(status=204)
    return redirect(f"/sessions/{row.id}/console/#{what}")


async def _refused(request: HttpRequest, row: TrainingSession, status: int, sentence: str) -> HttpResponse:
    if PART in request.headers:
        return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")

    def answer() -> HttpResponse:
        return refuse(request, status, _("That cannot be set"), sentence, back=f"/sessions/{row.id}/console/")

    return await in_database(answer)


@require_POST
@for_instructor
async def delete(_request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Forgets a closed session."""
    if not await in_database(training_sessions.delete, row.id, row.owner_id):
        return await _refused(_request, row, 409, _("Close the session first."))
    return redirect("/sessions/")
