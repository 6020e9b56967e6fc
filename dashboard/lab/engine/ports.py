"""Finds which processes and containers hold the machine's ports that an experiment needs."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from dashboard.core.experiments.launching.ports import (
    HostPort,
    PortHolder,
    PortUser,
    held_ports,
    needed_ports,
    ports_of,
)
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ExperimentRef
from dashboard.core.modes import ArmSpec
from dashboard.core.namespaces.state import Listener
from dashboard.engine.daemon_process import port_namespaces
from dashboard.engine.protocol import ContainerFacts, EngineInfo
from dashboard.lab.context import LABEL, LABEL_EXPERIMENT, Context
from dashboard.lab.reconciler import Lab
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.listeners import ListeningSocket, read_listeners
from dashboard.netns.processes import find_owners
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record

#: How many seconds the check waits for experiments that are being stopped.
STOPPING_S = 5.0
#: How many seconds the check waits for a listening socket whose process is not known: the kernel may show the socket of
#: a program for a moment after the program and its container have ended.
ENDING_S = 0.5
POLL_S = 0.1


async def port_holders(lab: Lab, arms: tuple[ArmSpec, ...], experiment: str = "") -> tuple[PortHolder, ...]:
    """Returns which processes and containers hold the ports that ``arms`` need. Raises EngineError if the engine does
    not answer.

    The containers of ``experiment`` itself are ignored. If an experiment that is being stopped holds one of the ports,
    first waits up to ``STOPPING_S`` seconds until that port is free. If an unknown process holds one of them, first
    waits up to ``ENDING_S`` seconds.
    """
    needed = needed_ports(arms)
    if not needed:
        return ()
    loop = asyncio.get_running_loop()
    started = loop.time()
    while True:
        records = await lab.context.database.run(experiment_store.load_unsettled, lab.context.host)
        stopping = {record.id for record in records if record.wanted is not Wanted.RUNNING}
        holders = await _read(lab.context, needed, experiment, {record.id: record for record in records})
        is_stopping = any(holder.experiment is not None and holder.experiment.id in stopping for holder in holders)
        may_be_ending = not all(holder.is_identified for holder in holders)
        wait_s = STOPPING_S if is_stopping else ENDING_S if may_be_ending else 0.0
        if loop.time() - started >= wait_s:
            return holders
        await asyncio.sleep(POLL_S)


async def _read(
    context: Context, needed: tuple[HostPort, ...], experiment: str, records: dict[str, Record]
) -> tuple[PortHolder, ...]:
    containers = await context.engine.containers({})
    users = [_user(context, container, records) for container in containers if container.running]
    first = {container.pid: container.id for container in containers if container.running and container.pid}
    listeners = await asyncio.to_thread(_listeners, context.info, {port.port for port in needed}, first)
    return held_ports(needed, listeners, users, experiment)


def _user(context: Context, container: ContainerFacts, records: dict[str, Record]) -> PortUser:
    ports = ports_of(container.published)
    record = records.get(container.labels.get(LABEL_EXPERIMENT, ""))
    if record is None or container.labels.get(LABEL) != context.installation:
        return PortUser(container.id, f"container {container.name}", ports)
    return PortUser(container.id, f"experiment “{record.title}”", ports, ExperimentRef(record.id, record.title))


def _listeners(info: EngineInfo, ports: set[int], containers: Mapping[int, str]) -> tuple[Listener, ...]:
    """Returns the listeners on these ports, with their owners, where the Engine ``info`` binds published ports.

    Those in a namespace that cannot be entered are omitted. ``containers`` maps the pid of each container's first
    process to the container's id.
    """
    sockets: list[ListeningSocket] = []
    for pid, path in port_namespaces(info):
        with suppress(OSError, NamespaceGone), Namespace.of_machine(pid, path) as namespace:
            sockets += [listener for listener in read_listeners(namespace) if listener.port in ports]
    owners = find_owners({socket.inode for socket in sockets}, (), containers)
    return tuple(
        Listener(socket.protocol, socket.family, socket.address, socket.port, owner.pid, owner.process, owner.container)
        if (owner := owners.get(socket.inode)) is not None
        else Listener(socket.protocol, socket.family, socket.address, socket.port)
        for socket in sockets
    )
