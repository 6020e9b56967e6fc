"""One person of a class, as the instructor sees and helps them."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.training import line_of, name_of, text_of
from dashboard.core.workshop_walk import summarise
from dashboard.lab import class_room, seats
from dashboard.lab import workshop_store as store
from dashboard.lab.seats import NotSeatedError
from dashboard.models import Seat, TrainingSession
from dashboard.web.seats import for_instructor
from dashboard.web.session_hub import hub
from dashboard.web.session_join_views import qr_code
from dashboard.web.session_place import workshop_in
from dashboard.web.workshop_place import PART
from dashboard.web.workshop_views import in_database, page

SHOWN_EVENTS = 60


def _seat(row: TrainingSession, seat: str) -> Seat:
    found = seats.get(row.id, seat)
    if found is None or found.removed_at:
        raise Http404(_("There is nobody with this number in this session."))
    return found


def _person(row: TrainingSession, seat: str) -> dict[str, Any]:
    found, workshop, now = _seat(row, seat), workshop_in(row), time.time()
    person = seats.person_of(found.id)
    walk = store.walk_of(person, row.workshop)
    records = class_room.records_of(row, walk, now)
    keeps = class_room.pacing(row, workshop)
    line = line_of(workshop, records, now, hand_raised_at=found.hand_raised_at, until=keeps.until, free=keeps.free)
    lines = summarise(workshop, records).lines
    return {
        "session": row,
        "workshop": workshop,
        "seat": found,
        "here": hub.present(row.id).get(found.id, False),
        "line": line,
        "steps": list(zip(lines, line.cells, strict=True)),
        "said": class_room.said_to(row.id, found.id),
        "events": store.events(person, row.workshop)[-SHOWN_EVENTS:][::-1],
        "url": f"/sessions/{row.id}/console/seats/{found.id}/",
        "class_ws": f"/ws/sessions/{row.id}/",
    }


async def _show(request: HttpRequest, row: TrainingSession, seat: str, status: int = 200, **more: Any) -> HttpResponse:
    context = await in_database(_person, row, seat)
    context |= {"base": "_part.html" if PART in request.headers else "base.html", **more}
    response = await page(request, "session_person.html", context, status)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@for_instructor
async def person(request: HttpRequest, row: TrainingSession, seat: str) -> HttpResponse:
    """How far somebody has come, what they did last, and what was written."""
    return await _show(request, row, seat)


@require_POST
@for_instructor
async def change(request: HttpRequest, row: TrainingSession, seat: str, what: str) -> HttpResponse:
    """Renames, removes, admits, answers, takes a hand down, or makes the link to another device."""
    found, now = await in_database(_seat, row, seat), time.time()
    try:
        match what:
            case "rename":
                await in_database(seats.rename, row.id, found.id, name_of(request.POST.get("name", "")))
            case "remove":
                await in_database(seats.remove, row.id, found.id, now)
                hub.dismiss_seat(row.id, found.id)
            case "admit":
                await in_database(seats.admit, row.id, found.id, now)
            case "lower":
                await in_database(seats.raise_hand, row.id, found.id, now, up=False)
            case "say":
                text = text_of(request.POST.get("text", ""))
                await in_database(class_room.say, row.id, found.id, row.step, text, now, from_instructor=True)
                await in_database(seats.raise_hand, row.id, found.id, now, up=False)
            case "link":
                token = await in_database(seats.make_link, row.id, found.id)
                link = request.build_absolute_uri(f"/seat/{token}/")
                qr = qr_code(link, _("This person's link as a QR code"))
                return await _show(request, row, seat, 201, link=link, qr=qr)
            case _:
                raise Http404(_("There is nothing of this name that can be done."))
    except (ValueError, NotSeatedError) as error:
        status = 400 if isinstance(error, ValueError) else 409
        return await _show(request, row, seat, status, problem=str(error))
    hub.tell(row.id, found.id)
    gone = what in {"remove", "admit"} or request.POST.get("from") == "console"
    return redirect(f"/sessions/{row.id}/console/" if gone else f"/sessions/{row.id}/console/seats/{found.id}/")
