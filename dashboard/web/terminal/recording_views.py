"""The instructor's page with recordings of terminals. Participants are informed if a session records terminals."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.comparison.text_table import printable
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training.terminal_recordings import Recording, lines_of, recordings
from dashboard.web.http.database import to_db_thread
from dashboard.web.training.responses import private_page
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording of a participant's terminal in one step. ``step``: the step's slug. ``title``: the step's number
    and title."""

    step: str
    title: str
    began_at: float
    ended_at: float


def _with_title(row: TrainingSession, found: Recording) -> Recorded:
    workshop = workshop_in(row)
    number = workshop.index(found.step)
    title = _("Other pages") if number is None else f"{number + 1}. {workshop.steps[number].title}"
    return Recorded(found.step, title, found.began_at, found.ended_at)


def _read(row: TrainingSession, key: str, step: str | None) -> dict[str, Any]:
    participant = participants.get(row.id, key)
    if participant is None:
        raise Http404(_("This session has no participant with this id."))
    steps = [_with_title(row, found) for found in recordings(participant.id)]
    shown = next((recorded for recorded in steps if recorded.step == step), steps[0] if steps else None)
    if step is not None and shown is not None and shown.step != step:
        raise Http404(_("Nothing was recorded in this step."))
    parts = [(at, printable(text)) for at, text in lines_of(participant.id, shown.step)] if shown is not None else []
    return {"session": row, "participant": participant, "steps": steps, "shown": shown, "parts": parts}


@require_GET
@for_instructor
async def recording(request: HttpRequest, row: TrainingSession, participant: str) -> HttpResponse:
    """Renders the page with the recording of one participant's terminal in one step, as text."""
    step = request.GET.get("step")
    context = await to_db_thread(_read, row, participant, step[:60] if step is not None else None)
    return await private_page(request, "terminal/recording.html", context)
