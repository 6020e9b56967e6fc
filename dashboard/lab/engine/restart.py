"""Restarts the engine of a private host after it has ended, with the containers that ran on it."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress

from dashboard.core.experiments.networks import may_attach_later
from dashboard.core.training.capacity import HostLimits
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import PrivateHost, abandoned_containers, note_containers, note_left_running
from dashboard.engine.lans.swarm_node import wait_for_leader
from dashboard.engine.protocol import EngineError, EngineUnreachable

log = logging.getLogger(__name__)
#: How long starts that fail because of a swarm's network are repeated, and the pause between two, in seconds. The
#: Engine itself gives up an attempt after 20 s, which is too short on a busy machine (moby, daemon/cluster).
NETWORK_S, POLL_S = 60.0, 0.5
#: The timeout for the start of a container, in seconds. The Engine waits up to 20 s for an overlay network.
ANSWER_S = 30.0


async def start_with_containers(
    host: PrivateHost,
    limits: HostLimits | None = None,
    ready_s: float = 30.0,
    *,
    die_with_parent: bool = False,
    joined: PrivateHost | None = None,
    slot: AbstractAsyncContextManager[object] | None = None,
) -> PrivateHost:
    """Starts the engine of a host again after it has ended, then the containers that ran when it ended.

    Returns the host with its new pid. A container that does not start is only logged. ``slot`` is held while the engine
    starts. For the other arguments and the errors, see ``private_host.start_again``.
    """
    async with slot or nullcontext():
        containers = await asyncio.to_thread(note_left_running, host)
        started = await private_host.start_again(host, limits, ready_s, die_with_parent=die_with_parent, joined=joined)
    await _start_containers(started, containers)
    return started


async def finish_starts(hosts: Iterable[PrivateHost]) -> None:
    """Completes restarts of the ``hosts``: if the process that restarted a host ended before it had started the host's
    containers, starts the remaining containers. All ``hosts`` must run."""
    for host in hosts:
        if containers := await asyncio.to_thread(abandoned_containers, host):
            await _start_containers(host, containers)


async def _start_containers(host: PrivateHost, containers: Collection[str]) -> None:
    """Starts containers on a host. Records those that were not started, so that a later process starts them. Stops if
    the engine does not answer: each further start could take ``ANSWER_S`` seconds."""
    left, end = list(containers), 0.0
    if left:
        with suppress(EngineError):
            end = 0.0 if (await wait_for_leader(host.endpoint)).is_inactive else time.monotonic() + NETWORK_S
    async with DockerEngine(host.endpoint, timeout_s=ANSWER_S) as engine:
        try:
            await _start_in_rounds(engine, host, left, end)
        except EngineUnreachable as error:
            log.warning("%d of the containers on %s did not start again: %s", len(left), host.id, error)
        await asyncio.to_thread(note_containers, host, left)


async def _start_in_rounds(engine: DockerEngine, host: PrivateHost, left: list[str], end: float) -> None:
    """Starts the containers in ``left``. Removes each from the list once the engine has started or refused it.

    A container that is refused because its network is missing is tried again until ``end`` (by ``time.monotonic``). An
    engine in a swarm knows its overlay networks only some time after the election of the leader.
    """
    waiting: dict[str, EngineError] = {}
    while left:
        for container in tuple(left):
            is_late = container in waiting and time.monotonic() > end
            refusal = waiting[container] if is_late else await _start(engine, container)
            if refusal is not None:
                if may_attach_later(refusal.status, str(refusal)) and time.monotonic() <= end:
                    waiting[container] = refusal
                    continue
                log.warning("%s does not start again on %s: %s", container[:12], host.id, refusal)
            left.remove(container)
        if left:
            await asyncio.sleep(POLL_S)


async def _start(engine: DockerEngine, container: str) -> EngineError | None:
    """Starts a container. Returns the engine's refusal, None if it was started. Raises EngineUnreachable."""
    try:
        await engine.start_container(container)
    except EngineUnreachable:
        raise
    except EngineError as error:
        return error
    return None
