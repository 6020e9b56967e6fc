"""Creates and removes containers, whichever state an interrupted launch has left, and describes the running ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.lifecycle import removal_waves
from dashboard.core.experiments.messages import ArmStatus, Column, ContainerRef
from dashboard.core.modes import Mode
from dashboard.engine.protocol import ContainerFacts, Created, Engine, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_EXPERIMENT, Context
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)
CONFLICT_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
#: How often the removal of a network is tried that other machines may use.
SHARED_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
CONFLICT = 409
LOG_LINES = 20
#: Moby, ``container/state.go``: a forced removal sets this state before it kills; Netmodes did not ask for it.
BEING_REMOVED = frozenset({"removing", "dead"})


async def create_container(engine: Engine, name: str, config: dict[str, Any]) -> Created:
    """Creates a container; if one with the same labels already has the name, removes that first.

    An Engine that hung may have created it after the request timed out, or a lab that ended during a launch requested
    it: the name is taken at once, but the container is listed later.
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
    """The facts of a container and, unless it runs, its last log lines; None if it has been or is being removed."""
    try:
        facts = await engine.inspect_container(container)
        logs = () if facts.running else await engine.container_logs(container, LOG_LINES)
    except EngineUnreachable:
        raise
    except EngineError:
        return None
    return None if facts.status in BEING_REMOVED else (facts, logs)


async def remove_container(engine: Engine, container: str) -> None:
    """Removes a container; a refusal is logged, and the next pass tries again."""
    try:
        await engine.remove_container(container)
    except EngineUnreachable:
        raise
    except EngineError as error:
        log.warning("container %s could not be removed: %s", container[:12], error)


async def remove_containers(engine: Engine, containers: Iterable[ContainerFacts]) -> None:
    """Removes containers; those that share a namespace are removed before its owner. Refusals are logged."""
    for wave in removal_waves({container.id: container.network_mode for container in containers}):
        await asyncio.gather(*(remove_container(engine, container) for container in wave))


async def remove_all(context: Context, record: Record) -> None:
    """Removes every container, then every network of an experiment; refusals are logged. A part also removes the
    overlay network of the whole, unless others use it."""
    engine, labels = context.engine, context.labels(record.id)
    containers = await engine.containers(labels)
    await remove_containers(engine, containers)
    for network in await engine.networks(labels):
        try:
            await engine.remove_network(network.id)
        except EngineUnreachable:
            raise
        except EngineError as error:
            log.warning("network %s could not be removed: %s", network.name, error)
    if any(arm.mode is Mode.OVERLAY for arm in record.spec.arms):
        await _remove_shared(context, record, {container.network_mode for container in containers})


async def _remove_shared(context: Context, record: Record, used: set[str]) -> None:
    """Removes the overlay network of the whole unless a part of the experiment on another machine uses it: the last
    part removes it. If the experiment was removed, the record of a part no longer names the whole; the network is then
    one that containers of the part ``used``. The Engine refuses for a moment after the last container was removed."""
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


def running_column(column: Column, facts: ContainerFacts, error: str | None = None) -> Column:
    """The column of a running container."""
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
    """The text in the timeline for an arm that has started."""
    addresses = ", ".join(address for address in column.networks.values() if address)
    return f"{column.key} started" + (f" and got {addresses}" if addresses else "")


def assigned_addresses(facts: ContainerFacts) -> dict[str, str]:
    """Addresses by network; the network of host mode has none."""
    return {name: address for name, address in facts.networks.items() if name != "host"}
