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
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.experiments.views import refuse, load_snapshot
from dashboard.web.http.database import in_database
from dashboard.web.http.session_connections import end_session
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hub import hub
from dashboard.web.training.join_views import qr_code
from dashboard.web.training.roles import for_participant, let_go, participant_in
from dashboard.web.training.step_context import around, place_of, workshop_in
from dashboard.web.workshops.views import page, steps_of


@require_GET
async def room(request: HttpRequest, identity: str) -> HttpResponse:
    """The lobby, for a participant; the console, for the instructor."""
    owner = int((await request.auser()).pk or 0)

    def is_instructor_only() -> bool:
        return (
            training_sessions.owned(identity, owner) is not None
            and participant_in(request.session, request.path_info) is None
        )

    if owner and await in_database(is_instructor_only):
        return redirect(f"/sessions/{identity}/console/")
    return await _lobby(request, identity)


@for_participant
async def _lobby(
    request: HttpRequest, row: TrainingSession, participant: ParticipantRef, status: int = 200
) -> HttpResponse:
    def read() -> tuple[Workshop, dict[str, Any]]:
        workshop = workshop_in(row)
        walk = store.walk_of(participant.person, row.workshop)
        place = place_of(row, participant, workshop)
        records = place.records(walk) if walk is not None else {}
        return workshop, {
            "workshop": workshop,
            "people": _names(row, participant) if participant.admitted else [],
            "steps": steps_of(workshop, records, place.front, place.until, free=place.free),
        }

    workshop, context = await in_database(read)
    context |= await around(row, participant, workshop)
    return await page(request, "training/lobby.html", context, status)


def _names(row: TrainingSession, participant: ParticipantRef) -> list[dict[str, object]]:
    """Who else is there, by name and nothing more."""
    there = hub.present(row.id)
    rows = row.participants.filter(removed_at=0.0).exclude(admitted_at=0.0).values_list("id", "name", "group")
    return [
        {"name": name, "here": there.get(one, False), "me": one == participant.id, "team": group == participant.group}
        for one, name, group in rows
    ]


def _back(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """To the step from which a form was sent, or to the lobby."""
    workshop, step = workshop_in(row), request.POST.get("step", "")
    known = workshop.index(step) is not None
    return redirect(f"/sessions/{row.id}/steps/{step}/" if known else f"/sessions/{row.id}/")


@require_POST
@for_participant
async def hand(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Asks for help, with words or without, or puts the hand down."""
    up, now = request.POST.get("up") == "yes", time.time()
    if row.closed_at:
        return await in_database(_back, request, row)
    step = request.POST.get("step", "")[:60] or row.step
    await in_database(participants.raise_hand, row.id, participant.id, now, up=up, step=step)
    if up and request.POST.get("text", "").strip():
        try:
            text = text_of(request.POST["text"])
        except ValueError as error:
            return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
        await in_database(session_state.say, row.id, participant.id, step, text, now, from_instructor=False)
    hub.tell(row.id, participant.id)
    return await in_database(_back, request, row)


@require_POST
@for_participant
async def host(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Starts the group's host, or makes it clean: everything on it is thrown away."""
    if row.hosts == HostsFor.NONE or not participant.admitted:
        raise Http404(_("Nobody has a host of their own in this session."))
    group, again = group_key(row.id, participant.group), request.POST.get("do") == "reset"

    try:
        await service.ask(experiment_calls.want_host, group, again)
    except (LabUnavailableError, group_host_store.NoHostError) as error:
        sentence = str(error)

        def answer() -> HttpResponse:
            return refuse(request, 409, _("There is no host now"), sentence, back=f"/sessions/{row.id}/")

        return await in_database(answer)
    hub.tell(row.id, participant.id)
    return await in_database(_back, request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@for_participant
async def device(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """A link, and a QR code of it, that moves the participant to another device; a new one voids the one before."""
    workshop = await in_database(workshop_in, row)
    context = await around(row, participant, workshop)
    if request.method == "POST":
        token = await in_database(participants.make_link, row.id, participant.id)
        link = request.build_absolute_uri(f"/seat/{token}/")
        context |= {"link": link, "qr": qr_code(link, _("Your personal link as a QR code"))}
    response = await page(request, "training/transfer.html", context, 201 if request.method == "POST" else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@for_participant
async def leave(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """This browser gives the participant back; the participant, and all that was done in it, stays."""
    key = request.session.session_key
    await in_database(let_go, request, row.id)
    end_session(key or "")
    return redirect("/join/")


@require_GET
@for_participant
async def mirror(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """The comparison that the instructor shows, live, to be read."""
    if not participant.admitted:
        return redirect(f"/sessions/{row.id}/")
    workshop = await in_database(workshop_in, row)
    context = await around(row, participant, workshop)
    return await mirrored(request, row, {**context, "base": "training/participant_base.html"})


async def mirrored(request: HttpRequest, row: TrainingSession, context: dict[str, object]) -> HttpResponse:
    """The page of the mirrored experiment, without anything that could be pressed; Http404 if nothing is shown."""
    if not row.mirror_id:
        raise Http404(_("Your instructor shows no comparison now."))
    snapshot = await in_database(load_snapshot, row.mirror_id)
    return await page(
        request,
        "experiments/experiment.html",
        {
            **context,
            "snapshot": snapshot,
            "read_only": True,
            "experiment_url": f"/sessions/{row.id}/mirror/",
            "ws_path": f"/ws/sessions/{row.id}/mirror/",
            "pointer": row.pointed_row,
            "path_key": "",
        },
    )
