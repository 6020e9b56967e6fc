"""Creates, removes and describes containers. Handles containers that an interrupted launch has left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.lifecycle import ObservedContainer, removal_waves
from dashboard.core.experiments.messages import ArmStatus, Column, ContainerRef
from dashboard.core.modes import Mode
from dashboard.engine.protocol import ContainerFacts, Created, Engine, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_ARM, LABEL_EXPERIMENT, LABEL_ROUND, Context
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)
CONFLICT_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
#: Pauses, in seconds, between attempts to remove a network that other machines may still use.
SHARED_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
CONFLICT = 409
LOG_LINES = 20
#: How the Engine's start time of a container begins that was created but never started.
NEVER_STARTED = "0001-"
#: The states of a container that another program removes by force; Moby sets them before it kills
#: (``container/state.go``).
BEING_REMOVED = frozenset({"removing", "dead"})


async def create_container(engine: Engine, name: str, config: dict[str, Any]) -> Created:
    """Creates a container. If a container with the same name and labels exists, removes it first. Raises EngineError.

    Such a container is left if a lab ended during a launch, or if the Engine created it after the request had timed
    out. The creation is tried several times, because the Engine reserves a name at once but lists its container only
    later.
    """
    for pause_s in CONFLICT_PAUSES_S:
        try:
            return await engine.create_container(name, config)
        except EngineError as error:
            if error.status != CONFLICT:
                raise
        holders = [container for container in await engine.containers(config["Labels"]) if container.name == name]
        for holder in holders:
            await engine.remove_container(holder.id)
        if not holders:
            await asyncio.sleep(pause_s)
    return await engine.create_container(name, config)


async def read_exit(engine: Engine, container: str) -> tuple[ContainerFacts, tuple[str, ...]] | None:
    """Returns the facts of a container and, if it does not run, its last log lines. Returns None if the container no
    longer exists or is being removed. Raises EngineUnreachable."""
    try:
        facts = await engine.inspect_container(container)
        logs = () if facts.running else await engine.container_logs(container, LOG_LINES)
    except EngineUnreachable:
        raise
    except EngineError:
        return None
    return None if facts.status in BEING_REMOVED else (facts, logs)


async def remove_container(engine: Engine, container: str) -> str:
    """Removes a container. Returns the Engine's refusal, or an empty text. A container that is left is removed at
    the end of the round. Raises EngineUnreachable."""
    try:
        await engine.remove_container(container)
    except EngineUnreachable:
        raise
    except EngineError as error:
        return f"The Engine refuses to remove container {container[:12]}: {error}"
    return ""


async def remove_containers(engine: Engine, containers: Iterable[ContainerFacts]) -> list[str]:
    """Removes containers. If several share a namespace, the one that owns it is removed last. Returns the Engine's
    refusals."""
    refusals: list[str] = []
    for wave in removal_waves({container.id: container.network_mode for container in containers}):
        refusals += await asyncio.gather(*(remove_container(engine, container) for container in wave))
    return list(filter(None, refusals))


async def remove_all(context: Context, record: Record) -> list[str]:
    """Removes every container of an experiment, then its networks. Returns the Engine's refusals.

    ``record`` can be one machine's part of an experiment on several machines. In this case, also removes the overlay
    network that all parts share, unless another machine still uses it.
    """
    engine, labels = context.engine, context.labels(record.id)
    containers = await engine.containers(labels)
    refusals = await remove_containers(engine, containers)
    for network in await engine.networks(labels):
        try:
            await engine.remove_network(network.id)
        except EngineUnreachable:
            raise
        except EngineError as error:
            refusals.append(f"The Engine refuses to remove network {network.name}: {error}")
    if any(arm.mode is Mode.OVERLAY for arm in record.spec.arms):
        await _remove_shared(context, record, {container.network_mode for container in containers})
    return refusals


async def _remove_shared(context: Context, record: Record, used: set[str]) -> None:
    """Removes the overlay network of an experiment on several machines. ``record`` is the part of it on this machine.

    The Engine refuses the removal while a part on another machine uses the network, so the last part removes it. The
    Engine also refuses it for a moment after the last container was removed. So the removal is tried several times.

    The network's label contains the id of the whole experiment, and ``record`` contains this id as ``parent``. If the
    whole experiment was removed, ``record`` no longer contains the id. The network is then found by its name, which
    must be in ``used``. ``used`` contains the names of the networks that the removed containers used.
    """
    engine = context.engine
    for network in await engine.networks(context.labels()):
        whole = network.labels.get(LABEL_EXPERIMENT, record.id)
        if whole == record.id or network.driver != "overlay" or (whole != record.parent and network.name not in used):
            continue
        for pause_s in (*SHARED_PAUSES_S, 0.0):
            try:
                await engine.remove_network(network.id)
                break
            except EngineUnreachable:
                raise
            except EngineError as error:
                log.info("network %s stays: %s", network.name, error)
            await asyncio.sleep(pause_s)


def containers_of_round(listed: Iterable[ContainerFacts], number: int) -> list[ObservedContainer]:
    """Returns the containers in the Engine's list that were created in the round ``number``."""
    return [
        ObservedContainer(
            facts.id,
            facts.labels.get(LABEL_ARM, ""),
            facts.running,
            not facts.started_at.startswith(NEVER_STARTED),
            facts.pid,
        )
        for facts in listed
        if facts.labels.get(LABEL_ROUND) == str(number)
    ]


def running_column(column: Column, facts: ContainerFacts, error: str | None = None) -> Column:
    """Returns the column with the status "running" and the facts that the Engine reports about its container. ``error``
    is the error that the column shows, None for no error."""
    return replace(
        column,
        status=ArmStatus.RUNNING,
        error=error,
        container=ContainerRef(facts.id, facts.name, facts.image),
        published=facts.published,
        asked=facts.asked,
        networks=assigned_addresses(facts),
        invisible="",
        step=None,
    )


def describe_start(column: Column) -> str:
    """Returns the timeline's text for an arm that has started."""
    addresses = ", ".join(address for address in column.networks.values() if address)
    return f"{column.key} started" + (f" and got {addresses}" if addresses else "")


def assigned_addresses(facts: ContainerFacts) -> dict[str, str]:
    """Returns the container's address in each network. Omits the network ``host``, which assigns none."""
    return {name: address for name, address in facts.networks.items() if name != "host"}
