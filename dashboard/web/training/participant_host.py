"""The way to a participant's own host: who may, and what stands around every page there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from dashboard.core.training.group_quota import WorkKind
from dashboard.core.training.session import HostsFor, group_key
from dashboard.models import TrainingSession
from dashboard.store.training import group_runs
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.experiments.views import refuse
from dashboard.web.http.database import in_database
from dashboard.web.http.url_scope import Where
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import for_participant
from dashboard.web.training.step_context import around, closed_because, workshop_in
from dashboard.web.workshops.views import page


@dataclass(frozen=True, slots=True)
class Inside:
    """Who is there: ``where`` are the pages of the participant's group."""

    row: TrainingSession
    participant: ParticipantRef
    where: Where

    @property
    def group(self) -> str:
        """The key of the group."""
        return self.where.group


type Answered = Coroutine[Any, Any, HttpResponseBase]
type View[**P] = Callable[Concatenate[HttpRequest, Inside, P], Answered]
type Outer = Callable[..., Answered]


def front_of(session: str) -> str:
    """The address of a participant's own host."""
    return f"/sessions/{session}/lab/"


async def refused(request: HttpRequest, status: int, title: str, sentence: str, back: str) -> HttpResponse:
    """A refusal in the form in which it is read: a page, JSON, or a line of text."""
    accepted = request.headers.get("Accept", "")
    if "application/json" in accepted:
        return JsonResponse({"detail": sentence}, status=status)
    if accepted.startswith("text/plain"):
        return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")

    def answer() -> HttpResponse:
        return refuse(request, status, title, sentence, back=back)

    return await in_database(answer)


async def _without(request: HttpRequest, row: TrainingSession, participant: ParticipantRef) -> HttpResponse:
    """Where nobody has a host there is a sentence, and nothing to press."""
    extra = await around(row, participant, await in_database(workshop_in, row))
    context = {**extra, "base": "training/participant_base.html", "no_hosts": True}
    return await page(request, "training/host.html", context, 409 if request.method == "POST" else 200)


def in_lab[**P](kind: WorkKind | None = None) -> Callable[[View[P]], Outer]:
    """A view for an admitted participant, which is told where it is. ``kind``: the address names as ``work`` something of that
    kind, which must be the group's own; 404 for anything else. What changes something is refused once the session is
    over."""

    def decorate(view: View[P]) -> Outer:
        @wraps(view)
        @for_participant
        async def asked(
            request: HttpRequest,
            row: TrainingSession,
            participant: ParticipantRef,
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> HttpResponse:
            if not participant.admitted:
                return redirect(f"/sessions/{row.id}/")
            if row.hosts == HostsFor.NONE:
                return await _without(request, row, participant)
            group = group_key(row.id, participant.group)
            if kind is not None and await in_database(group_runs.group_of, kind, str(kwargs["work"])) != group:
                raise Http404(_("Your group has nothing with this number."))
            front = front_of(row.id)
            if request.method == "POST":
                if row.closed_at:
                    title = _("Nothing can be done now")
                    return await refused(request, 409, title, closed_because(row), front)
                await in_database(group_runs.used, group)
            extra = await around(row, participant, await in_database(workshop_in, row))
            where = Where(front, "training/participant_base.html", extra, group)
            answer = cast("HttpResponse", await view(request, Inside(row, participant, where), *args, **kwargs))
            if request.method == "POST":
                hub.wake(row.id)  # the instructor sees what is there now
            return answer

        return asked

    return decorate
