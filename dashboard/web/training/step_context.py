"""Where somebody in a class works: how far they may go, on which host, and what stands around a step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.session import HostsFor, group_key
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import Records
from dashboard.lab.remote import experiment_calls
from dashboard.lab.training.hosts import HostState
from dashboard.models import TrainingSession
from dashboard.store.training import session_state
from dashboard.store.training.participants import ParticipantRef
from dashboard.store.workshops import Walk
from dashboard.web.http.database import in_database
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hub import hub
from dashboard.web.workshops.step_context import Place
from dashboard.web.workshops.views import library


def workshop_in(row: TrainingSession) -> Workshop:
    """The session's workshop; Http404 if it has gone."""
    found = library().get(row.workshop)
    if found is None:
        raise Http404(_("The workshop of this session is not there any more."))
    return found


async def host_state(row: TrainingSession, participant: ParticipantRef) -> HostState | None:
    """How the group's host is; None where there are none."""
    if row.hosts == HostsFor.NONE:
        return None
    group = group_key(row.id, participant.group)
    try:
        return await service.ask(experiment_calls.host_state, group)
    except LabUnavailableError as error:
        return HostState(group, HostStage.FAILED, str(error))


def closed_because(row: TrainingSession) -> str:
    """Why nothing can be done in any step now; empty if it can."""
    if row.closed_at:
        return _("This session is over. What you have done stays.")
    if row.locked:
        return _("Your instructor has locked the step for now.")
    return ""


def place_of(
    row: TrainingSession, participant: ParticipantRef, workshop: Workshop, extra: Mapping[str, Any] | None = None
) -> Place:
    """Where this participant works."""
    keeps = session_state.pacing(row, workshop)
    home = f"/sessions/{row.id}/"

    def records(walk: Walk) -> Records:
        return session_state.records_of(row, walk, time.time())

    return Place(
        person=participant.person,
        home=home,
        front=f"{home}steps/",
        end=f"{home}results/",
        group=group_key(row.id, participant.group) if row.hosts != HostsFor.NONE else "",
        runs=row.hosts != HostsFor.NONE,
        base="training/participant_base.html",
        until=keeps.until,
        free=keeps.free,
        closed=closed_because(row),
        records=records,
        extra=extra or {},
    )


async def around(
    row: TrainingSession, participant: ParticipantRef, workshop: Workshop, step: str = ""
) -> dict[str, Any]:
    """What stands above every page of a participant. ``step`` is the one that is shown."""
    found = await in_database(_around, row, participant, workshop, step)
    return {**found, "host": await host_state(row, participant) if participant.admitted else None}


def _around(row: TrainingSession, participant: ParticipantRef, workshop: Workshop, step: str) -> dict[str, Any]:
    state = session_state.state_of(row, workshop, len(hub.present(row.id)))
    shown = state.histogram if step == state.step else None
    if shown is None and step in state.revealed:
        shown = session_state.histogram_of(row, workshop, step)
    return {
        "session": row,
        "participant": participant,
        "state": state,
        "own": session_state.participant_state(row.id, participant.id),
        "histogram": shown,
        "shown_step": step,
        "class_url": f"/sessions/{row.id}/",
        "class_ws": f"/ws/sessions/{row.id}/",
        "step_url": f"/sessions/{row.id}/steps/{state.step}/",
    }
