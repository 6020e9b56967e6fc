"""What terminals have shown, for the instructor to read; only where the session says so, and everybody was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.comparison.text_table import printable
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training.terminal_recordings import Recording, lines_of, recordings
from dashboard.web.http.database import in_database
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.views import page


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is kept of one step, with its title."""

    step: str
    title: str
    began_at: float
    ended_at: float


def _named(row: TrainingSession, found: Recording) -> Recorded:
    workshop = workshop_in(row)
    number = workshop.index(found.step)
    title = _("Elsewhere") if number is None else f"{number + 1}. {workshop.steps[number].title}"
    return Recorded(found.step, title, found.began_at, found.ended_at)


def _read(row: TrainingSession, participant: str, step: str | None) -> dict[str, Any]:
    found = participants.get(row.id, participant)
    if found is None:
        raise Http404(_("There is nobody with this number in this session."))
    steps = [_named(row, one) for one in recordings(found.id)]
    shown = next((one for one in steps if one.step == step), steps[0] if steps else None)
    if step is not None and shown is not None and shown.step != step:
        raise Http404(_("Nothing was recorded in this step."))
    parts = [(at, printable(text)) for at, text in lines_of(found.id, shown.step)] if shown is not None else []
    return {"session": row, "participant": found, "steps": steps, "shown": shown, "parts": parts, "base": "base.html"}


@require_GET
@for_instructor
async def recording(request: HttpRequest, row: TrainingSession, participant: str) -> HttpResponse:
    """One step of one person, as text."""
    step = request.GET.get("step")
    context = await in_database(_read, row, participant, step[:60] if step is not None else None)
    response = await page(request, "terminal/recording.html", context)
    response["Cache-Control"] = "no-store"
    return response
