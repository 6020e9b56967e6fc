"""An instructor's sessions: the list, and a new one with what this machine can carry."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.core.training.form import NewSession, read_new
from dashboard.core.training.join_codes import shown
from dashboard.core.training.session import HOURS, MAX_PARTICIPANTS, TEAMS_MOST, door
from dashboard.core.workshops.model import Workshop
from dashboard.models import TrainingSession
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.database import in_database
from dashboard.web.training.capacity import capacity, refusal
from dashboard.web.workshops.views import library, page


async def _owner(request: HttpRequest) -> int:
    return int((await request.auser()).pk or 0)


def _listed(row: TrainingSession, now: float) -> dict[str, Any]:
    return {
        "session": row,
        "code": shown(row.code),
        "door": str(door(row.closed_at, row.expires_at, now, shut=row.admission_required)),
        "participants": row.participants.filter(removed_at=0.0).count(),
    }


@require_GET
async def listing(request: HttpRequest) -> HttpResponse:
    """The instructor's sessions."""
    owner, now = await _owner(request), time.time()

    def rows() -> list[dict[str, Any]]:
        return [_listed(row, now) for row in training_sessions.of_owner(owner)]

    return await page(request, "training/sessions.html", {"sessions": await in_database(rows)})


def _workshops() -> tuple[Workshop, ...]:
    return tuple(one.workshop for one in library().all() if one.workshop is not None)


def _form(
    wanted: NewSession, typed: dict[str, str], shelf: tuple[Workshop, ...], can: Capacity, problems: dict[str, str]
) -> dict[str, Any]:
    return {
        "wanted": wanted,
        "typed": typed,
        "workshops": shelf,
        "hours": HOURS,
        "participants_limit": MAX_PARTICIPANTS,
        "team_limit": TEAMS_MOST,
        "capacity": can,
        "problems": problems,
    }


@require_http_methods(["GET", "HEAD", "POST"])
async def new(request: HttpRequest) -> HttpResponse:
    """The form, with how many private hosts there can be; and the session that it makes."""
    shelf, can = await in_database(_workshops), await capacity()
    typed = {key: str(value)[:200] for key, value in request.POST.items()} if request.method == "POST" else {}
    if request.method != "POST":
        wanted = NewSession(workshop=request.GET.get("workshop", "")[:40])
        return await page(request, "training/new.html", _form(wanted, {}, shelf, can, {}))
    wanted, problems = read_new(typed, tuple(one.slug for one in shelf))
    can = await capacity(HostLimits(wanted.memory_mb, wanted.pids, wanted.cpus))
    if not problems and (sentence := refusal(can, wanted.hosts_needed)):
        problems = {"hosts": sentence}
    if problems:
        return await page(request, "training/new.html", _form(wanted, typed, shelf, can, problems), 400)
    workshop = next(one for one in shelf if one.slug == wanted.workshop)
    row = await in_database(training_sessions.create, await _owner(request), wanted, workshop, time.time())
    return redirect(f"/sessions/{row.id}/console/")
