"""Removes what belongs to an experiment, and checks whether anything is left."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dashboard.core.experiments.launching.ports import HostPort, listens, ports_of
from dashboard.core.experiments.messages import Check, Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.visibility import name_machine
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.experiments.containers import remove_all
from dashboard.lab.experiments.observer import Observer
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)


def host_ports(columns: Sequence[Column]) -> tuple[HostPort, ...]:
    """Returns the machine's ports on which the Engine has published ports of these columns. In a routed network, the
    Engine uses no port of the machine."""
    ports = {port for column in columns for port in ports_of(column.published)}
    return tuple(sorted(ports, key=lambda port: (port.port, port.protocol, port.address)))


async def has_leftovers(context: Context, experiment: str) -> bool:
    """Returns whether the Engine still has containers or networks of the experiment."""
    labels = context.labels(experiment)
    return bool(await context.engine.containers(labels) or await context.engine.networks(labels))


async def remove_completely(context: Context, record: Record, known_problem: str) -> None:
    """Removes the experiment's containers and networks. Raises EngineError if any are left: the round does not end, and
    the next pass tries again. The problem is logged unless it is ``known_problem``, that of the last attempt."""
    refusals = await remove_all(context, record)
    if await has_leftovers(context, record.id):
        problem = "; ".join(refusals) or "The Engine still lists containers or networks of this experiment."
        if problem != known_problem:
            log.warning("experiment %s: %s", record.id, problem)
        raise EngineError(problem)


async def verify_cleanup(
    context: Context, experiment: str, observer: Observer, count: int, ports: Sequence[HostPort]
) -> tuple[Check, ...]:
    """Checks whether anything of an experiment is left: containers, networks, or listeners on the machine's ``ports``.

    Returns one result for containers, one for networks and one for the addresses of each port. The ports are not
    checked if the machine is not observed. ``count`` is the number of containers that ran, for the text of the first
    result.
    """
    labels = context.labels(experiment)
    left = len(await context.engine.containers(labels))
    networks = len(await context.engine.networks(labels))
    checks = [
        Check("containers", not left, f"{left} of {count} containers left"),
        Check("networks", not networks, f"{networks} networks left" if networks else "no network left"),
    ]
    if ports and (inode := observer.inode(MACHINE)) is not None:
        # Not the other namespaces: other experiments may end their watches meanwhile.
        await context.watches.resync(inode)
        listeners = observer.state(MACHINE).listeners
        is_used: dict[str, bool] = {}
        for port in ports:
            name = f"port {port.port}" if port.protocol == "tcp" else f"port {port.port}/{port.protocol}"
            is_used[name] = is_used.get(name, False) or any(listens(listener, port) for listener in listeners)
        for name, used in is_used.items():
            text = f"{name} of the machine is {'still in use' if used else 'free again'}"
            checks.append(Check(name, not used, name_machine(text, context.info.machine_title)))
    return tuple(checks)
