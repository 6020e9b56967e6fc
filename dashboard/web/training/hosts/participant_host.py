"""Decorator of a participant's views about the group's host: checks access, and provides URLs and template
variables."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from dashboard.core.training.group_quota import RunKind
from dashboard.core.training.session import HostsFor, group_key
from dashboard.models import TrainingSession
from dashboard.store.training import group_runs
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import UrlScope
from dashboard.web.training.hub import hub
from dashboard.web.training.responses import refused
from dashboard.web.training.roles import for_admitted
from dashboard.web.training.step_context import BASE, closed_reason, page_context
from dashboard.web.workshops.views import render_page


@dataclass(frozen=True, slots=True)
class ParticipantHostContext:
    """A participant who uses the group's private host. ``scope`` builds the URLs of the group's pages."""

    row: TrainingSession
    scope: UrlScope

    @property
    def group(self) -> str:
        """The key of the participant's group."""
        return self.scope.group


type Answer = Coroutine[Any, Any, HttpResponseBase]
type HostView[**P] = Callable[Concatenate[HttpRequest, ParticipantHostContext, P], Answer]
type View = Callable[..., Answer]


def on_group_host[**P](kind: RunKind | None = None) -> Callable[[HostView[P]], View]:
    """Decorator for views of admitted participants: passes a ``ParticipantHostContext`` to the view.

    ``kind`` is given if the URL contains the id of a run (``run_id``); it is the kind of this run. Answers 404 if the
    run does not belong to the group. Refuses POST requests after the session is over. In a session without private
    hosts, renders a page that explains this.
    """

    def decorate(view: HostView[P]) -> View:
        @for_admitted
        @wraps(view)
        async def wrapped(
            request: HttpRequest,
            row: TrainingSession,
            participant: ParticipantRef,
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> HttpResponse:
            post = request.method == "POST"
            if row.hosts == HostsFor.NONE:
                context = {**await page_context(row, participant), "no_hosts": True}
                return await render_page(request, "training/host.html", context, 409 if post else 200)
            group = group_key(row.id, participant.group)
            if kind is not None and await to_db_thread(group_runs.group_of, kind, str(kwargs["run_id"])) != group:
                raise Http404(_("Your group has no experiment, measurement or run with this id."))
            front = f"/sessions/{row.id}/lab/"
            if post:
                if row.closed_at:
                    return await refused(request, 409, _("This session is over"), closed_reason(row), front)
                await to_db_thread(group_runs.mark_used, group)
            scope = UrlScope(front, BASE, await page_context(row, participant), group)
            host = ParticipantHostContext(row, scope)
            answer = cast("HttpResponse", await view(request, host, *args, **kwargs))
            if post:
                hub.wake(row.id)  # so that the instructor sees what runs now
            return answer

        return wrapped

    return decorate
