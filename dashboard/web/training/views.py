"""An instructor's training sessions: the list, and the form that creates a session."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.core.training.form import NewSession, read_form
from dashboard.core.training.join_codes import format_code
from dashboard.core.training.session import HOURS, MAX_PARTICIPANTS, MAX_TEAM_SIZE, HostsFor, JoinStatus, join_status
from dashboard.models import TrainingSession
from dashboard.store import machines
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.addresses.own_addresses import join_address
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.accounts.creators import creators_of
from dashboard.web.training.hosts.host_requests import capacity, expect_hosts
from dashboard.web.workshops.views import library, render_page


async def _owner(request: HttpRequest) -> int:
    return int((await request.auser()).pk or 0)


def status_of(row: TrainingSession, now: float) -> JoinStatus:
    """Returns whether and how participants can join a session at the time ``now``."""
    return join_status(row.closed_at, row.expires_at, now, admission_required=row.admission_required)


def refuse_session(available: Capacity, needed: int) -> str | None:
    """Returns why a session cannot have the ``needed`` number of hosts; None if it can.

    A session may have more hosts than fit at the same time, because the rest wait in a queue.
    """
    if not needed or (not available.problem and available.total):
        return None
    return available.sentence


@require_GET
async def listing(request: HttpRequest) -> HttpResponse:
    """Renders the list of sessions that the user may lead."""
    user, now = await request.auser(), shared_clock()

    def read() -> dict[str, Any]:
        creators = creators_of(request)
        shown = [row for row in training_sessions.visible(user) if creators.ids is None or row.owner_id in creators.ids]
        listed = [
            {
                "session": row,
                "code": format_code(row.code),
                "status": status_of(row, now),
                "participants": row.participants.filter(removed_at=0.0).count(),
            }
            for row in shown
        ]
        return {"sessions": listed, **creators.context}

    return await render_page(request, "training/console/sessions.html", await to_db_thread(read))


@require_http_methods(["GET", "HEAD", "POST"])
async def new(request: HttpRequest) -> HttpResponse:
    """Renders the form that creates a session, with the capacity for private hosts. A valid POST creates the
    session."""
    shelved = await to_db_thread(library().all)
    workshops = {found.workshop.slug: found.workshop for found in shelved if found.workshop is not None}
    settings = NewSession(workshop=request.GET.get("workshop", "")[:40])
    typed: dict[str, str] = {}
    problems: dict[str, str] = {}
    available = await capacity()
    if request.method == "POST":
        typed = {key: str(value)[:200] for key, value in request.POST.items()}
        settings, problems = read_form(typed, tuple(workshops))
        available = await capacity(HostLimits(settings.memory_mb, settings.pids, settings.cpus))
        if not problems and (refusal := refuse_session(available, settings.hosts_needed)):
            problems = {"hosts": refusal}
        if not problems:
            workshop = workshops[settings.workshop]
            row = await to_db_thread(
                training_sessions.create, await _owner(request), settings, workshop, shared_clock()
            )
            if settings.hosts is not HostsFor.NONE:
                await expect_hosts()
            return redirect(f"/sessions/{row.id}/console/")
    context = {
        "settings": settings,
        "typed": typed,
        "workshops": workshops.values(),
        "hours": HOURS,
        "max_participants": MAX_PARTICIPANTS,
        "max_team_size": MAX_TEAM_SIZE,
        "capacity": available,
        "labels": await to_db_thread(machines.list_labels),
        "problems": problems,
        "join": await to_db_thread(join_address, request),
    }
    return await render_page(request, "training/console/new.html", context, 400 if problems else 200)
