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
    """Returns the ids of experiments whose containers and networks are kept. If a record is one machine's part of an
    experiment on several machines, the id of the whole experiment is included, because the part needs its overlay
    network."""
    return {key for record in records for key in (record.id, record.parent) if key is not None}


async def remove_orphans(
    context: Context, wanted: Callable[[], Awaitable[set[str]]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes containers and networks that have this installation's label but belong to no experiment in ``wanted``.

    Returns descriptions of what was removed, and of what the Engine refused to remove, with its message. ``wanted``
    returns the ids of the experiments to keep. It is called after the Engine's list was read, so that the result
    includes experiments whose containers were created just before.

    On a private host, containers and networks without an experiment belong to a participant's workshop and stay.
    """

    async def kept() -> set[str | None]:
        return {*await wanted(), *({None} if context.host else ())}

    return await remove_objects(context.engine, context.labels(), kept, context.place)


async def remove_objects(
    engine: Engine, labels: dict[str, str], kept: Callable[[], Awaitable[set[str | None]]], place: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes containers and networks that have these ``labels``, except those of experiments to keep.

    Returns descriptions of what was removed, and of what the Engine refused to remove, with its message. ``kept``
    returns the ids of the experiments to keep. If they include None, objects without an experiment stay. ``kept`` is
    called after the Engine's list was read.

    ``place`` names the machine and the private host of ``engine`` (``Context.place``). Networks that another engine has
    created stay: they are visible here if both engines are managers of one swarm.
    """
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
