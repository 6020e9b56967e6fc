"""One look at a whole engine: every container, whoever launched it, the machine, and who asked which port lately.

Bounded: at most ``MOST_CONTAINERS`` are entered, the newest first, and everything is let go at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.observation import Contact, Observation, SeenContainer, mode_of
from dashboard.engine.protocol import ContainerFacts, Engine, EngineError, EngineUnreachable
from dashboard.lab.context import Context
from dashboard.lab.experiments.observer import Observer, ObservationTarget
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.listeners import PastConnection, open_diag_socket, read_past_connections

MOST_CONTAINERS = 40
LAST_WORDS = 3
OWN_NETWORKS = frozenset({"bridge", "host", "none"})


@dataclass(frozen=True, slots=True)
class WorkshopHost:
    """The Docker host on which somebody works: the engine of this server, or a private host of one person.

    ``labels`` are put on whatever a button makes there; ``pid`` is the engine's; ``most_containers`` may be there
    when a button launches one, 0 for any number.
    """

    engine: Engine
    pid: int | None
    private: bool
    data_dir: Path
    watches: WatchPool
    labels: Mapping[str, str]
    most_containers: int = 0

    @classmethod
    def of(cls, context: Context, labels: Mapping[str, str]) -> WorkshopHost:
        """The engine of this server."""
        return cls(context.engine, context.info.pid, context.private, context.data_dir, context.watches, labels)


async def look(host: WorkshopHost, now: float, lookups: Sequence[str] = (), ports: Sequence[int] = ()) -> Observation:
    """What is there now. ``lookups`` are looked up from inside every container, requests to ``ports`` looked for.

    EngineUnreachable if the engine does not answer; what else cannot be read is said in ``problem``.
    """
    facts, networks, images = await asyncio.gather(
        host.engine.containers({}), host.engine.networks({}), host.engine.images()
    )
    drivers = {one.name: one.driver for one in networks}
    seen = [_seen(one, drivers) for one in facts]
    seen = list(await asyncio.gather(*(_with_last_words(host.engine, one) for one in seen)))
    observer = Observer(host.watches, lambda: host.pid, lambda _states, _cause: None)
    try:
        problem, states = await _states(host, observer, seen, {one.id: one for one in facts}, lookups)
        contacts = await _contacts(host, states, ports, now) if ports else {}
    finally:
        await observer.close()
    machine = states.get(MACHINE)
    return Observation(
        at=now,
        machine=machine,
        containers=tuple(
            replace(one, state=states[one.id], contacts=contacts.get(states[one.id].netns, ()))
            if one.id in states
            else one
            for one in seen
        ),
        networks={name: driver for name, driver in drivers.items() if name not in OWN_NETWORKS},
        images=frozenset(tag for image in images for tag in image.tags),
        contacts=contacts.get(machine.netns, ()) if machine else (),
        problem=problem,
    )


def _seen(facts: ContainerFacts, drivers: Mapping[str, str]) -> SeenContainer:
    mode = mode_of(facts.network_mode, drivers)
    return SeenContainer(
        id=facts.id,
        name=facts.name,
        image=facts.image,
        mode=mode,
        status=facts.status,
        running=facts.running,
        started=seconds_of(facts.started_at),
        exit_code=facts.exit_code,
        error=facts.error,
        target=facts.network_mode.partition(":")[2] if mode == Mode.CONTAINER else "",
        asked=facts.asked,
        published=facts.published,
        networks={name: address for name, address in facts.networks.items() if name not in {"host", "none"}},
    )


def seconds_of(moment: str) -> float:
    """The Engine's time in seconds since the epoch; 0 for never and for what is no time."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return found.timestamp() if found.year > 1 and found.tzinfo is not None else 0.0


async def _with_last_words(engine: Engine, one: SeenContainer) -> SeenContainer:
    if one.running or one.status == "created":
        return one
    try:
        return replace(one, last_words=await engine.container_logs(one.id, LAST_WORDS))
    except EngineUnreachable:
        raise
    except EngineError:
        return one


async def _states(
    host: WorkshopHost,
    observer: Observer,
    seen: Sequence[SeenContainer],
    facts: Mapping[str, ContainerFacts],
    lookups: Sequence[str],
) -> tuple[str, dict[str, NamespaceState]]:
    if host.pid is None:
        return "The engine is no process of this machine: its namespaces cannot be read from here.", {}
    subjects = [ObservationTarget(MACHINE, host.pid, Mode.HOST, "/etc/resolv.conf", "/etc/hosts")]
    modes = {one.id: one.mode for one in seen}
    running = sorted((one for one in seen if one.running), key=lambda one: one.started, reverse=True)
    for one in running[:MOST_CONTAINERS]:
        fact, mode = facts[one.id], modes.get(one.target, one.mode)
        if fact.pid:
            mode = Mode.BRIDGE if mode == Mode.CONTAINER else mode
            subjects.append(ObservationTarget(one.id, fact.pid, mode, fact.resolv_conf_path, fact.hosts_path, fact.dns))
    problems = [one for one in await asyncio.gather(*(_observed(observer, one) for one in subjects)) if one]
    if lookups:
        await observer.look_up(lookups)
    if len(running) > MOST_CONTAINERS:
        problems.append(f"{len(running)} containers run: only the newest {MOST_CONTAINERS} were looked into.")
    return next(iter(problems), ""), {key: observer.state(key) for key in observer.keys}


async def _observed(observer: Observer, subject: ObservationTarget) -> str:
    """Empty, also where the container ended meanwhile; else why its namespaces cannot be read."""
    try:
        await observer.add(subject)
    except NamespaceGone:
        return ""
    except OSError as error:
        return f"The namespaces cannot be read: {error.strerror or error}. Netmodes must run as root for that."
    return ""


async def _contacts(
    host: WorkshopHost, states: Mapping[str, NamespaceState], ports: Iterable[int], now: float
) -> dict[int, tuple[Contact, ...]]:
    """By namespace, each asked once."""
    wanted = tuple(ports)
    found: dict[int, tuple[Contact, ...]] = {}
    for inode in {state.netns for state in states.values()}:
        namespace = host.watches.namespace(inode)
        if namespace is None:
            continue
        past = await asyncio.to_thread(_past, namespace, wanted)
        contacts = (
            contact_of(one, port, now) for port in wanted for one in past if port in {one.local_port, one.peer_port}
        )
        found[inode] = tuple(dict.fromkeys(contacts))
    return found


def _past(namespace: Namespace, ports: Sequence[int]) -> tuple[PastConnection, ...]:
    try:
        with ExitStack() as stack:
            opened = stack.enter_context(namespace.run(open_diag_socket))
            return tuple(one for port in ports for one in read_past_connections(opened, port))
    except (NamespaceGone, MalformedMessage, OSError):
        return ()


def contact_of(one: PastConnection, port: int, now: float) -> Contact:
    """A connection as seen from the server's port, whichever end was looked at."""
    at = now - one.ended_ms / 1000
    if one.local_port == port:
        return Contact(one.local, port, _endpoint(one.peer, one.peer_port), at)
    return Contact(one.peer, port, _endpoint(one.local, one.local_port), at)


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
