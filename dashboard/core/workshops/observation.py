"""An observation of a whole engine at one instant: the machine, and all containers, however they were launched.

Steps are judged by the observation alone, so a typed command counts the same as a button. Sources: Docker Engine API
(inspect), namespaces(7), rtnetlink(7), sock_diag(7), resolv.conf(5).
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

    ``last_open_at`` is the latest time at which it is known to have been open, in seconds since the epoch.
    """

    server: str
    port: int
    client: str
    last_open_at: float


@dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """One container of an observation.

    ``started`` is in seconds since the epoch, 0 for never. ``target`` is the id of the container whose network
    namespace it shares. ``last_log_lines`` are empty until it has exited. ``requested`` are the ports of its ``-p``
    options. ``networks`` maps names of networks to the container's addresses on them. ``state`` is None if it does not
    run or could not be read.
    """

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
        """The addresses that the Engine assigned to the container."""
        return tuple(address for address in self.networks.values() if address)


@dataclass(frozen=True, slots=True)
class Observation:
    """The state of an engine at the time ``at``. This time and those of containers are by the clock of the engine's
    machine.

    ``networks`` maps names to drivers, without Docker's three predefined networks. ``connections`` are those in the
    machine's namespace. ``problem`` is a sentence about what could not be read, otherwise empty.
    """

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
        """Returns the container with this full id, None if it does not exist."""
        return next((container for container in self.containers if container.id == identity), None)


def mode_of(network_mode: str, drivers: Mapping[str, str]) -> str:
    """Returns the mode of a container. ``network_mode`` is its ``HostConfig.NetworkMode``; ``drivers`` has the driver
    of each network by name."""
    if network_mode.startswith("container:"):
        return Mode.CONTAINER
    if network_mode in {"default", "bridge", ""}:
        return Mode.BRIDGE
    if network_mode in {"host", "none"}:
        return network_mode
    return _DRIVERS.get(drivers.get(network_mode, "bridge"), Mode.USER_BRIDGE)


def is_image(given: str, wanted: str) -> bool:
    """Whether ``given`` is the image ``wanted``, ignoring the tag ``latest``. If nginx is wanted, the lab image and
    every tag of nginx count."""
    given, wanted = (image.removesuffix(":latest") for image in (given, wanted))
    return given == wanted or (wanted == "nginx" and given.partition(":")[0] in {STAND_IN, "nginx"})


@dataclass(frozen=True, slots=True)
class ContainerSelector:
    """Selects containers by mode, image and name. An empty value matches any."""

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
        """Describes the selected containers: ``a container of nginx in mode host named web``."""
        parts = (
            f"of {self.image}" if self.image else "",
            f"in mode {self.mode}" if self.mode else "",
            f"named {self.name}" if self.name else "",
        )
        return " ".join(part for part in (article, *parts) if part)


def matching(observation: Observation, selector: ContainerSelector) -> tuple[ContainerSnapshot, ...]:
    """Returns the containers that match the selector, running or not."""
    return tuple(container for container in observation.containers if selector.matches(container))


def running(observation: Observation, selector: ContainerSelector) -> tuple[ContainerSnapshot, ...]:
    """Returns the running containers that match the selector, newest first."""
    return tuple(container for container in observation.running if selector.matches(container))


def newest(observation: Observation, selector: ContainerSelector) -> ContainerSnapshot | None:
    """Returns the running container that matches the selector and was started last; None if no container matches."""
    return next(iter(running(observation, selector)), None)


def listeners_on(state: NamespaceState | None, port: int, protocol: str = "tcp") -> tuple[Listener, ...]:
    """Returns the listeners on a port of a namespace."""
    return tuple(x for x in (state.listeners if state else ()) if x.port == port and x.protocol == protocol)


def describe_owner(observation: Observation, listener: Listener) -> str:
    """Describes the owner of a socket: ``nginx of container web``, ``docker-proxy of the machine``."""
    process = listener.process or "an unknown process"
    if listener.container is None:
        return f"{process} of the machine"
    found = observation.by_id(listener.container)
    return f"{process} of container {found.name if found else listener.container[:12]}"


def format_list(items: Iterable[str], empty: str = "") -> str:
    """Joins the items with commas, each once; returns ``empty`` if there are no items."""
    return ", ".join(dict.fromkeys(items)) or empty


def local_addresses(state: NamespaceState) -> frozenset[str]:
    """Returns every address of a namespace, without prefix lengths."""
    return frozenset(address.address for link in state.interfaces for address in link.addresses)
