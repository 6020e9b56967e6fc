"""Removes containers and networks that no experiment needs."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from dashboard.core.experiments.lifecycle import removal_waves
from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_EXPERIMENT, LABEL_PLACE, Context
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)


def kept_ids(records: Iterable[Record]) -> set[str]:
    """The ids of experiments in labels of objects that must stay; a part also needs the overlay network of the
    whole."""
    return {key for record in records for key in (record.id, record.parent) if key is not None}


async def remove_orphans(
    context: Context, wanted: Callable[[], Awaitable[set[str]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes objects with this installation's label that belong to no experiment in ``wanted``.

    ``wanted`` is called after the Engine's list was read: an object that is created in between already has a row. On
    the host of a training session, objects without an experiment belong to a participant's workshop and stay. Returns
    what was removed, and what the Engine refused to remove, with its message.
    """

    async def kept() -> set[str | None]:
        return {*await wanted(), *({None} if context.host else ())}

    return await remove_objects(context.engine, context.labels(), kept, context.place)


async def remove_objects(
    engine: Engine, labels: dict[str, str], kept: Callable[[], Awaitable[set[str | None]]], place: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes the containers and networks with these labels that belong to no experiment in ``kept``, which is called
    after the Engine's list was read. Networks that were created at another ``place``, and are visible here because both
    engines manage one swarm, stay. Returns what was removed and what was refused."""
    containers, networks = await engine.containers(labels), await engine.networks(labels)
    keep = await kept()
    removed: list[str] = []
    refused: list[str] = []
    orphans = {one.id: one for one in containers if one.labels.get(LABEL_EXPERIMENT) not in keep}
    waves = removal_waves({key: container.network_mode for key, container in orphans.items()})
    jobs: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        (f"container {orphans[key].name}", partial(engine.remove_container, key)) for wave in waves for key in wave
    ]
    jobs += [
        (f"network {network.name}", partial(engine.remove_network, network.id))
        for network in networks
        if network.labels.get(LABEL_EXPERIMENT) not in keep and network.labels.get(LABEL_PLACE, place) == place
    ]
    for name, remove in jobs:
        try:
            await remove()
            removed.append(name)
        except EngineUnreachable:
            raise
        except EngineError as error:
            log.warning("%s could not be removed: %s", name, error)
            refused.append(f"{name}: {error}")
    return tuple(removed), tuple(refused)
