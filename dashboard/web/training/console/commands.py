"""The commands of the instructor's console: step, pace, timer, reveal, shared comparison, messages, closing and
more."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard.core.training.pacing import Pace, step_at_offset, timer_ends
from dashboard.core.training.session import HOURS, HostsFor, parse_text
from dashboard.core.workshops.model import Workshop
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import workshop_calls
from dashboard.lab.workshops.step import StepLockedError
from dashboard.models import TrainingSession
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.web.http.database import to_db_thread
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.console import machines
from dashboard.web.training.hub import hub
from dashboard.web.training.responses import refused
from dashboard.web.training.roles import for_instructor
from dashboard.web.training.step_context import workshop_in
from dashboard.web.workshops.step_context import PART_HEADER


@dataclass(frozen=True, slots=True)
class Command:
    """A form that the instructor has submitted on the console, and the session that it changes.

    ``now`` is the time of the request.
    """

    post: QueryDict
    row: TrainingSession
    now: float

    def text(self, name: str) -> str:
        """Returns the value of a field of the form; empty if it is missing."""
        return str(self.post.get(name, ""))

    async def workshop(self) -> Workshop:
        """Returns the session's workshop. Raises Http404 if it is missing or has errors."""
        return await to_db_thread(workshop_in, self.row)

    async def step(self, name: str = "step") -> str:
        """Returns the slug of the step in the field ``name``. Raises ValueError if the form contains no valid step."""
        step = self.text(name)
        if (await self.workshop()).index(step) is None:
            raise ValueError(_("Choose one of the steps."))
        return step

    async def call(self, function: Callable[..., bool], *args: Any, **fields: Any) -> bool:
        """Calls a function of the store with the ids of the session and of its instructor, then ``args`` and
        ``fields``.

        Returns whether the function changed the session.
        """
        return await to_db_thread(function, self.row.id, self.row.owner_id, *args, **fields)

    async def change(self, **fields: str | bool | float) -> bool:
        """Sets fields of the session. Returns False if the session cannot be changed, because it is over."""
        return await self.call(training_sessions.change, self.now, **fields)


async def _step(command: Command) -> bool:
    offset = {"next": 1, "back": -1}.get(command.text("by"))
    if offset is None:
        step = await command.step()
    else:
        # The console's step, not the stored one: a second press of the button, before the page has changed, skips none.
        start = await command.step("from") if "from" in command.post else command.row.step
        step = step_at_offset(await command.workshop(), start, offset)
    return await command.call(training_sessions.go_to, command.now, step)


async def _pace(command: Command) -> bool:
    if (pace := command.text("pace")) not in set(Pace):
        raise ValueError(_("Choose one of the options."))
    return await command.call(training_sessions.set_pace, command.now, Pace(pace), await command.step())


async def _lock(command: Command) -> bool:
    return await command.change(locked=command.text("locked") == "yes")


async def _doors(command: Command) -> bool:
    required = command.text("shut") == "yes"
    done = await command.change(admission_required=required)
    if done and not required:
        hub.tell(command.row.id, *await to_db_thread(participants.admit_all, command.row.id, command.now))
    return done


async def _timer(command: Command) -> bool:
    try:
        minutes = float(command.text("minutes").replace(",", ".") or 0)
    except ValueError:
        raise ValueError(_("Enter the minutes as a number.")) from None
    return await command.change(timer_ends_at=timer_ends(minutes, command.now))


async def _reveal(command: Command) -> bool:
    step, workshop, truth = await command.step(), await command.workshop(), ""
    # With private hosts, participants run the step, and the state of the server's engine proves nothing.
    without_hosts = command.row.hosts == HostsFor.NONE
    if without_hosts and not await to_db_thread(session_state.truths, command.row, [step]):
        try:
            truth = await service.ask(workshop_calls.truth, workshop.slug, workshop.digest, step)
        except (LabUnavailableError, EngineError, StepLockedError):
            truth = ""  # revealed without a reading from the server's engine
    return await command.call(training_sessions.reveal, command.now, step, truth)


async def _mirror(command: Command) -> bool:
    done = await command.call(training_sessions.mirror, command.now, command.text("experiment")[:16])
    if done:
        hub.end_mirrors(command.row.id)
    elif not command.row.closed_at:
        raise ValueError(_("No experiment has this id."))
    return done


async def _pointer(command: Command) -> bool:
    return await command.change(pointed_row=command.text("row")[:300])


async def _notes(command: Command) -> bool:
    return await command.call(training_sessions.write_notes, command.text("notes"))


async def _say(command: Command) -> bool:
    row, text = command.row, parse_text(command.text("text"))
    if row.closed_at:
        return False
    await to_db_thread(session_state.add_message, row.id, None, row.step, text, command.now, from_instructor=True)
    return True


async def _extend(command: Command) -> bool:
    if (hours := command.text("hours")) not in set(map(str, HOURS)):
        raise ValueError(_("Choose one of the options."))
    return await command.call(training_sessions.extend, command.now, int(hours))


async def _move(command: Command) -> bool:
    return await machines.move(command.row, command.text("machine")[:64])


async def _close(command: Command) -> bool:
    done = await command.call(training_sessions.close, command.now)
    hub.end_mirrors(command.row.id)
    service.wake()
    return done


COMMANDS: dict[str, Callable[[Command], Awaitable[bool]]] = {
    "step": _step,
    "pace": _pace,
    "lock": _lock,
    "doors": _doors,
    "timer": _timer,
    "reveal": _reveal,
    "mirror": _mirror,
    "pointer": _pointer,
    "notes": _notes,
    "say": _say,
    "extend": _extend,
    "move": _move,
    "close": _close,
}


@require_POST
@for_instructor
async def steer(request: HttpRequest, row: TrainingSession, what: str) -> HttpResponse:
    """Executes the command ``what``, one of ``COMMANDS``, and sends the changes to all participants."""
    if what not in COMMANDS:
        raise Http404(_("This action is unknown."))
    command = Command(request.POST, row, shared_clock())
    try:
        done = await COMMANDS[what](command)
    except ValueError as error:
        return await _refused(request, row, 400, str(error))
    if not done:
        return await _refused(request, row, 409, _("This session is over and cannot be changed."))
    hub.tell(row.id)
    if PART_HEADER in request.headers:
        return HttpResponse(status=204)
    return redirect(f"/sessions/{row.id}/console/#{what}")


async def _refused(request: HttpRequest, row: TrainingSession, status: int, sentence: str) -> HttpResponse:
    return await refused(request, status, _("Cannot change the session"), sentence, f"/sessions/{row.id}/console/")


@require_POST
@for_instructor
async def delete(request: HttpRequest, row: TrainingSession) -> HttpResponse:
    """Deletes a session. Refuses that if it is not closed."""
    if not await to_db_thread(training_sessions.delete, row.id, row.owner_id):
        return await _refused(request, row, 409, _("Close the session first."))
    return redirect("/sessions/")
