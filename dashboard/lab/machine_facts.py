"""What the lab of a machine that has joined reports about it."""

import os
import platform

import psutil

from dashboard import __version__
from dashboard.core.operations.machines import MachineFacts
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

MIB = 1 << 20


def own_facts() -> MachineFacts:
    """The facts without those of an engine."""
    memory = psutil.virtual_memory().total // MIB
    return MachineFacts(
        cpus=os.cpu_count() or 1, memory_mb=memory, kernel=platform.release()[:120], version=__version__
    )


def hosts_for_groups(supervisor: Supervisor) -> int:
    """How many hosts of groups with the default limits this machine can hold. In the lab's loop."""
    try:
        capacity = supervisor.class_hosts.capacity()
    except LabUnavailableError:
        return 0
    return 0 if capacity.problem else capacity.for_groups


async def read_facts(supervisor: Supervisor) -> MachineFacts:
    """The facts, with those of the engine if there is one. In the lab's loop."""
    facts = own_facts()
    context = supervisor.context
    if context is None:
        return facts
    return MachineFacts(
        facts.cpus,
        facts.memory_mb,
        hosts_for_groups(supervisor),
        str(context.info.kind),
        context.info.version[:60],
        facts.kernel,
        facts.version,
    )
