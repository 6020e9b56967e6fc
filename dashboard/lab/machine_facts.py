"""Reads the facts about a machine that has joined an installation. The lab of the machine reports
them."""

import os
import platform
from dataclasses import replace

import psutil

from dashboard import __version__
from dashboard.core.operations.machines import MachineFacts
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

MIB = 1 << 20


def own_facts() -> MachineFacts:
    """Returns the machine's cores, memory and kernel, and the version of Netmodes. The fields about the engine stay
    empty."""
    memory = psutil.virtual_memory().total // MIB
    return MachineFacts(
        cpus=os.cpu_count() or 1, memory_mb=memory, kernel=platform.release()[:120], version=__version__
    )


def hosts_for_groups(supervisor: Supervisor) -> int:
    """Returns how many hosts of groups this machine can hold, including those that run already. Each host has the
    default limits. Returns 0 if the machine can start none, or if no lab is open. Call this in the lab's loop."""
    try:
        capacity = supervisor.group_hosts.capacity()
    except LabUnavailableError:
        return 0
    return 0 if capacity.problem else capacity.for_groups


async def read_facts(supervisor: Supervisor) -> MachineFacts:
    """Returns the facts about the machine and, if the lab is open, about its engine. Call this in the lab's loop."""
    facts = own_facts()
    if (context := supervisor.context) is None:
        return facts
    engine, version = str(context.info.kind), context.info.version[:60]
    return replace(facts, capacity=hosts_for_groups(supervisor), engine=engine, engine_version=version)
