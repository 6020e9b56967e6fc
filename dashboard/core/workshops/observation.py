"""An observation of a whole engine at one instant: all containers, however they were launched, and the machine.

Steps are judged by this alone, so a typed command counts the same as a button. Sources: Docker Engine API (inspect),
namespaces(7), rtnetlink(7), sock_diag(7), resolv.conf(5).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.modes import Mode
from dashboard.core.namespaces.state import Listener, NamespaceState

#: The image that replaces nginx if no registry answers (``engine.images``).
STAND_IN = "netmodes-lab"
_DRIVERS = {"macvlan": Mode.MACVLAN, "ipvlan": Mode.IPVLAN, "overlay": Mode.OVERLAY}


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """A TCP connection to ``server``:``port``, open now or closed within the last minute (TIME_WAIT, tcp(7)).

    ``last_open_at`` is the last time it is known to have been open, in seconds since the epoch.
    """

    server: str
    port: int
    client: str
    last_open_at: float


@dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """One container. ``started`` is in seconds since the epoch, 0 for never; ``target`` is the id of the container with
    which it shares a network namespace; ``last_log_lines`` are set once it has exited; ``requested`` are the ports of
    its ``-p`` options; ``state`` is None if it does not run or could not be read."""

    id: str
    name: str
    image: str
    mode: str
    status: str
    running: bool = False
    started: float = 0.0
    exit_code: int | None = None
    error: str = ""
    last_log_lines: tuple[str, ...] = ()
    target: str = ""
    requested: tuple[PublishedPort, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    state: NamespaceState | None = None
    connections: tuple[TcpConnection, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that the Engine assigned."""
        return tuple(address for address in self.networks.values() if address)


@dataclass(frozen=True, slots=True)
class Observation:
    """An engine at the time ``at``, by the clock of its machine, like the times of containers. ``networks`` maps names
    to drivers, without Docker's predefined three; ``connections`` are those of the machine's namespace; ``problem``
    states what could not be read."""

    at: float
    machine: NamespaceState | None = None
    containers: tuple[ContainerSnapshot, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    connections: tuple[TcpConnection, ...] = ()
    problem: str = ""
    #: The machine's rules with their counters, as iptables-save(8) prints them; read on private hosts.
    rules: tuple[str, ...] = ()

    @property
    def running(self) -> tuple[ContainerSnapshot, ...]:
        """The running containers, newest first."""
        found = (container for container in self.containers if container.running)
        return tuple(sorted(found, key=lambda container: (-container.started, container.name)))

    def by_id(self, identity: str) -> ContainerSnapshot | None:
        """A container by its full id."""
        return next((container for container in self.containers if container.id == identity), None)


def mode_of(network_mode: str, drivers: Mapping[str, str]) -> str:
    """The mode of a container from ``HostConfig.NetworkMode`` and the drivers of all networks by name."""
    if network_mode.startswith("container:"):
        return Mode.CONTAINER
    if network_mode in {"default", "bridge", ""}:
        return Mode.BRIDGE
    if network_mode in {"host", "none"}:
        return network_mode
    return _DRIVERS.get(drivers.get(network_mode, "bridge"), Mode.USER_BRIDGE)


def is_image(given: str, wanted: str) -> bool:
    """Whether a container has this image; the lab image counts as nginx."""
    given, wanted = (image.removesuffix(":latest") for image in (given, wanted))
    return given == wanted or (wanted == "nginx" and given.partition(":")[0] in {STAND_IN, "nginx"})


@dataclass(frozen=True, slots=True)
class ContainerSelector:
    """Selects containers by mode, image and name; an empty value matches any."""

    mode: str = ""
    image: str = ""
    name: str = ""

    def matches(self, container: ContainerSnapshot) -> bool:
        """Whether the container matches, running or not."""
        return (
            (not self.mode or container.mode == self.mode)
            and (not self.image or is_image(container.image, self.image))
            and (not self.name or container.name == self.name)
        )

    def describe(self, article: str = "a container") -> str:
        """For example ``a container of nginx in mode host named web``."""
        parts = (
            f"of {self.image}" if self.image else "",
            f"in mode {self.mode}" if self.mode else "",
            f"named {self.name}" if self.name else "",
        )
        return " ".join(part for part in (article, *parts) if part)


def matching(observation: Observation, selector: ContainerSelector) -> tuple[ContainerSnapshot, ...]:
    """The containers that match, running or not."""
    return tuple(container for container in observation.containers if selector.matches(container))


def running(observation: Observation, selector: ContainerSelector) -> tuple[ContainerSnapshot, ...]:
    """The running containers that match, newest first."""
    return tuple(container for container in observation.running if selector.matches(container))


def newest(observation: Observation, selector: ContainerSelector) -> ContainerSnapshot | None:
    """The running container that matches and was started last."""
    return next(iter(running(observation, selector)), None)


def listeners_on(state: NamespaceState | None, port: int, protocol: str = "tcp") -> tuple[Listener, ...]:
    """The listeners on a port of a namespace."""
    return tuple(x for x in (state.listeners if state else ()) if x.port == port and x.protocol == protocol)


def describe_owner(observation: Observation, listener: Listener) -> str:
    """The owner of a socket: ``nginx of container web``, ``docker-proxy of the machine``."""
    process = listener.process or "an unknown process"
    if listener.container is None:
        return f"{process} of the machine"
    found = observation.by_id(listener.container)
    return f"{process} of container {found.name if found else listener.container[:12]}"


def format_list(items: Iterable[str], empty: str = "") -> str:
    """The items, each once, separated by commas; ``empty`` if there are none."""
    return ", ".join(dict.fromkeys(items)) or empty


def local_addresses(state: NamespaceState) -> frozenset[str]:
    """Every address of a namespace, without its prefix."""
    return frozenset(address.address for link in state.interfaces for address in link.addresses)
