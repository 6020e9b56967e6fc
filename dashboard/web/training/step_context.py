"""Creates the ``WorkshopPlace`` with which a participant works on the session's workshop, and the template variables of
the participant's pages."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.session import HostsFor, group_key
from dashboard.core.workshops.model import Workshop
from dashboard.lab.remote import experiment_calls
from dashboard.lab.training.hosts import HostState
from dashboard.models import TrainingSession
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import session_state
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hosts.host_requests import absent_machines
from dashboard.web.training.hub import hub
from dashboard.web.workshops.step_context import WorkshopPlace
from dashboard.web.workshops.views import library

BASE = "training/participant_base.html"


def workshop_in(row: TrainingSession) -> Workshop:
    """Returns the session's workshop. Raises Http404 if it is missing or has errors."""
    workshop = library().get(row.workshop)
    if workshop is None:
        raise Http404(_("The workshop of this session is missing or has errors."))
    return workshop


def _without_lab(group: str) -> HostState | None:
    """Returns the state of a group's host if no lab can report it; otherwise None. Queries the database.

    No lab can report it if the host has no machine yet, or if its machine does not respond.
    """
    stage, reason = group_host_store.state_of(group, absent_machines())
    return HostState(stage, reason) if stage in {HostStage.UNPLACED, HostStage.UNREACHABLE} else None


async def host_state(row: TrainingSession, participant: ParticipantRef) -> HostState | None:
    """Returns the state of the participant's private host; None in a session without hosts."""
    if row.hosts == HostsFor.NONE:
        return None
    group = group_key(row.id, participant.group)
    if service.labs is not None and (shown := await to_db_thread(_without_lab, group)) is not None:
        return shown
    try:
        return await service.ask_group(group, experiment_calls.host_state, group)
    except LabUnavailableError as error:
        return HostState(HostStage.FAILED, str(error))


def closed_reason(row: TrainingSession) -> str:
    """Returns why participants cannot work on any step now; empty if they can."""
    if row.closed_at:
        return _("This session is over. Your results are kept.")
    if row.locked:
        return _("Your instructor has locked the step for now.")
    return ""


def place_of(
    row: TrainingSession, participant: ParticipantRef, workshop: Workshop, extra: Mapping[str, Any] | None = None
) -> WorkshopPlace:
    """Returns the participant's ``WorkshopPlace``: URLs, host, open steps. ``extra``: further template variables.

    Queries the database.
    """
    pacing = session_state.pacing(row, workshop)
    hosts = row.hosts != HostsFor.NONE
    home = f"/sessions/{row.id}/"
    return WorkshopPlace(
        person=participant.person,
        home=home,
        front=f"{home}steps/",
        end=f"{home}results/",
        group=group_key(row.id, participant.group) if hosts else "",
        runs=hosts,
        base=BASE,
        until=pacing.until,
        free=pacing.free,
        closed=closed_reason(row),
        owner=row.owner_id,
        records=lambda walk: session_state.records_of(row, walk),
        extra={"session": row, **(extra or {})},
    )


async def page_context(row: TrainingSession, participant: ParticipantRef, step: str = "") -> dict[str, Any]:
    """Returns the template variables that all pages of a participant need, with the state of the host.

    ``step`` is the slug of the step that the page shows, empty if it shows none.
    """
    context = await to_db_thread(_page_context, row, participant, step)
    return {**context, "host": await host_state(row, participant) if participant.admitted else None}


def _page_context(row: TrainingSession, participant: ParticipantRef, step: str) -> dict[str, Any]:
    workshop = workshop_in(row)
    state = session_state.state_of(row, workshop, hub.present(row.id))
    histogram = state.histogram if step == state.step else None
    if histogram is None and step in state.revealed:
        histogram = session_state.histogram_of(row, workshop, step)
    return {
        "base": BASE,
        "session": row,
        "participant": participant,
        "state": state,
        "own": session_state.participant_state(row.id, participant.id),
        "histogram": histogram,
        "shown_step": step,
        "session_url": f"/sessions/{row.id}/",
        "session_ws": f"/ws/sessions/{row.id}/?own",
        "step_url": f"/sessions/{row.id}/steps/{state.step}/",
    }
