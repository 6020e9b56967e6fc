"""Removes several participants at once, and stops the private hosts of groups that become empty."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from dashboard.core.training.host_plan import DesiredState
from dashboard.core.training.session import group_key
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import service
from dashboard.web.training.hub import hub
from dashboard.web.training.responses import private_page
from dashboard.web.training.roles import for_instructor


async def remove_participants(row: TrainingSession, chosen: list[str]) -> int:
    """Removes participants, given by their ids, and stops the private hosts of groups that become empty.

    Returns the number of participants that were removed.
    """
    removed, empty = await to_db_thread(participants.remove, row.id, chosen, shared_clock())
    for participant in removed:
        hub.disconnect_participant(row.id, participant)
    stopped = [
        await to_db_thread(group_host_store.set_desired, group_key(row.id, group), DesiredState.STOPPED)
        for group in empty
    ]
    if any(stopped):
        service.wake()
    hub.tell(row.id, *removed)
    return len(removed)


@require_http_methods(["GET", "HEAD", "POST"])
@for_instructor
async def removal(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Renders the list of participants, newest first. POST removes the selected participants.

    If the form's ``admission`` is set, later participants must wait for admission.
    """
    if request.method != "POST":
        return await _page(request, row)
    chosen = request.POST.getlist("participant")[: row.max_participants]
    if not chosen:
        return await _page(request, row, 400, problem=_("Select the participants to remove."))
    if request.POST.get("admission") == "yes":
        await to_db_thread(training_sessions.change, row.id, row.owner_id, shared_clock(), admission_required=True)
    count = await remove_participants(row, chosen)
    if not count:
        return await _page(request, row, 409, problem=_("These participants have already been removed."))
    return redirect(f"/sessions/{row.id}/console/")


async def _page(request: HttpRequest, row: TrainingSession, status: int = 200, problem: str = "") -> HttpResponse:
    def read() -> dict[str, Any]:
        active = row.participants.filter(removed_at=0.0).order_by("-joined_at", "-id")
        present = hub.present(row.id)
        people = [
            {
                "id": key,
                "name": name,
                "joined_at": joined_at,
                "group": group,
                "waits": not admitted_at,
                "present": key in present,
            }
            for key, name, joined_at, group, admitted_at in active.values_list(
                "id", "name", "joined_at", "group", "admitted_at"
            )
        ]
        count = len(people)
        free = row.max_participants - count
        return {
            "session": row,
            "people": people,
            "problem": problem,
            "places": ngettext("%(count)d place is free", "%(count)d places are free", free) % {"count": free},
            "url": f"/sessions/{row.id}/console/",
        }

    return await private_page(request, "training/console/participants/removal.html", await to_db_thread(read), status)
