"""Observes the host on which a workshop's commands run: the machine, recent connections to ports, and the containers of
the engine, even those that Netmodes did not launch.

At most ``MAX_CONTAINERS`` containers are observed, the newest first. All namespaces are released at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.addresses import bracket
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.workshops.observation import ContainerSnapshot, Observation, TcpConnection, mode_of
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.engine.protocol import ContainerFacts, Engine, EngineError, EngineUnreachable
from dashboard.lab.context import Context
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.firewall import read_counted_listing
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.listeners import PastConnection, open_diag_socket, read_past_connections

MAX_CONTAINERS = 40
LOG_LINES = 3
PREDEFINED_NETWORKS = frozenset({"bridge", "host", "none"})


@dataclass(frozen=True, slots=True)
class WorkshopHost:
    """The Docker host on which a workshop's commands run: this server's engine, or a private host.

    ``pid`` is the pid of the engine, None if it is not a process of this machine. The network namespace of the engine's
    process counts as the machine: typed commands run in it, and host mode shares it. This applies even if RootlessKit
    keeps the bridges in a detached namespace (``EngineInfo.netns``; moby/moby#47103).

    ``labels`` are set on everything that a button of a step creates. A button launches no container if
    ``max_containers`` exist already; 0 means no limit.
    """

    engine: Engine
    pid: int | None
    private: bool
    data_dir: Path
    watches: WatchPool
    labels: Mapping[str, str]
    max_containers: int = 0
    #: The endpoint of the engine; it identifies a private host.
    endpoint: str = ""

    @classmethod
    def of(cls, context: Context, labels: Mapping[str, str]) -> WorkshopHost:
        """Returns this context's engine as a workshop host with these ``labels``."""
        info = context.info
        return cls(
            context.engine,
            info.pid,
            context.private,
            context.data_dir,
            context.watches,
            labels,
            endpoint=info.endpoint,
        )

    @property
    def neighbour(self) -> str:
        """The path of the neighbour's namespace as the engine sees it; empty if this is not a private host."""
        return neighbour_path(self.endpoint) if self.private and self.pid is not None else ""


async def observe_host(
    host: WorkshopHost,
    now: float,
    lookups: Sequence[str] = (),
    ports: Sequence[int] = (),
    *,
    rules: bool = False,
) -> Observation:
    """Observes the host and returns its state. ``now`` is the current time in seconds since the epoch. ``lookups`` are
    names to resolve inside every container. If ``ports`` are given, includes recent connections to them. If ``rules``
    is true, includes the machine's firewall rules with their counters.

    Raises EngineUnreachable if the engine does not answer. If something else cannot be read, the result's ``problem``
    is the reason.
    """
    facts, networks, images = await asyncio.gather(
        host.engine.containers({}), host.engine.networks({}), host.engine.images()
    )
    drivers = {network.name: network.driver for network in networks}
    containers = await asyncio.gather(*(_with_logs(host.engine, _snapshot(each, drivers)) for each in facts))
    observer = Observer(host.watches, lambda: host.pid, lambda _states: None)
    try:
        problem, states = await _states(host, observer, containers, {each.id: each for each in facts}, lookups)
        connections = await _connections(host, states, ports, now) if ports else {}
        listing = await _rules(host, states) if rules else ()
    finally:
        await observer.close()
    machine = states.get(MACHINE)
    return Observation(
        at=now,
        machine=machine,
        containers=tuple(
            replace(each, state=states[each.id], connections=connections.get(states[each.id].netns, ()))
            if each.id in states
            else each
            for each in containers
        ),
        networks={name: driver for name, driver in drivers.items() if name not in PREDEFINED_NETWORKS},
        images=frozenset(tag for image in images for tag in image.tags),
        connections=connections.get(machine.netns, ()) if machine else (),
        problem=problem,
        rules=listing,
    )


async def _rules(host: WorkshopHost, states: Mapping[str, NamespaceState]) -> tuple[str, ...]:
    """Returns the iptables rules of a private host with their counters, one per line; empty for any other host. The
    format does not depend on the engine's firewall backend, because checks of steps read only this format."""
    machine = states.get(MACHINE)
    namespace = host.watches.namespace(machine.netns) if machine is not None and host.private else None
    if namespace is None:
        return ()
    listing = await read_counted_listing(namespace, "iptables", ipv6=False)
    return tuple(listing.text.splitlines())


def _snapshot(facts: ContainerFacts, drivers: Mapping[str, str]) -> ContainerSnapshot:
    mode = mode_of(facts.network_mode, drivers)
    return ContainerSnapshot(
        id=facts.id,
        name=facts.name,
        image=facts.image,
        mode=mode,
        status=facts.status,
        running=facts.running,
        started=timestamp(facts.started_at),
        exit_code=facts.exit_code,
        error=facts.error,
        target=facts.network_mode.partition(":")[2] if mode == Mode.CONTAINER else "",
        requested=facts.asked,
        published=facts.published,
        networks={name: address for name, address in facts.networks.items() if name not in {"host", "none"}},
    )


def timestamp(text: str) -> float:
    """Converts a time from the Engine's API to seconds since the epoch. Returns 0 for "never" and for an invalid
    time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return moment.timestamp() if moment.year > 1 and moment.tzinfo is not None else 0.0


async def _with_logs(engine: Engine, container: ContainerSnapshot) -> ContainerSnapshot:
    if container.running or container.status == "created":
        return container
    try:
        return replace(container, last_log_lines=await engine.container_logs(container.id, LOG_LINES))
    except EngineUnreachable:
        raise
    except EngineError:
        return container


async def _states(
    host: WorkshopHost,
    observer: Observer,
    containers: Sequence[ContainerSnapshot],
    facts: Mapping[str, ContainerFacts],
    lookups: Sequence[str],
) -> tuple[str, dict[str, NamespaceState]]:
    if host.pid is None:
        return "The engine is not a process of this machine: its namespaces cannot be read from here.", {}
    targets = [ObservationTarget(MACHINE, host.pid, Mode.HOST, "/etc/resolv.conf", "/etc/hosts")]
    modes = {each.id: each.mode for each in containers}
    running = sorted((each for each in containers if each.running), key=lambda each: each.started, reverse=True)
    for each in running[:MAX_CONTAINERS]:
        fact, mode = facts[each.id], modes.get(each.target, each.mode)
        if fact.pid:
            mode = Mode.BRIDGE if mode == Mode.CONTAINER else mode
            files = (fact.resolv_conf_path, fact.hosts_path)
            targets.append(ObservationTarget(each.id, fact.pid, mode, *files, fact.dns, container=each.id))
    problems = [text for text in await asyncio.gather(*(_observe(observer, target) for target in targets)) if text]
    if lookups:
        await observer.look_up(lookups)
    if len(running) > MAX_CONTAINERS:
        problems.append(f"{len(running)} containers run: only the newest {MAX_CONTAINERS} were observed.")
    return next(iter(problems), ""), {key: observer.state(key) for key in observer.keys}


async def _observe(observer: Observer, target: ObservationTarget) -> str:
    """Starts to observe a target. If its namespaces cannot be read, returns the reason, otherwise an empty text. The
    text is also empty if the container has exited."""
    try:
        await observer.add(target)
    except NamespaceGone:
        return ""
    except OSError as error:
        return f"The namespaces cannot be read: {error.strerror or error}. Netmodes must run as root for that."
    return ""


async def _connections(
    host: WorkshopHost, states: Mapping[str, NamespaceState], ports: Sequence[int], now: float
) -> dict[int, tuple[TcpConnection, ...]]:
    """Returns recent connections to these ports, by the inode of the network namespace. ``states`` contains a state of
    each namespace to search."""
    connections: dict[int, tuple[TcpConnection, ...]] = {}
    for inode in {state.netns for state in states.values()}:
        namespace = host.watches.namespace(inode)
        if namespace is None:
            continue
        past = await asyncio.to_thread(_past_connections, namespace, ports)
        to_ports = (
            connection_to(port, each, now)
            for port in ports
            for each in past
            if port in {each.local_port, each.peer_port}
        )
        connections[inode] = tuple(dict.fromkeys(to_ports))
    return connections


def _past_connections(namespace: Namespace, ports: Sequence[int]) -> tuple[PastConnection, ...]:
    try:
        with ExitStack() as stack:
            diag = stack.enter_context(namespace.run(open_diag_socket))
            return tuple(connection for port in ports for connection in read_past_connections(diag, port))
    except (NamespaceGone, MalformedMessage, OSError):
        return ()


def connection_to(port: int, connection: PastConnection, now: float) -> TcpConnection:
    """Returns a connection as the server at ``port`` sees it, with its age at the time ``now``. ``connection`` may have
    been observed at the client's or the server's end."""
    server, client, client_port = connection.local, connection.peer, connection.peer_port
    if connection.local_port != port:
        server, client, client_port = connection.peer, connection.local, connection.local_port
    return TcpConnection(server, port, f"{bracket(client)}:{client_port}", now - connection.ended_ms / 1000)
