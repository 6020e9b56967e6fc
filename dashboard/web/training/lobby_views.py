"""A participant's pages other than the steps: lobby, shared comparison, raised hand, move to another device."""

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.core.training.session import HostsFor, group_key, parse_text
from dashboard.models import TrainingSession
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.hosts import NoHostError
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.experiments.views import load_snapshot
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError
from dashboard.web.training.hosts.host_requests import request_host, reset_host
from dashboard.web.training.hub import hub
from dashboard.web.training.responses import private_page, qr_code, refused
from dashboard.web.training.roles import for_admitted, for_participant, participant_in, remove_token
from dashboard.web.training.step_context import page_context, place_of, workshop_in
from dashboard.web.workshops.views import list_steps, render_page


@require_GET
async def lobby(request: HttpRequest, identity: str) -> HttpResponse:
    """Renders the participant's lobby. Redirects the instructor to the console."""
    user = await request.auser()

    def is_only_instructor() -> bool:
        leads = training_sessions.led_by(identity, user) is not None
        return leads and participant_in(request.session, request.path_info) is None

    if user.is_authenticated and await to_db_thread(is_only_instructor):
        return redirect(f"/sessions/{identity}/console/")
    return await _lobby(request, identity)


@for_participant
async def _lobby(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    def read() -> dict[str, Any]:
        workshop = workshop_in(row)
        walk = workshop_store.load_progress(participant.person, row.workshop)
        place = place_of(row, participant, workshop)
        records = place.records(walk) if walk is not None else {}
        return {
            "workshop": workshop,
            "people": _people(row, participant) if participant.admitted else [],
            "steps": list_steps(workshop, records, place.front, place.until, free=place.free),
        }

    context = {**await page_context(row, participant), **await to_db_thread(read)}
    return await render_page(request, "training/lobby.html", context)


def _people(row: TrainingSession, participant: ParticipantRef) -> list[dict[str, object]]:
    """Lists the admitted participants, each with a ``name``. ``here``: whether they are present; ``me``: whether they
    are ``participant``; ``team``: whether they are in the group of ``participant``."""
    present = hub.present(row.id)
    rows = row.participants.filter(removed_at=0.0).exclude(admitted_at=0.0).values_list("id", "name", "group")
    return [
        {"name": name, "here": key in present, "me": key == participant.id, "team": group == participant.group}
        for key, name, group in rows
    ]


async def _back(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Returns a redirect to the page from which a form was sent: the step that the field ``step`` names, or the
    lobby."""
    workshop, step = await to_db_thread(workshop_in, row), request.POST.get("step", "")
    return redirect(f"/sessions/{row.id}/" + (f"steps/{step}/" if workshop.index(step) is not None else ""))


@require_POST
@for_admitted
async def hand(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Raises or lowers the participant's hand. A raised hand may come with a question."""
    up, now = request.POST.get("up") == "yes", shared_clock()
    if not row.closed_at:
        step = request.POST.get("step", "")[:60] or row.step
        await to_db_thread(participants.raise_hand, row.id, participant.id, now, up=up, step=step)
        if up and request.POST.get("text", "").strip():
            try:
                text = parse_text(request.POST["text"])
                await to_db_thread(
                    session_state.add_message, row.id, participant.id, step, text, now, from_instructor=False
                )
            except ValueError as error:
                hub.tell(row.id, participant.id)  # the hand is raised
                return HttpResponse(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
        hub.tell(row.id, participant.id)
    return await _back(request, row)


@require_POST
@for_participant
async def host(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Requests the private host of the participant's group. With ``do=reset``, replaces the current host by a new
    one."""
    if row.hosts == HostsFor.NONE or not participant.admitted:
        raise Http404(_("This session has no private hosts."))
    group, reset = group_key(row.id, participant.group), request.POST.get("do") == "reset"
    try:
        await (reset_host(group) if reset else request_host(group))
    except (LabUnavailableError, NoHostError) as error:
        return await refused(request, 409, _("No host available"), str(error), f"/sessions/{row.id}/")
    hub.tell(row.id, participant.id)
    return await _back(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@for_participant
async def device(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Renders the page for moving to another device. POST creates a personal link and its QR code; the previous link
    stops working."""
    context = await page_context(row, participant)
    if request.method != "POST":
        return await private_page(request, "training/transfer.html", context)
    token = await to_db_thread(participants.make_link, row.id, participant.id)
    link = f"{(await to_db_thread(join_address, request)).origin}/seat/{token}/"
    context |= {"link": link, "qr": qr_code(link, _("Your personal link as a QR code"))}
    return await private_page(request, "training/transfer.html", context, 201)


@require_POST
@for_participant
async def leave(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Removes the participant from this browser. The participant stays in the session."""

    def remove() -> None:
        remove_token(request, row.id)
        request.session.save()  # before the connections are closed: their pages reload at once

    await to_db_thread(remove)
    hub.disconnect_participant(row.id, participant.id)
    return redirect("/join/")


@require_GET
@for_admitted
async def mirror(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Renders the comparison that the instructor shows, live and read-only."""
    return await mirrored_page(request, row, await page_context(row, participant))


async def mirrored_page(request: HttpRequest, row: TrainingSession, context: dict[str, object]) -> HttpResponse:
    """Renders the read-only page of the experiment that the instructor shows. ``context`` contains the template
    variables of the page around it. After the session, the page is not live: it shows the state at the end. Raises
    Http404 if no experiment is shown."""
    if not row.mirror_id:
        raise Http404(_("Your instructor is not showing a comparison now."))
    snapshot = await to_db_thread(load_snapshot, row.mirror_id, None, row.closed_at or None)
    if row.closed_at and snapshot.experiment.as_it_was is None:
        snapshot = replace(snapshot, experiment=replace(snapshot.experiment, as_it_was=row.closed_at))
    return await render_page(
        request,
        "experiments/experiment.html",
        {
            **context,
            "snapshot": snapshot,
            "read_only": True,
            "experiment_url": f"/sessions/{row.id}/mirror/",
            "ws_path": "" if row.closed_at else f"/ws/sessions/{row.id}/mirror/",
            "pointer": row.pointed_row,
            "path_key": "",
        },
    )
