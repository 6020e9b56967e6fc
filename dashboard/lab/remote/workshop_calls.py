"""Remote calls that workshop pages make: an action of a user in a step, the true answer to a question, images and
diagrams."""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dashboard import configuration
from dashboard.core.diagram.observed_engine import draw_engine
from dashboard.core.experiments.picture import Picture
from dashboard.core.workshops.model import Workshop, truth_in
from dashboard.lab.reconciler import Lab
from dashboard.lab.supervisor import Supervisor
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.workshops.commands import CommandResult, pull_images, workshop_host
from dashboard.lab.workshops.files import Library
from dashboard.lab.workshops.snapshot import WorkshopHost, observe_host
from dashboard.lab.workshops.step import CheckResult, SharedObservations, StepLockedError, StepRunner

VIEW_S = 1.5
observations = SharedObservations()
_preparing: set[asyncio.Task[str]] = set()


@cache
def library() -> Library:
    """Returns the workshops of this installation."""
    return Library(configuration.data_dir() / "workshops")


@dataclass(frozen=True, slots=True)
class StepAccess:
    """Which steps of a workshop a person may work on, and where their commands run.

    ``digest`` identifies the version of the workshop that the page shows. If ``free`` is true, steps are open even if
    earlier ones are not done. Steps from the index ``until`` on are closed; None means no limit. The commands run on
    the host of ``group``; without a group, they run on the server's engine.
    """

    person: str
    workshop: str
    digest: str
    group: str = ""
    until: int | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class HostView:
    """What a step shows about its host before the first check. ``images`` are the images on the host. ``picture`` is
    the diagram for wide and for narrow pages, None if the host's namespaces could not be read."""

    images: tuple[str, ...] = ()
    picture: tuple[Picture, Picture] | None = None


class StepAction(StrEnum):
    """What a user can do in a step."""

    PREDICT = "predict"
    RUN = "run"
    CHECK = "check"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action. ``checked`` is the result of the check, None without a check. ``done`` is the result of
    the command, and ``ran`` is the command's index; both are None without a command."""

    checked: CheckResult | None = None
    done: CommandResult | None = None
    ran: int | None = None


async def _workshop(slug: str, digest: str) -> Workshop:
    """Returns the workshop in the version that the page shows. Raises StepLockedError if this lab does not have this
    version."""
    workshop = await asyncio.to_thread(library().get, slug)
    if workshop is None or workshop.digest != digest:
        raise StepLockedError(
            "The lab does not have this workshop, or has another version of it. Copy the workshop to the folder "
            "“workshops” in the data folder of the lab's machine."
        )
    return workshop


async def _host(supervisor: Supervisor, group: str) -> WorkshopHost:
    if not group:
        return workshop_host(supervisor.lab.context)
    try:
        return await supervisor.group_hosts.workshop_host_of(group)
    except HostUnavailableError as error:
        raise StepLockedError(str(error)) from error


async def act(
    supervisor: Supervisor, access: StepAccess, action: StepAction, step: str, number: int = 0, pressed: bool = False
) -> ActionResult:
    """Performs an action in the step ``step``. ``number`` is the index of the choice, the command or the hint.
    ``pressed`` is true if the user has requested the check with the button. Raises StepLockedError with what to do
    first, ValueError with a message for the user, or EngineError."""
    context = supervisor.lab.context
    host = await _host(supervisor, access.group)
    workshop = await _workshop(access.workshop, access.digest)
    runner = StepRunner(
        host,
        context.database,
        context.clock,
        access.person,
        workshop,
        until=access.until,
        observations=observations,
        free=access.free,
    )
    match action:
        case StepAction.PREDICT:
            await runner.predict(step, number)
            return ActionResult()
        case StepAction.RUN:
            done = await runner.run(step, number)
            return ActionResult(await runner.check(step, pressed=False, fresh=True), done, number)
        case StepAction.CHECK:
            return ActionResult(await runner.check(step, pressed=pressed))
        case StepAction.HINT:
            await runner.hint(step, number)
            return ActionResult()


async def view_host(supervisor: Supervisor, group: str = "") -> HostView:
    """Returns the images and the diagrams of the private host of ``group``; without a group, those of the server's
    engine. Raises TimeoutError after ``VIEW_S`` seconds."""
    async with asyncio.timeout(VIEW_S):
        observation = await observe_host(await _host(supervisor, group), time.time())
        return HostView(tuple(sorted(observation.images)), draw_engine(observation))


async def prepare_images(lab: Lab, wanted: tuple[str, ...]) -> None:
    """Starts making these images available in the background, if the lab's engine is on a private host. Does nothing on
    other engines, where an image may require a download. There, each command gets the image that it needs."""
    task = asyncio.get_running_loop().create_task(pull_images(workshop_host(lab.context), wanted))
    _preparing.add(task)
    task.add_done_callback(_prepared)


def _prepared(task: asyncio.Task[str]) -> None:
    _preparing.discard(task)
    if not task.cancelled():
        task.exception()  # ignored: the first step checks for the image and states what to do


async def picture(supervisor: Supervisor, group: str = "") -> tuple[Picture, Picture] | None:
    """Returns the wide and the narrow diagram of the current state of a host. The host is the private host of ``group``
    or, without a group, the server's engine. Returns None if the machine cannot be read. Raises StepLockedError or
    EngineError."""
    host = await _host(supervisor, group)
    return draw_engine(await observe_host(host, time.time()))


async def truth(lab: Lab, workshop: str, digest: str, step: str) -> str:
    """Returns the true answer to a step's question, read from the server's engine now. Returns an empty text if it
    cannot be read, or if the step has not been run there. ``digest`` identifies the version of the workshop that the
    page shows. Raises StepLockedError or EngineError."""
    loaded = await _workshop(workshop, digest)
    number = loaded.index(step)
    asked = loaded.steps[number] if number is not None else None
    if asked is None or asked.predict is None or asked.predict.reading is None:
        return ""
    observation = await observe_host(
        workshop_host(lab.context), time.time(), asked.lookups, asked.ports, rules=asked.reads_rules
    )
    return truth_in(asked, observation)
