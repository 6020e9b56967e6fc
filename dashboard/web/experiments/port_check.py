"""Checks before a launch whether the ports that it needs are held, and shows the holders."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.core.experiments.launching.ports import PortHolder
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.parts import SERVER_NAME
from dashboard.core.modes import ArmSpec
from dashboard.core.operations.machines import place_of, split_place
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import experiment_calls
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.web.experiments.machines import arms_by_place
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import UrlScope
from dashboard.web.service import LabUnavailableError, service

#: Seconds to wait for the lab's answer, so that a launch is answered even while the lab waits for the database.
ANSWER_S = 2.0
#: The field of a form that launches although ports are held.
ANYWAY = "anyway"
#: The field of the launch form that names an experiment to stop, because it holds a port.
STOP = "stop"
#: Seconds to wait until a stopped experiment holds no port.
STOP_TIMEOUT_S = 15.0
STOP_POLL_S = 0.1


async def find_holders(
    request: HttpRequest, arms: tuple[ArmSpec, ...], experiment: str = "", host: str = ""
) -> tuple[PortHolder, ...]:
    """The holders of the ports that ``arms`` need, except ``experiment`` itself. ``host`` is the private host of a
    training session. Empty if the user launches anyway, and if the lab does not answer: the experiment then shows why
    it waits."""
    if ANYWAY in request.POST:
        return ()
    return (await _ask(arms, experiment, host)).holders


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers of labs; ``is_complete``: the labs of all machines answered."""

    holders: tuple[PortHolder, ...] = ()
    is_complete: bool = False


async def _ask(arms: tuple[ArmSpec, ...], experiment: str, host: str) -> _Answers:
    """The answers of the labs of all machines. If there are several, each sentence begins with its machine."""
    by_place = arms_by_place(arms, host)
    if list(by_place) == [host] or not arms:
        answer = await _ask_at(arms, experiment, host)
        return _Answers(answer or (), answer is not None)
    parts_of = await to_db_thread(parts.ids_by_place, experiment) if experiment else {}
    answers = await asyncio.gather(*(_ask_at(own, parts_of.get(place, ""), place) for place, own in by_place.items()))
    holders = (
        replace(holder, sentence=f"{split_place(place)[0] or SERVER_NAME}: {holder.sentence}")
        for place, answer in zip(by_place, answers, strict=True)
        for holder in answer or ()
    )
    return _Answers(tuple(holders), None not in answers)


async def _ask_at(arms: tuple[ArmSpec, ...], experiment: str, host: str) -> tuple[PortHolder, ...] | None:
    """The answer of the lab; None if it does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await service.ask_of(host, experiment_calls.port_holders, arms, experiment)
    except (LabUnavailableError, EngineError, TimeoutError):
        return None


async def stop_holder(request: HttpRequest, arms: tuple[ArmSpec, ...], host: str = "") -> tuple[PortHolder, ...] | None:
    """Stops the experiment that the launch form names, and waits until it holds none of the ports that ``arms`` need.
    Returns the remaining holders; None if they are unknown because a machine's lab does not answer."""
    identity = request.POST[STOP]
    await to_db_thread(parts.set_wanted, identity, Wanted.STOPPED)
    service.wake()
    answers = _Answers()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while True:
                answers = await _ask(arms, "", host)
                if not any(one.experiment is not None and one.experiment.id == identity for one in answers.holders):
                    break
                await asyncio.sleep(STOP_POLL_S)
    return answers.holders if answers.holders or answers.is_complete else None


async def show_held_ports(request: HttpRequest, identity: str, scope: UrlScope, host: str = "") -> HttpResponse | None:
    """A page on who holds the ports that a launch of this experiment needs; None if it can be launched. ``host``
    defaults to the private host on which the experiment ran, if any."""
    record = await to_db_thread(experiment_store.load, identity)
    if record is None:
        return None
    holders = await find_holders(request, record.spec.arms, identity, host or place_of(record.machine, record.host))
    if not holders:
        return None
    context = {
        "holders": holders,
        "title": record.title,
        "identity": identity,
        "experiment_url": scope.experiment(identity),
        "experiments_url": scope.experiments,
        **scope.context,
    }
    return await to_db_thread(lambda: render(request, "experiments/trouble/ports_held.html", context, status=409))
