"""Remote calls about experiments, engines and hosts, which pages use."""

import asyncio
from dataclasses import dataclass, replace

from dashboard.core.experiments.launching.ports import PortHolder
from dashboard.core.experiments.messages import Doctor, ModeReport
from dashboard.core.modes import ArmSpec
from dashboard.core.paths.hops import Trace
from dashboard.core.paths.model import Path
from dashboard.core.training.capacity import Capacity, HostLimits
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.programs import engine_options, engine_setup
from dashboard.engine.hosts.runtimes import Runtime, suitable_runtime
from dashboard.lab.bootstrap import endpoint
from dashboard.lab.doctor import examine, free_port, modes_of
from dashboard.lab.engine import ports
from dashboard.lab.experiments import trace
from dashboard.lab.reconciler import Lab
from dashboard.lab.supervisor import Supervisor
from dashboard.lab.training.hosts import GroupHosts, HostState


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """The choices of the launch form: modes, local images, and a free port to publish."""

    modes: tuple[ModeReport, ...]
    images: tuple[str, ...]
    port: int


async def launch_options(lab: Lab) -> LaunchOptions:
    """The current choices of the launch form. Raises EngineError if the engine does not answer."""
    context = lab.context
    modes = await modes_of(context.engine, context.info)
    tags = sorted({tag for image in await context.engine.images() for tag in image.tags})
    info = context.info
    port = await asyncio.to_thread(free_port, info.pid, path=info.netns)
    return LaunchOptions(modes, tuple(tags), port)


async def port_holders(lab: Lab, arms: tuple[ArmSpec, ...], experiment: str = "") -> tuple[PortHolder, ...]:
    """As ``lab.engine.ports.port_holders``."""
    return await ports.port_holders(lab, arms, experiment)


async def start_engine(lab: Lab) -> bool:
    """Starts the engine of the server's own private host again after a failure. False for any other engine."""
    if lab.context.keeper is None:
        return False
    lab.context.keeper.start()
    return True


async def doctor(supervisor: Supervisor) -> Doctor:
    """The report ``doctor/1``, even while no lab is open because no engine answers."""
    if (context := supervisor.context) is not None:
        return await examine(context.engine, private=context.private)
    async with DockerEngine(endpoint()) as engine:
        return await examine(engine, private=False)


async def trace_paths(
    lab: Lab, experiment: str, key: str, beside: str = ""
) -> tuple[tuple[Trace, ...], dict[str, Path]]:
    """The traces of the path ``key`` and of the one that it is compared with (``lab.experiments.trace.trace``); and all
    traceable paths by ``request_key``. NotRunningError, or ValueError with a message for the user."""
    return await trace.trace(lab, experiment, key, beside), trace.traceable_paths(lab, experiment)


async def host_state(hosts: GroupHosts, group: str) -> HostState:
    """The current state of a group's host."""
    return await hosts.state_of(group)


async def capacity(hosts: GroupHosts, limits: HostLimits | None = None) -> Capacity:
    """The number of running hosts and of hosts that can be added, and whether they are isolated from the machine."""
    isolated = suitable_runtime(engine_setup(), engine_options()) is Runtime.USER_NAMESPACE
    return replace(hosts.capacity(limits), isolated=isolated)


async def expect_hosts(hosts: GroupHosts) -> bool:
    """Prepares the template for the hosts of a new session, before the first host is requested."""
    hosts.expect()
    return True
