"""Remote calls that pages make about experiments, engines and hosts."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from django.db import DatabaseError

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
from dashboard.store.experiments import load_unsettled


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What the launch form offers: the availability of each mode, the local images, and a free port to publish."""

    modes: tuple[ModeReport, ...]
    images: tuple[str, ...]
    port: int


async def launch_options(lab: Lab, ports: int = 1) -> LaunchOptions:
    """Returns what the launch form offers now. Its port is the first of so many successive free ``ports``. Raises
    EngineError if the engine does not answer."""
    context = lab.context
    modes = await modes_of(context.engine, context.info)
    tags = sorted({tag for image in await context.engine.images() for tag in image.tags})
    reserved: set[int] = set()
    with suppress(DatabaseError):
        # Experiments that are being launched do not listen yet.
        records = await context.database.run(load_unsettled, context.host)
        reserved = {publish.host_port for record in records for arm in record.spec.arms for publish in arm.publish}
    port = await asyncio.to_thread(free_port, context.info, reserved=reserved, count=ports)
    return LaunchOptions(modes, tuple(tags), port)


async def port_holders(lab: Lab, arms: tuple[ArmSpec, ...], experiment: str = "") -> tuple[PortHolder, ...]:
    """Returns which processes and containers hold the ports that ``arms`` need; see
    ``lab.engine.ports.port_holders``."""
    return await ports.port_holders(lab, arms, experiment)


async def start_engine(lab: Lab) -> bool:
    """Retries the failed start of the engine on the server's own private host. Returns True without waiting for the
    start, or False if the engine is not on such a host."""
    if lab.context.keeper is None:
        return False
    lab.context.keeper.start()
    return True


async def doctor(supervisor: Supervisor) -> Doctor:
    """Returns the doctor's report about the machine and the engine (JSON format ``doctor/1``), even if no lab is open
    because no engine answers."""
    if (context := supervisor.context) is not None:
        return await examine(context.engine, private=context.private)
    async with DockerEngine(endpoint()) as engine:
        return await examine(engine, private=False)


async def trace_paths(
    lab: Lab, experiment: str, key: str, beside: str = ""
) -> tuple[tuple[Trace, ...], dict[str, Path]]:
    """Traces a path and the path with which it is compared (see ``lab.experiments.trace.trace``). Returns the traces,
    and all traceable paths by the key of their request. Raises NotRunningError, or ValueError with a message for the
    user."""
    return await trace.trace(lab, experiment, key, beside), trace.traceable_paths(lab, experiment)


async def host_state(hosts: GroupHosts, group: str) -> HostState:
    """Returns the current state of a group's host."""
    return await hosts.state_of(group)


async def capacity(hosts: GroupHosts, limits: HostLimits | None = None) -> Capacity:
    """Returns how many private hosts run, how many more with these ``limits`` can be added, and whether private hosts
    are isolated from the machine. If no host can run, returns only the reason, which may be an invalid setting."""
    found = hosts.capacity(limits)
    if found.problem:
        return found
    return replace(found, isolated=suitable_runtime(engine_setup(), engine_options()) is Runtime.USER_NAMESPACE)


async def expect_hosts(hosts: GroupHosts) -> bool:
    """Makes the lab prepare the template for the hosts of a new session, before the first host is requested. Returns
    True without waiting for the template."""
    hosts.expect()
    return True
