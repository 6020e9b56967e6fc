"""Removes containers and networks that belong to no current experiment."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from dashboard.core.experiments.lifecycle import removal_waves
from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable
from dashboard.lab.context import LABEL_EXPERIMENT, LABEL_PLACE, Context
from dashboard.store.experiments import Record

log = logging.getLogger(__name__)


def kept_ids(records: Iterable[Record]) -> set[str]:
    """The experiment ids whose labelled objects must stay. For a part, they include the id of its experiment, because
    the part needs the experiment's overlay network."""
    return {key for record in records for key in (record.id, record.parent) if key is not None}


async def remove_orphans(
    context: Context, wanted: Callable[[], Awaitable[set[str]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes objects with this installation's label that belong to no experiment in ``wanted``.

    ``wanted`` is called after the Engine's list was read, so an object that is created in between is either not in the
    list or has a row already. On a private host, objects without an experiment belong to a participant's workshop and
    stay. Returns what was removed, and what the Engine refused to remove, with its message.
    """

    async def kept() -> set[str | None]:
        return {*await wanted(), *({None} if context.host else ())}

    return await remove_objects(context.engine, context.labels(), kept, context.place)


async def remove_objects(
    engine: Engine, labels: dict[str, str], kept: Callable[[], Awaitable[set[str | None]]], place: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes the containers and networks with these labels that belong to no experiment in ``kept``, which is called
    after the Engine's list was read. Networks that were created at another ``place`` stay; they are visible here
    because both engines are managers of one swarm. Returns what was removed, and what the Engine refused to remove,
    with its message."""
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
