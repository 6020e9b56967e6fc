"""Ports of the machine: which ones a launch needs, and which process or container holds them.

A port is held by a process that listens on it, or by the Engine, which publishes it for a container. With docker-proxy,
both are true: the proxy listens for the Engine. Without docker-proxy no process listens.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dashboard.core.experiments.messages import Column, ExperimentRef, PublishedPort
from dashboard.core.modes import FORWARDING, ArmSpec, Mode
from dashboard.core.namespaces.forwarders import forwarder_name
from dashboard.core.namespaces.state import Listener, Protocol

#: Other processes that hold a published port for the Engine.
_HOLDERS = frozenset({"dockerd", "rootlesskit", "conmon", "podman"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound
#: The port in a message of the Engine (moby, libnetwork/portallocator and portmapper), of a program in Go, or of
#: nginx, Apache, Redis or Node.js.
_PORT_IN_MESSAGE = re.compile(
    r"(?:Bind for|already in use) \S*:(\d{1,5})\b"
    r"|(?:host port(?: for)?|listen (?:tcp|udp)[46]?|bind\(\) to|bind to address|listening socket)"
    r" (?:\[[^]]*\]|[^\s:[]*):(\d{1,5})\b"
)


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the machine; an empty address stands for all addresses."""

    port: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True)
class PortUser:
    """A running container of the engine and its published ports. ``name`` stands for the container in messages to the
    user.

    ``experiment`` is the experiment to which the container belongs. It is None if the container belongs to no
    experiment, or to the experiment of the page that shows the message. ``machine`` is the name of the container's
    machine, empty if the experiment runs on one machine only.
    """

    container: str
    name: str
    ports: tuple[HostPort, ...] = ()
    experiment: ExperimentRef | None = None
    machine: str = ""


@dataclass(frozen=True, slots=True)
class PortHolder:
    """The process or container that holds a port. ``sentence`` names this holder. If ``experiment`` is not None,
    stopping that experiment frees the port. ``is_identified`` is false if the listening process is not known."""

    port: HostPort
    sentence: str
    experiment: ExperimentRef | None = None
    is_identified: bool = True


def needed_ports(arms: Sequence[ArmSpec]) -> tuple[HostPort, ...]:
    """Returns the ports of the machine that the arms need: those that they publish, and those on which they listen in
    host mode. Ports that the Engine chooses are not included."""
    modes = {arm.key: arm.mode for arm in arms}

    def ports() -> Iterator[HostPort]:
        for arm in arms:
            if Mode.HOST in {arm.mode, modes.get(arm.target or "")}:
                yield HostPort(arm.port)
            elif arm.mode in FORWARDING:
                yield from (
                    HostPort(one.host_port, one.protocol, one.host_address) for one in arm.publish if one.host_port
                )

    return tuple(dict.fromkeys(ports()))


def ports_of(published: Iterable[PublishedPort]) -> tuple[HostPort, ...]:
    """Returns the machine's ports that these published ports use."""
    return tuple(HostPort(one.host_port, one.protocol, one.host_address) for one in published if one.host_port)


def port_in_message(message: str) -> int | None:
    """Returns the port that a message of the Engine or of a program names because it is taken, or None."""
    match = _PORT_IN_MESSAGE.search(message)
    return int(match[1] or match[2]) if match else None


def may_belong_to(listener: Listener, column: Column) -> bool:
    """Whether a socket may belong to the container of ``column``: false only if its process is known and is not in that
    container."""
    container = column.container
    return listener.process is None or container is None or listener.container == container.id


def find_holder(port: HostPort, listeners: Iterable[Listener], users: Sequence[PortUser]) -> PortHolder | None:
    """Returns the holder of a port of the machine. None if neither a listening socket of the machine (``listeners``)
    nor a running container (``users``) holds it."""
    publisher = next((user for user in users if any(_overlap(port, one) for one in user.ports)), None)
    listener = next((one for one in listeners if listens(one, port)), None)
    if listener is None or (publisher is not None and _is_of_engine(listener)):
        if publisher is None:
            return None
        sentence = f"The Engine publishes port {port.port} of this machine for {publisher.name}."
        return PortHolder(port, sentence, publisher.experiment)
    process = f"{listener.process} (pid {listener.pid})" if listener.process else "An unidentified process"
    owner = next((user for user in users if user.container == listener.container), None)
    if owner is not None:
        process = f"{process} of {owner.name}"
    elif listener.container is not None:
        process = f"{process} in container {listener.container[:12]}"
    sentence = f"{process} listens on port {port.port} of this machine."
    return PortHolder(port, sentence, owner.experiment if owner is not None else None, bool(listener.process))


def held_ports(
    needed: Iterable[HostPort], listeners: Iterable[Listener], users: Sequence[PortUser], experiment: str = ""
) -> tuple[PortHolder, ...]:
    """Returns the holders of the ``needed`` ports, each only once. Ports that the containers of ``experiment`` hold
    count as free, because these containers are removed before the launch."""
    own = [user for user in users if user.experiment is not None and user.experiment.id == experiment]
    containers = {user.container for user in own}
    others = [user for user in users if user not in own]
    published = [port for user in own for port in user.ports]
    foreign = [
        listener
        for listener in listeners
        if listener.container not in containers
        and not (_is_of_engine(listener) and any(listens(listener, port) for port in published))
    ]
    holders = [holder for port in needed if (holder := find_holder(port, foreign, others)) is not None]
    return tuple({holder.sentence: holder for holder in holders}.values())


def _is_of_engine(listener: Listener) -> bool:
    """Whether the listening process belongs to the Engine, as docker-proxy does. Such a process holds a port that the
    Engine publishes."""
    if listener.container is not None:
        return False
    return listener.process in _HOLDERS or bool(forwarder_name(listener.process))


def _overlap(first: HostPort, second: HostPort) -> bool:
    """Whether two ports cannot be bound at the same time: their numbers and protocols are equal, and so are their
    addresses. A port for all addresses overlaps with one for any address."""
    if (first.port, first.protocol) != (second.port, second.protocol):
        return False
    return first.address == second.address or bool({first.address, second.address} & _EVERYWHERE)


def listens(listener: Listener, port: HostPort) -> bool:
    """Whether a listening socket of the machine holds the port: on an address that overlaps with the port's."""
    protocol = "tcp" if listener.protocol is Protocol.TCP else "udp"
    return _overlap(HostPort(listener.port, protocol, listener.address), port)
