"""What somebody in a class sees besides the steps: the lobby, the instructor's comparison, help, another device."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.core.training.session import HostsFor, group_key, text_of
from dashboard.core.workshops.model import Workshop
from dashboard.lab.remote import experiment_calls
from dashboard.models import TrainingSession
from dashboard.store import workshops as store
from dashboard.store.training import (
    hosts as group_host_store,
)
from dashboard.store.training import (
    participants,
    session_state,
)
from dashboard.store.training import (
    sessions as training_sessions,
)
from dashboard.store.training.participants import SeatRef
from dashboard.web.experiments.consumers import end_session
from dashboard.web.experiments.views import refuse, snapshot_of
from dashboard.web.service import LabAwayError, service
from dashboard.web.training.hub import hub
from dashboard.web.training.join_views import qr_code
from dashboard.web.training.roles import for_seat, let_go, seat_in
from dashboard.web.training.step_context import around, place_of, workshop_in
from dashboard.web.workshops.views import in_database, page, steps_of


@require_GET
async def room(request: HttpRequest, identity: str) -> HttpResponse:
    """The lobby, for a seat; the console, for the instructor."""
    owner = int((await request.auser()).pk or 0)

    def is_instructor_only() -> bool:
        return (
            training_sessions.owned(identity, owner) is not None and seat_in(request.session, request.path_info) is None
        )

    if owner and await in_database(is_instructor_only):
        return redirect(f"/sessions/{identity}/console/")
    return await _lobby(request, identity)


@for_seat
async def _lobby(request: HttpRequest, row: TrainingSession, seat: SeatRef, status: int = 200) -> HttpResponse:
    def read() -> tuple[Workshop, dict[str, Any]]:
        workshop = workshop_in(row)
        walk = store.walk_of(seat.person, row.workshop)
        place = place_of(row, seat, workshop)
        records = place.records(walk) if walk is not None else {}
        return workshop, {
            "workshop": workshop,
            "people": _names(row, seat) if seat.admitted else [],
            "steps": steps_of(workshop, records, place.front, place.until, free=place.free),
        }

    workshop, context = await in_database(read)
    context |= await around(row, seat, workshop)
    return await page(request, "training/lobby.html", context, status)


def _names(row: TrainingSession, seat: SeatRef) -> list[dict[str, object]]:
    """Who else is there, by name and nothing more."""
    there = hub.present(row.id)
    rows = row.seats.filter(removed_at=0.0).exclude(admitted_at=0.0).values_list("id", "name", "group")
    return [
        {"name": name, "here": there.get(one, False), "me": one == seat.id, "team": group == seat.group}
        for one, name, group in rows
    ]


def _back(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """To the step from which a form was sent, or to the lobby."""
    workshop, step = workshop_in(row), request.POST.get("step", "")
    known = workshop.index(step) is not None
    return redirect(f"/sessions/{row.id}/steps/{step}/" if known else f"/sessions/{row.id}/")


@require_POST
@for_seat
async def hand(request: HttpRequest, row: TrainingSession, seat: SeatRef) -> HttpResponse:
    """Asks for help, with words or without, or puts the hand down."""
    up, now = request.POST.get("up") == "yes", time.time()
    if row.closed_at:
        return await in_database(_back, request, row)
    step = request.POST.get("step", "")[:60] or row.step
    await in_database(participants.raise_hand, row.id, seat.id, now, up=up, step=step)
    if up and request.POST.get("text", "").strip():
        try:
            text = text_of(request.POST["text"])
        except ValueError as error:
            return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
        await in_database(session_state.say, row.id, seat.id, step, text, now, from_instructor=False)
    hub.tell(row.id, seat.id)
    return await in_database(_back, request, row)


@require_POST
@for_seat
async def host(request: HttpRequest, row: TrainingSession, seat: SeatRef) -> HttpResponse:
    """Starts the group's host, or makes it clean: everything on it is thrown away."""
    if row.hosts == HostsFor.NONE or not seat.admitted:
        raise Http404(_("Nobody has a host of their own in this session."))
    group, again = group_key(row.id, seat.group), request.POST.get("do") == "reset"

    try:
        await service.ask(experiment_calls.want_host, group, again)
    except (LabAwayError, group_host_store.NoHostError) as error:
        sentence = str(error)

        def answer() -> HttpResponse:
            return refuse(request, 409, _("There is no host now"), sentence, back=f"/sessions/{row.id}/")

        return await in_database(answer)
    hub.tell(row.id, seat.id)
    return await in_database(_back, request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@for_seat
async def device(request: HttpRequest, row: TrainingSession, seat: SeatRef) -> HttpResponse:
    """A link, and a QR code of it, that moves the seat to another device; a new one voids the one before."""
    workshop = await in_database(workshop_in, row)
    context = await around(row, seat, workshop)
    if request.method == "POST":
        token = await in_database(participants.make_link, row.id, seat.id)
        link = request.build_absolute_uri(f"/seat/{token}/")
        context |= {"link": link, "qr": qr_code(link, _("Your personal link as a QR code"))}
    response = await page(request, "training/transfer.html", context, 201 if request.method == "POST" else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_seat
async def leave(request: HttpRequest, row: TrainingSession, seat: SeatRef) -> HttpResponse:
    """This browser gives the seat back; the seat, and all that was done in it, stays."""
    key = request.session.session_key
    await in_database(let_go, request, row.id)
    end_session(key or "")
    return redirect("/join/")


@require_GET
@for_seat
async def mirror(request: HttpRequest, row: TrainingSession, seat: SeatRef) -> HttpResponse:
    """The comparison that the instructor shows, live, to be read."""
    if not seat.admitted:
        return redirect(f"/sessions/{row.id}/")
    workshop = await in_database(workshop_in, row)
    context = await around(row, seat, workshop)
    return await mirrored(request, row, {**context, "base": "training/participant_base.html"})


async def mirrored(request: HttpRequest, row: TrainingSession, context: dict[str, object]) -> HttpResponse:
    """The page of the mirrored experiment, without anything that could be pressed; Http404 if nothing is shown."""
    if not row.mirror_id:
        raise Http404(_("Your instructor shows no comparison now."))
    snapshot = await in_database(snapshot_of, row.mirror_id)
    return await page(
        request,
        "experiments/experiment.html",
        {
            **context,
            "snapshot": snapshot,
            "read_only": True,
            "experiment_url": f"/sessions/{row.id}/mirror/",
            "ws_path": f"/ws/sessions/{row.id}/mirror/",
            "pointer": row.pointer,
            "path_key": "",
        },
    )
