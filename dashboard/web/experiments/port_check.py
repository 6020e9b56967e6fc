"""Checks before a launch whether other programs use the ports that it needs, and shows these programs."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.core.experiments.launching.ports import PortHolder
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.parts import SERVER_NAME
from dashboard.core.modes import FORWARDING, ArmSpec, ExperimentSpec
from dashboard.core.operations.machines import place_of, split_place
from dashboard.engine.protocol import EngineError
from dashboard.lab.remote import experiment_calls
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.web.experiments.forms import LaunchForm
from dashboard.web.experiments.machines import arms_by_place
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.url_scope import UrlScope
from dashboard.web.service import LabUnavailableError, service

#: Seconds to wait for a lab's answer, so that a launch gets a response even while the lab waits for the database.
ANSWER_S = 2.0
#: The form field with which the user launches although ports are held.
ANYWAY = "anyway"
#: The field of the launch form with the id of an experiment to stop, because it holds a port.
STOP = "stop"
#: Seconds to wait until a stopped experiment no longer holds ports.
STOP_TIMEOUT_S = 15.0
STOP_POLL_S = 0.1


async def find_holders(
    request: HttpRequest, arms: tuple[ArmSpec, ...], experiment: str = "", host: str = ""
) -> tuple[PortHolder, ...]:
    """Returns the programs that hold ports which ``arms`` need.

    Arms that name no machine run at the place ``host``. Programs of ``experiment``, which is launched again, are
    omitted. The result is empty if the user has chosen to launch anyway. It lacks the programs at a place whose lab
    does not answer. In both cases, the experiment shows later why it waits.
    """
    if ANYWAY in request.POST:
        return ()
    return (await _ask(arms, experiment, host)).holders


async def find_free_ports(
    request: HttpRequest, form: LaunchForm, spec: ExperimentSpec, host: str
) -> tuple[ExperimentSpec, tuple[PortHolder, ...]]:
    """Returns the experiment that a launch form describes, and the programs that hold ports which it needs
    (``find_holders``).

    If such ports are held and the user has named none, the experiment is published at ports that are free now: the port
    that the form contains was free when the page was opened, and each further arm uses the next port.
    """
    holders = await find_holders(request, spec.arms, host=host)
    if not holders or not form.uses_free_port:
        return spec, holders
    ports = sum(arm.mode in FORWARDING for arm in spec.arms)
    try:
        options = await service.ask_of(host, experiment_calls.launch_options, ports)
    except (LabUnavailableError, EngineError):
        return spec, holders
    spec = form.parse(options.port) or spec
    return spec, await find_holders(request, spec.arms, host=host)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The port holders that labs have reported. ``is_complete`` is true if the labs of all machines have answered."""

    holders: tuple[PortHolder, ...] = ()
    is_complete: bool = False


async def _ask(arms: tuple[ArmSpec, ...], experiment: str, host: str) -> _Answers:
    """Asks the labs of all places where ``arms`` run which programs hold ports that the arms need.

    Arms that name no machine run at the place ``host``. Programs of ``experiment``, which is launched again, are
    omitted. If arms name machines, the sentence about each program begins with the name of its machine.
    """
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
    """Returns the programs that hold the arms' ports at the place ``host``; None if the lab there does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await service.ask_of(host, experiment_calls.port_holders, arms, experiment)
    except (LabUnavailableError, EngineError, TimeoutError):
        return None


async def stop_holder(request: HttpRequest, arms: tuple[ArmSpec, ...], host: str = "") -> tuple[PortHolder, ...] | None:
    """Stops the experiment that the launch form names, and waits until it holds no port that ``arms`` need.

    Returns the programs that still hold such ports. Returns None if no such program was found but a lab did not answer,
    because the ports there may be held. Arms that name no machine run at the place ``host``.
    """
    identity = request.POST[STOP]

    def is_own(holder: PortHolder) -> bool:
        return holder.experiment is not None and holder.experiment.id == identity

    own_ports = {holder.port for holder in (await _ask(arms, "", host)).holders if is_own(holder)}
    await to_db_thread(parts.set_wanted, identity, Wanted.STOPPED)
    service.wake()
    answers = _Answers()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            while True:
                answers = await _ask(arms, "", host)
                # While a process ends, its socket still listens, but has no owner.
                if not any(
                    is_own(one) or (one.experiment is None and one.port in own_ports) for one in answers.holders
                ):
                    break
                await asyncio.sleep(STOP_POLL_S)
    return answers.holders if answers.holders or answers.is_complete else None


async def show_held_ports(request: HttpRequest, identity: str, scope: UrlScope, host: str = "") -> HttpResponse | None:
    """Returns a page with the programs that hold ports which an experiment needs to be launched again.

    Returns None if there are no such programs. ``host`` is the place of the launch, by default the place where the
    experiment ran.
    """
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
