"""Small things that the pages ask of the lab (``questions``)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dashboard.core.experiments.messages import Doctor, ModeReport
from dashboard.core.paths.trace import Trace
from dashboard.core.paths.try_paths import Way
from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.lab.doctor import examine, free_port, modes_of
from dashboard.lab.experiments import trace
from dashboard.lab.reconciler import Lab
from dashboard.lab.training.hosts import GroupHosts, HostState


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What the form of a new experiment shows: modes, local images, a port to publish at which nobody listens."""

    modes: tuple[ModeReport, ...]
    images: tuple[str, ...]
    port: int


async def surroundings(lab: Lab) -> LaunchOptions:
    """What there is now. EngineError if the engine does not answer."""
    context = lab.context
    modes = await modes_of(context.engine, context.info)
    tags = sorted({tag for image in await context.engine.images() for tag in image.tags})
    return LaunchOptions(modes, tuple(tags), await asyncio.to_thread(free_port, context.info.pid))


async def doctor(lab: Lab) -> Doctor:
    """``doctor/1``."""
    return await examine(lab.context.engine, private=lab.context.private)


async def trace_ways(
    lab: Lab, experiment: str, way: str, beside: str = ""
) -> tuple[tuple[Trace, ...], tuple[Way, ...]]:
    """The traces of a way and of the one beside it, and the ways that could be chosen. NotRunningError, or ValueError
    with a sentence."""
    return await trace.trace(lab, experiment, way, beside), trace.traceable(lab, experiment)


async def host_state(hosts: GroupHosts, group: str) -> HostState:
    """The host of a group in a class as it is."""
    return await hosts.state_of(group)


async def want_host(hosts: GroupHosts, group: str, again: bool = False) -> HostState:
    """The host of a group, asked for, or thrown away and made anew. NoHostError if it can have none."""
    if again:
        await hosts.reset(group)
        return await hosts.state_of(group)
    return await hosts.host_for(group)


async def capacity(hosts: GroupHosts, limits: HostLimits | None = None) -> Capacity:
    """How many hosts run and how many more fit."""
    return hosts.capacity(limits)
