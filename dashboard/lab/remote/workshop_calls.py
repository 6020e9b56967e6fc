"""What the pages of workshops and classes ask of the lab: a deed in a step, the truth of a question (``questions``)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dashboard import configuration
from dashboard.core.workshops.model import Workshop, judge_step
from dashboard.lab.reconciler import Lab
from dashboard.lab.supervisor import Supervisor
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.workshops.commands import Done, prepare, workshop_host
from dashboard.lab.workshops.files import Library
from dashboard.lab.workshops.snapshot import WorkshopHost, look
from dashboard.lab.workshops.step import Checked, Looks, NotOpenError, Play

IMAGES_S = 1.0
looks = Looks()
_preparing: set[asyncio.Task[str]] = set()


@cache
def library() -> Library:
    """The workshops of this installation."""
    return Library(configuration.data_dir() / "workshops")


@dataclass(frozen=True, slots=True)
class StepAccess:
    """Who works, in which workshop, how far they may go, and where: on the host of a ``group`` of a class, or on the
    server's own engine where that is empty. ``digest`` is that of the workshop as the page shows it."""

    person: str
    workshop: str
    digest: str
    group: str = ""
    until: int | None = None
    free: bool = False


class StepAction(StrEnum):
    """What somebody does in a step."""

    PREDICT = "predict"
    RUN = "run"
    CHECK = "check"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of a deed. ``ran`` is the number of the command that was carried out."""

    checked: Checked | None = None
    done: Done | None = None
    ran: int | None = None
    pressed: bool = False


async def _workshop(slug: str, digest: str) -> Workshop:
    """The workshop as the page has it; NotOpenError where this lab has another."""
    found = await asyncio.to_thread(library().get, slug)
    if found is None or found.digest != digest:
        raise NotOpenError(
            "The lab does not have this workshop as it is shown here: copy it to the folder “workshops” of both."
        )
    return found


async def _host(supervisor: Supervisor, group: str) -> WorkshopHost:
    if not group:
        return workshop_host(supervisor.lab.context)
    try:
        return await supervisor.class_hosts.workshop_host_of(group)
    except HostUnavailableError as error:
        raise NotOpenError(str(error)) from error


async def act(
    supervisor: Supervisor,
    desk: StepAccess,
    deed: StepAction,
    step: str,
    number: int = 0,
    pressed: bool = False,
) -> ActionResult:
    """Does it. NotOpenError with what to do first, ValueError with a sentence, EngineError."""
    context = supervisor.lab.context
    host = await _host(supervisor, desk.group)
    workshop = await _workshop(desk.workshop, desk.digest)
    play = Play(
        host, context.database, context.clock, desk.person, workshop, until=desk.until, looks=looks, free=desk.free
    )
    match deed:
        case StepAction.PREDICT:
            await play.predict(step, number)
            return ActionResult()
        case StepAction.RUN:
            done = await play.run(step, number)
            return ActionResult(await play.check(step, pressed=False, fresh=True), done, number)
        case StepAction.CHECK:
            return ActionResult(await play.check(step, pressed=pressed), pressed=pressed)
        case StepAction.HINT:
            await play.hint(step, number)
            return ActionResult()


async def images(supervisor: Supervisor, group: str = "") -> tuple[str, ...]:
    """The images of the engine on which somebody works. TimeoutError where that takes long."""
    async with asyncio.timeout(IMAGES_S):
        host = await _host(supervisor, group)
        return tuple(sorted({tag for image in await host.engine.images() for tag in image.tags}))


async def prepare_images(lab: Lab, wanted: tuple[str, ...]) -> None:
    """Begins to get these images, where that costs nobody anything."""
    task = asyncio.get_running_loop().create_task(prepare(workshop_host(lab.context), wanted))
    _preparing.add(task)
    task.add_done_callback(_prepared)


def _prepared(task: asyncio.Task[str]) -> None:
    _preparing.discard(task)
    if not task.cancelled():
        task.exception()  # the first step looks whether the image is there, and says what to do


async def truth(lab: Lab, workshop: str, digest: str, step: str) -> str:
    """What the kernel of the server's engine says about a step's question just now; empty where nobody can say."""
    whole = await _workshop(workshop, digest)
    number = whole.index(step)
    one = whole.steps[number] if number is not None else None
    if one is None or one.predict is None or one.predict.reading is None:
        return ""
    observation = await look(workshop_host(lab.context), time.time(), one.lookups, one.ports)
    return judge_step(one, observation, {}).truth
