"""The facts that the lab of a machine that has joined reports about its machine."""

import os
import platform

import psutil

from dashboard import __version__
from dashboard.core.operations.machines import MachineFacts
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

MIB = 1 << 20


def own_facts() -> MachineFacts:
    """The facts about the machine, without those about the engine."""
    memory = psutil.virtual_memory().total // MIB
    return MachineFacts(
        cpus=os.cpu_count() or 1, memory_mb=memory, kernel=platform.release()[:120], version=__version__
    )


def hosts_for_groups(supervisor: Supervisor) -> int:
    """The number of groups' hosts with the default limits that this machine can hold. Call this in the lab's loop."""
    try:
        capacity = supervisor.class_hosts.capacity()
    except LabUnavailableError:
        return 0
    return 0 if capacity.problem else capacity.for_groups


async def read_facts(supervisor: Supervisor) -> MachineFacts:
    """The facts about the machine, and about the engine if the lab is open. Call this in the lab's loop."""
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
